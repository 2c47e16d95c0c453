"""Recordings of iniVation cameras, .aedat: version 2.0 of DVS128, version 3.1."""

import re
from pathlib import Path

import numpy as np

from .events import Recording, RecordingError, make_events

__all__ = ["DVS128", "read_aedat"]

DVS128 = 128
"""Width and height of that camera."""
VERSION = re.compile(rb"#!AER-DAT(\d\.\d)\r?\n")
LINE = re.compile(rb"#[^\n]*\n")
END = re.compile(rb"#!END-HEADER\r?\n")
RAW = np.dtype([("address", ">u4"), ("t", ">u4")])
PACKET = np.dtype([
    ("kind", "<u2"), ("source", "<u2"), ("size", "<u4"), ("time_offset", "<u4"),
    ("overflow", "<u4"), ("capacity", "<u4"), ("number", "<u4"), ("valid", "<u4"),
])
POLARITY = 1
"""The kind of packet that holds changes of brightness."""
CHANGE = np.dtype([("data", "<u4"), ("t", "<u4")])


def read_aedat(
    path: Path, label: int | None = None, width: int = DVS128, height: int = DVS128
) -> Recording:
    """Return the recording in an .aedat file; events may be out of time order."""
    path = Path(path)
    raw = path.read_bytes()
    version = VERSION.match(raw)
    readers = {b"2.0": _read_2_0, b"3.1": _read_3_1}
    if version is None or version[1] not in readers:
        known = " or ".join(f"#!AER-DAT{name.decode()}" for name in readers)
        raise RecordingError(f"{path}: expected a file that begins with {known}, not {raw[:13]!r}")
    t, x, y, polarity = readers[version[1]](path, raw)
    if not len(t):
        raise RecordingError(f"{path}: the recording has no events")
    events = make_events(str(path), t, x, y, polarity)
    return Recording(name=str(path), events=events, width=width, height=height, label=label)


def _read_2_0(path: Path, raw: bytes) -> tuple[np.ndarray, ...]:
    """Return t, x, y, polarity of events of 8 bytes, big-endian: address, time in us.

    An address holds a polarity that is 0 for brighter, 7 bits from bit 1 on and 7 from bit 8 on;
    x and y are taken from them as SpikingJelly and Tonic do for CIFAR10-DVS.
    """
    start = 0
    while (line := LINE.match(raw, start)) is not None:
        start = line.end()
    if b"davis" in raw[:start].lower():
        raise RecordingError(f"{path}: expected a DVS128's addresses, the header names a DAVIS")
    content = raw[start:]
    if len(content) % RAW.itemsize:
        raise RecordingError(
            f"{path}: expected a multiple of {RAW.itemsize} bytes of events, found {len(content)}"
        )
    events = np.frombuffer(content, RAW)
    address = events["address"].astype(np.int64)
    last = DVS128 - 1
    return events["t"], last - (address >> 8 & last), last - (address >> 1 & last), 1 - (address & 1)


def _read_3_1(path: Path, raw: bytes) -> tuple[np.ndarray, ...]:
    """Return t, x, y, polarity of the valid events in packets, little-endian.

    An event is a word, from bit 0 on valid, polarity, 15 bits of y and 15 of x, and a time in us.
    """
    end = END.search(raw)
    if end is None:
        raise RecordingError(f"{path}: the header has no line #!END-HEADER")
    place = end.end()
    found: list[tuple[np.ndarray, np.ndarray]] = []
    while place < len(raw):
        if len(raw) - place < PACKET.itemsize:
            raise RecordingError(f"{path}: cut within the header of the packet at byte {place}")
        packet = np.frombuffer(raw, PACKET, 1, place)[0]
        content = place + PACKET.itemsize
        size, number, capacity = (int(packet[name]) for name in ("size", "number", "capacity"))
        place = content + capacity * size
        if place > len(raw) or number > capacity:
            raise RecordingError(
                f"{path}: the packet at byte {content - PACKET.itemsize} claims {number} of "
                f"{capacity} events of {size} bytes, the file has {len(raw) - content} bytes left"
            )
        if packet["kind"] != POLARITY:
            continue
        if size != CHANGE.itemsize:
            raise RecordingError(
                f"{path}: expected events of {CHANGE.itemsize} bytes, found {size} in the packet "
                f"at byte {content - PACKET.itemsize}"
            )
        events = np.frombuffer(raw, CHANGE, number, content)
        events = events[events["data"] & 1 == 1]
        found.append((events["t"].astype(np.int64) + (int(packet["overflow"]) << 31), events["data"]))
    if not found:
        raise RecordingError(f"{path}: no packet holds changes of brightness")
    time, data = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return time, data >> 17, data >> 2 & 0x7FFF, data >> 1 & 1
