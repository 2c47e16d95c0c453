import os
import pty
import threading

import pytest
from spikeplane.transport import SerialTransport, TransportError


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
