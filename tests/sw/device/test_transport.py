import os
import pty
import select
import threading

import numpy as np
import pytest
from configs import NARROW
from mock_device import MockDevice, Tally
from spikeplane.device import port as ports
from spikeplane.device.port import open_port
from spikeplane.device.session import NoAnswerError, Session
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.device.transport import SerialTransport, TransportError
from spikeplane_hw.memory_map import Space


def test_a_missing_port_is_named():
    with pytest.raises(TransportError, match=r"^serial port /dev/none cannot be opened at 115200 baud: "):
        SerialTransport("/dev/none", 115200)


@pytest.fixture
def line():
    """Yield a transport and the other end of its line."""
    other, port = pty.openpty()
    transport = SerialTransport(os.ttyname(port), 115200)
    os.close(port)
    yield transport, other
    transport.close()


def test_bytes_pass_both_ways(line):
    transport, other = line
    transport.write(bytes(range(256)))
    received = b""
    while len(received) < 256:
        received += os.read(other, 256)
    assert received == bytes(range(256))
    os.write(other, b"\xc0\x00\x11\x13\x0a\x0d")
    received = b""
    while len(received) < 6:
        received += transport.read(1.0)
    assert received == b"\xc0\x00\x11\x13\x0a\x0d"
    os.close(other)


def test_a_read_waits_for_the_first_byte_and_no_longer_than_asked(line):
    transport, other = line
    assert transport.read(0.05) == b""
    timer = threading.Timer(0.1, os.write, (other, b"x"))
    timer.start()
    assert transport.read(5.0) == b"x"
    timer.join()
    os.close(other)


def test_a_pulled_cable_is_named(line):
    transport, other = line
    os.close(other)
    with pytest.raises(TransportError, match=r"^serial port /dev/\S+ broke, is the cable plugged in\?"):
        transport.read(1.0)


def test_a_session_over_a_serial_line(line):
    transport, other = line
    stop = threading.Event()

    def device():
        with SimulatedTransport(NARROW, device=MockDevice(NARROW)) as simulated:
            while not stop.is_set():
                if select.select([other], [], [], 0.01)[0]:
                    simulated.write(os.read(other, 4096))
                    os.write(other, simulated.read(0))

    thread = threading.Thread(target=device)
    thread.start()
    try:
        os.write(other, b"\xc0what an earlier session left")
        session = Session(transport, timeout=1.0, attempts=20)
        session.open()
        tally, words = Tally(NARROW), list(range(0xB8, 0xB8 + 40))
        session.write(Space.SPIKES, 10, 1, bytes(words))
        tally.write(Space.SPIKES, 10, words)
        session.send_events(np.arange(100))
        tally.send(range(100))
        assert session.read(Space.SPIKES, 10, 1, 40) == bytes(words)
        report = session.read(Space.LOGITS, 0, 4, 4)
        assert np.frombuffer(report, "<u4").tolist() == tally.report()
    finally:
        stop.set()
        thread.join()
        os.close(other)


def test_the_rate_is_found_at_which_a_board_answers(monkeypatch):
    """The simulated device answers at one rate only; every line that it does not is given back."""
    tried, closed = [], []

    class Line(SimulatedTransport):
        def __init__(self, port, baud):
            super().__init__(NARROW, device=MockDevice(NARROW))
            self.baud = baud
            tried.append(baud)

        def read(self, timeout):
            received = super().read(timeout)
            return received if self.baud == answering else b""

        def close(self):
            closed.append(self.baud)
            super().close()

    monkeypatch.setattr(ports, "SerialTransport", Line)
    answering = ports.BAUDS[1]
    with open_port("/dev/x") as found:
        assert found.baud == answering and tried == list(ports.BAUDS) and closed == [ports.BAUDS[0]]
    with open_port("/dev/x", 115200) as found:
        assert found.baud == 115200
    answering, closed[:] = 1, []
    with pytest.raises(NoAnswerError, match=r"^serial port /dev/x: no board answers at 3,000,000 and 1,000,000 baud"):
        open_port("/dev/x")
    assert closed == list(ports.BAUDS)


def test_a_pause_takes_its_time_on_the_line(line):
    transport, other = line
    transport.pause(0.01)
    assert os.read(other, 1000) == b"\xc0" * 116  # 10 bits each, at 115,200 baud
    os.close(other)


@pytest.mark.parametrize("offered", [True, False])
def test_low_latency_is_asked_for_where_the_system_offers_it(monkeypatch, offered):
    asked = []

    def mode(self, wanted):
        asked.append(wanted)
        if not offered:
            raise ValueError("Failed to update ASYNC_LOW_LATENCY flag")

    import serial

    monkeypatch.setattr(serial.Serial, "set_low_latency_mode", mode, raising=False)
    other, port = pty.openpty()
    transport = SerialTransport(os.ttyname(port), 115200)
    assert asked == [True] and transport.low_latency is offered
    transport.close()
    for end in (other, port):
        os.close(end)
