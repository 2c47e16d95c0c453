"""Requests that are under way together, over a line whose bytes are lost where the device takes none."""

import numpy as np
import pytest
from configs import NARROW
from mock_device import Tally
from spikeplane.device.requests import Call, event_calls, read_calls, write_calls
from spikeplane.device.session import TOGETHER, DeviceError, Session
from spikeplane.device.simulated import SimulatedTransport
from spikeplane_hw.memory_map import Register, Space
from uart_device import UartDevice


@pytest.fixture(scope="module")
def transport():
    with SimulatedTransport(NARROW, device=UartDevice(NARROW)) as transport:
        yield transport


@pytest.fixture
def session(transport):
    session = Session(transport, timeout=0.01, attempts=8)
    session.open()
    session.trips = 0
    return session


def written(seed: int, count: int):
    """Return requests that write and hand over events, with what stuffing makes longest, and add up their tally."""
    random, tally, calls = np.random.default_rng(seed), Tally(NARROW), []
    for number in range(count):
        if number % 3:
            words = random.choice(np.array([0xC0, 0xDB, 0, 1], np.uint8), random.integers(1, 65 - number)).tolist()
            calls += write_calls(Space.SPIKES, number, 1, bytes(words))
            tally.write(Space.SPIKES, number, words)
        else:
            events = random.integers(0, 1 << 32, random.integers(1, 64), np.uint32)
            calls += event_calls(events)
            tally.send(events.tolist())
    return calls, tally


def report(session: Session) -> list[int]:
    return np.frombuffer(session.read(Space.LOGITS, 0, 4, 4), "<u4").tolist()


def test_nothing_is_lost_between_requests_that_are_under_way_together(session):
    """The delimiters behind each request last as long as the device takes no bytes."""
    before = report(session)
    calls, tally = written(1, TOGETHER - 1)
    session.trips = 0
    *_, answer = session.exchange([*calls, *read_calls(Space.SPIKES, 1, 1, 40)])
    assert session.trips == 1 and session.repeats == 0
    assert answer == bytes(tally.memory[Space.SPIKES, 1 + address] for address in range(40))
    after = report(session)
    assert after[0] - before[0] == tally.writes and after[2] - before[2] == tally.events


def test_what_is_lost_is_sent_again_in_its_order_and_once(session, monkeypatch):
    """Without delimiters the device misses the begin of many requests."""
    before = report(session)
    monkeypatch.setattr(Call, "gap", property(lambda call: 0))
    calls, tally = written(2, 2 * TOGETHER)
    session.exchange(calls)
    assert session.repeats > TOGETHER
    monkeypatch.undo()
    after = report(session)
    assert after[0] - before[0] == tally.writes and after[2] - before[2] == tally.events
    for address in range(60):
        expected = tally.memory.get((Space.SPIKES, address))
        if expected is not None:
            assert session.read(Space.SPIKES, address, 1, 1) == bytes([expected])


def test_a_refusal_is_named_and_the_session_goes_on(session):
    calls = [
        *write_calls(Space.SPIKES, 0, 1, b"\1"), *write_calls(Space.LOGITS, 0, 4, bytes(4)),
        *write_calls(Space.SPIKES, 1, 1, b"\2"),
    ]
    with pytest.raises(DeviceError, match=r"^WRITE of 1 words to LOGITS 0: the device refused, the space cannot"):
        session.exchange(calls)
    assert session.read(Space.SPIKES, 0, 1, 2) == b"\1\2"


def test_a_busy_core_has_no_words_where_that_is_allowed(session, transport):
    busy = write_calls(Space.REGISTERS, Register.CONTROL.value, 4, (100_000).to_bytes(4, "little"))
    allowed = read_calls(Space.LOGITS, 0, 4, 4, may_be_busy=True)
    assert session.exchange([*busy, *allowed]) == [b"", None]
    with pytest.raises(DeviceError, match=r"the device refused, the core is busy$"):
        session.exchange(read_calls(Space.LOGITS, 0, 4, 4))
    transport.advance(100_000)
    assert len(session.exchange(allowed)[0] or b"") == 16
