"""Recordings of Prophesee cameras, version 2 of .dat: the files of N-CARS."""

import re
from pathlib import Path

import numpy as np

from .events import Recording, RecordingError, make_events
from .times import unwrap

__all__ = ["read_dat"]

RAW = np.dtype([("t", "<u4"), ("data", "<u4")])
CHANGE = (0x00, 0x0C)
"""Types of event that are a change of brightness: of 2D cameras and of contrast detectors."""
COORDINATE = (1 << 14) - 1
LINE = re.compile(rb"%[^\n]*\n")
SIZE = re.compile(rb"%\s*(width|height)\s+(\d{1,5})\s*$", re.IGNORECASE | re.MULTILINE)


def read_dat(
    path: Path, label: int | None = None, width: int | None = None, height: int | None = None
) -> Recording:
    """Return the recording in a .dat file; ``width`` and ``height`` are needed if it has none.

    After lines of text that begin with %, two bytes tell the type and the size of an event, which
    is 8 bytes: time in us, then from bit 0 on 14 bits of x, 14 of y and 4 of polarity. A RecordingError names the
    file and what is cut, of another type, or out of the frame or time order.
    """
    raw = Path(path).read_bytes()
    start = 0
    while (line := LINE.match(raw, start)) is not None:
        start = line.end()
    header, (kind, size) = raw[:start], raw[start : start + 2].ljust(2, b"\xff")
    if not start or kind not in CHANGE or size != RAW.itemsize:
        raise RecordingError(
            f"{path}: expected lines of % and events of type {' or '.join(map(str, CHANGE))} of "
            f"{RAW.itemsize} bytes, found {start} bytes of text, type {kind}, {size} bytes"
        )
    content = raw[start + 2 :]
    if not content or len(content) % size:
        raise RecordingError(
            f"{path}: cut: expected a positive multiple of {size} bytes of events, found {len(content)}"
        )
    found = {name.lower(): int(value) for name, value in SIZE.findall(header)}
    width = found.get(b"width") if width is None else width
    height = found.get(b"height") if height is None else height
    if width is None or height is None:
        raise RecordingError(f"{path}: the header names no width and height; give them")
    array = np.frombuffer(content, RAW)
    data = array["data"]
    events = make_events(
        str(path), unwrap(array["t"], 32), data & COORDINATE, data >> 14 & COORDINATE, data >> 28
    )
    recording = Recording(name=str(path), events=events, width=width, height=height, label=label)
    recording.verify()
    return recording
