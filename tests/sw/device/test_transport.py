import os
import pty
import select
import threading

import numpy as np
import pytest
from configs import NARROW
from mock_device import MockDevice, Tally
from spikeplane.device.session import Session
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
