"""Byte transports between host and device: what the driver needs of them, and the serial port."""

import math
import time
from typing import Protocol

from spikeplane_hw.slip import END

__all__ = ["SerialTransport", "Transport", "TransportError"]

SERIAL_POLL = 0.02
"""Seconds a read of the port waits at most, so that a deadline is met."""

PIECE = 4096
"""Bytes that are written at once."""
BITS = 10
"""Of a byte on the line: a start bit and a stop bit beside its own."""


class TransportError(ConnectionError):
    """The way to the device cannot be opened or broke; the message names the port."""


class Transport(Protocol):
    """A byte stream in each direction. Bytes may get lost or damaged; frames take care of that."""

    def write(self, content: bytes) -> None:
        """Send ``content``."""

    def read(self, timeout: float) -> bytes:
        """Return what has come; wait at most ``timeout`` seconds for the first byte.

        Empty if nothing came in that time, or if nothing will come before the next write.
        """
        ...

    def rest(self, seconds: float) -> None:
        """Let about ``seconds`` pass for the device to work on."""

    def pause(self, seconds: float) -> None:
        """Keep what is written next at least ``seconds`` behind what was written; what was answered is read later."""

    def close(self) -> None:
        """Give the port back."""


class SerialTransport:
    """A board on a serial port; ``low_latency`` says whether the system hands over what came without collecting it."""

    def __init__(self, port: str, baud: int):
        import serial  # only who has a board needs it

        self.port = port
        self.baud = baud
        self._failure = serial.SerialException
        try:
            self._serial = serial.Serial(port, baud, timeout=SERIAL_POLL, write_timeout=1)
        except (serial.SerialException, ValueError) as error:
            raise TransportError(f"serial port {port} cannot be opened at {baud} baud: {error}"
                                 f"{_others(port)}") from error
        self.low_latency = _set_low_latency(self._serial)

    def write(self, content: bytes) -> None:
        try:
            for start in range(0, len(content), PIECE):  # Each piece has a time-out of its own.
                self._serial.write(content[start : start + PIECE])
        except (self._failure, OSError) as error:
            raise self._broken(error) from error

    def read(self, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        try:
            while True:
                received = self._serial.read(max(1, self._serial.in_waiting))
                if received or time.monotonic() >= deadline:
                    return received
        except (self._failure, OSError, TypeError) as error:
            # pyserial raises a TypeError when the port is closed under a read.
            raise self._broken(error) from error

    def rest(self, seconds: float) -> None:
        time.sleep(seconds)

    def pause(self, seconds: float) -> None:
        # Delimiters, which mean nothing between frames: the line's own clock is exact, a sleep is not.
        self.write(bytes([END]) * math.ceil(seconds * self.baud / BITS))

    def close(self) -> None:
        self._serial.close()

    def _broken(self, error: Exception) -> TransportError:
        return TransportError(f"serial port {self.port} broke, is the cable plugged in? ({error})")


def _set_low_latency(port) -> bool:
    """Ask the system for what came at once, which most adapters else collect for up to 16 ms; return whether it does.

    Linux offers it, for adapters whose driver knows it.
    """
    try:
        port.set_low_latency_mode(True)
    except (AttributeError, ValueError):
        return False
    return True


def _others(port: str) -> str:
    from serial.tools import list_ports

    names = [found.device for found in list_ports.comports() if found.device != port]
    return f"; ports found: {', '.join(sorted(names))}" if names else "; no serial port was found"
