"""Where live events come from: a recording that is replayed, a UDP or TCP socket, standard input."""

import os
import select
import socket
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from ..data.formats.events import EVENT, Recording
from ..data.sets.bins import step_edges
from .bin_queue import EventBin
from .packets import PacketReader

__all__ = ["FileSource", "Source", "SourceError", "StandardInput", "TcpSource", "UdpSource", "open_source"]

LARGEST = 1 << 16
"""Bytes that are read at once: no UDP packet has more."""
CONNECTING = 5.0
"""Seconds for a TCP connection."""


FINEST = 1_000_000_000
"""Parts of a second to which a time that is a float is taken: 0.009 is 9 / 1000 again."""


class SourceError(ValueError):
    """There are no events to be had; the message names the source and the reason."""


@dataclass(kw_only=True)
class Source(ABC):
    """Events in time bins."""

    name: str
    patient: bool = False
    """Whether it can wait for the board: then no bin is dropped."""
    bytes_left: int = field(default=0, init=False)
    """Bytes that came and were no whole event."""

    @abstractmethod
    def bins(self, every: float | Fraction, stopping: threading.Event) -> Iterator[EventBin]:
        """Yield a bin for every ``every`` seconds, empty ones too, until the end, or until ``stopping`` is set."""

    @abstractmethod
    def close(self) -> None:
        """Give back what it holds."""


@dataclass(kw_only=True)
class FileSource(Source):
    """A recording at the speed that it was made at, or, where it is ``patient``, as fast as the board goes."""

    recording: Recording

    def close(self) -> None:
        """Nothing: the recording was read whole."""

    def bins(self, every: float | Fraction, stopping: threading.Event) -> Iterator[EventBin]:
        events = self.recording.events
        step = max(Fraction(every).limit_denominator(FINEST), Fraction(1, FINEST)) * 1_000_000
        edges = np.searchsorted(events["t"], step_edges(step, int(events["t"][-1] // step) + 1))
        begun = time.monotonic()
        for index, (first, last) in enumerate(pairwise(edges)):
            some = events[first:last]
            arrived = begun + float(some["t"][-1]) / 1e6 if len(some) else None
            if self.patient:
                arrived = time.monotonic() if len(some) else None
            elif stopping.wait(max(0.0, begun + (index + 1) * every - time.monotonic())):
                return
            yield EventBin(index=index, events=some, arrived=arrived)


@dataclass(kw_only=True)
class _Bytes(Source):
    """What comes as bytes: events are binned by the clock, as they come."""

    reader: PacketReader
    datagrams: bool = False
    """Whether what is read at once is a packet of its own, which begins with an event."""

    @abstractmethod
    def _read(self, timeout: float) -> bytes | None:
        """Return what has come, nothing after ``timeout`` seconds; None at the end."""

    def bins(self, every: float | Fraction, stopping: threading.Event) -> Iterator[EventBin]:
        end = time.monotonic() + every
        index, open_end = 0, True
        while open_end and not stopping.is_set():
            parts: list[np.ndarray] = []
            arrived = None
            while (left := end - time.monotonic()) > 0 and not stopping.is_set():
                content = self._read(min(left, 0.1))
                if content is None:
                    open_end = False
                    break
                events = self.reader.read(content)
                if self.datagrams and content:
                    self.bytes_left += self.reader.take_left()
                if len(events):
                    parts.append(events)
                    arrived = time.monotonic()
            if not open_end:
                self.bytes_left += self.reader.take_left()
                if not parts:
                    return
            yield EventBin(index=index, arrived=arrived, events=np.concatenate([np.zeros(0, EVENT), *parts]))
            index, end = index + 1, end + every


@dataclass(kw_only=True)
class UdpSource(_Bytes):
    """Packets that are sent to a port of this machine."""

    socket: socket.socket
    datagrams: bool = True

    def _read(self, timeout: float) -> bytes | None:
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv(LARGEST)
        except TimeoutError:
            return b""

    def close(self) -> None:
        self.socket.close()


@dataclass(kw_only=True)
class TcpSource(_Bytes):
    """A connection to a program that sends events, up to its end."""

    socket: socket.socket

    def _read(self, timeout: float) -> bytes | None:
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv(LARGEST) or None
        except TimeoutError:
            return b""
        except ConnectionError as error:
            raise SourceError(f"{self.name}: the connection broke off: {error.strerror or error}") from error

    def close(self) -> None:
        self.socket.close()


@dataclass(kw_only=True)
class StandardInput(_Bytes):
    """A pipe, up to its end."""

    file: Any

    def close(self) -> None:
        """Nothing: the pipe is the process's own."""

    def _read(self, timeout: float) -> bytes | None:
        if not select.select([self.file], [], [], timeout)[0]:
            return b""
        return os.read(self.file.fileno(), LARGEST) or None


def open_source(text: str, packets: str = "spif", *, fast: bool = False, read: Any = None) -> Source:
    """Return the source that ``text`` names: a file, udp://HOST:PORT, tcp://HOST:PORT or stdin.

    ``packets`` is the format of what is no file. A file is replayed at its own speed, or ``fast``, as fast as the
    board goes; ``read`` returns the recording in it. A SourceError names the source and what is wrong.
    """
    scheme = urlsplit(text).scheme
    if text == "stdin":
        reader = PacketReader(packets)
        return StandardInput(name="standard input", reader=reader, file=sys.stdin.buffer)
    if scheme not in ("udp", "tcp"):
        if "://" in text:
            raise SourceError(f"{text}: expected a file, udp://HOST:PORT, tcp://HOST:PORT or stdin")
        try:
            recording = read(Path(text))
        except OSError as error:
            raise SourceError(f"{text}: cannot be read: {error.strerror or error}") from error
        recording.verify()
        return FileSource(name=text, recording=recording, patient=fast)
    if fast:
        raise SourceError(f"{text}: only a file can go as fast as the board")
    host, port = _address(text)
    reader = PacketReader(packets)
    try:
        if scheme == "tcp":
            return TcpSource(name=text, reader=reader, socket=socket.create_connection((host, port), CONNECTING))
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        receiver = socket.socket(family, kind, protocol)
        try:
            receiver.bind(address)
        except OSError:
            receiver.close()
            raise
        return UdpSource(name=text, reader=reader, socket=receiver)
    except OSError as error:
        raise SourceError(f"{text}: {error.strerror or error}") from error


def _address(text: str) -> tuple[str, int]:
    parts = urlsplit(text)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or port is None or parts.path or parts.query:
        raise SourceError(f"{text}: expected a host and a port, as udp://127.0.0.1:3333")
    return host, port
