"""The real gateware, compiled, behind a line that harms ten thousand frames: nothing may go wrong."""

import random

import numpy as np
import pytest
from configs import NARROW, WIDE
from mock_device import MockDevice, Tally
from noise import NoisyTransport
from spikeplane.device.session import Session
from spikeplane.device.simulated import SimulatedTransport
from spikeplane_hw.memory_map import Space, memory_map

HARMS = 10_000
ATTEMPTS = 300


@pytest.mark.parametrize("config, harms, stall", [(NARROW, HARMS, 0.0), (WIDE, HARMS // 5, 0.4)],
                         ids=["narrow", "wide, stalled"])
def test_no_wrong_word_no_lost_or_doubled_event_no_hang(config, harms, stall):
    draw = random.Random(5)
    spaces = memory_map(config)
    written = [s for s in spaces if spaces[s].writable and s is not Space.REGISTERS]
    tally = Tally(config)
    with SimulatedTransport(config, device=MockDevice(config)) as transport:
        transport.stall(7, stall)
        line = NoisyTransport(transport, seed=11, share=0.4)
        line.quiet = True
        session = Session(line, timeout=0.0, attempts=ATTEMPTS)
        session.open()
        line.sent.clear()
        line.quiet = False
        while sum(line.harms.values()) < harms:
            choice = draw.random()
            if choice < 0.35:
                events = np.array([draw.getrandbits(32) for _ in range(draw.randrange(1, 65))], "<u4")
                session.send_events(events)
                tally.send(events.tolist())
                continue
            space = draw.choice(written)
            memory = spaces[space]
            count = draw.randrange(1, min(memory.depth, 40) + 1)
            address = draw.randrange(memory.depth - count + 1)
            if choice < 0.7:
                words = [draw.getrandbits(memory.width) for _ in range(count)]
                content = b"".join(word.to_bytes(memory.word_bytes, "little") for word in words)
                session.write(space, address, memory.word_bytes, content)
                tally.write(space, address, words)
            else:
                check(session, tally, space, address, count)
                report = session.read(Space.LOGITS, 0, 4, 4)
                assert np.frombuffer(report, "<u4").tolist() == tally.report()
        line.quiet = True
        for space in written:
            check(session, tally, space, 0, spaces[space].depth)
    assert session.repeats > harms / 4
    assert len(line.harms) == 12, "every kind of harm is drawn"


def check(session, tally, space, address, count):
    word_bytes = tally.map[space].word_bytes
    content = session.read(space, address, word_bytes, count)
    for offset in range(count):
        found = int.from_bytes(content[offset * word_bytes : (offset + 1) * word_bytes], "little")
        expected = tally.memory.get((space, address + offset), 0)
        assert found == expected, f"{space.name} {address + offset}: {found:#x}, not {expected:#x}"
