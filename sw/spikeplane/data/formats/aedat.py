"""Recordings of iniVation cameras, .aedat: version 2.0 of DVS128, version 3.1 of any."""

import re
from pathlib import Path

import numpy as np

from .events import Recording, RecordingError, agree_on_size, make_events
from .times import require_order, unwrap

__all__ = ["DVS128", "read_aedat"]

DVS128 = 128
"""Width and height of that camera."""
VERSION = re.compile(rb"#!AER-DAT(\d\.\d)\r?\n")
LINE = re.compile(rb"#[^\n]*\n")
END = re.compile(rb"#!END-HEADER\r?\n")
CHIP = re.compile(rb"# *AEChip: *([^\r\n]*)", re.IGNORECASE)
CHIPS_2_0 = (b"DVS128", b"Tmpdiff128")
"""What headers call a DVS128, and its forerunner with the same addresses."""
SOURCE = re.compile(rb"#Source \d+: *([^\r\n]*?) *\r?\n")
RAW = np.dtype([("address", ">u4"), ("t", ">u4")])
SYNC, ADDRESS_LIMIT = 0x8000, 0x10000
"""The bit of a DVS128's address that marks a pulse at its sync input, and what its addresses are below."""
PACKET = np.dtype([
    ("kind", "<u2"), ("source", "<u2"), ("size", "<u4"), ("time_offset", "<u4"),
    ("overflow", "<u4"), ("capacity", "<u4"), ("number", "<u4"), ("valid", "<u4"),
])
POLARITY = 1
"""The kind of packet that holds changes of brightness."""
TIME_3_1 = (1 << 31) - 1
"""The last time before a packet's count of overflows goes up."""
CHANGE = np.dtype([("data", "<u4"), ("t", "<u4")])


def read_aedat(
    path: Path, label: int | None = None, width: int | None = None, height: int | None = None
) -> Recording:
    """Return the recording in an .aedat file; events may be up to DISORDER out of time order.

    ``width`` and ``height`` are needed for version 3.1 of other cameras than a DVS128. A RecordingError names the
    file and the byte, packet, address or time that is wrong.
    """
    path = Path(path)
    raw = path.read_bytes()
    version = VERSION.match(raw)
    readers = {b"2.0": _read_2_0, b"3.1": _read_3_1}
    if version is None or version[1] not in readers:
        known = " or ".join(f"#!AER-DAT{name.decode()}" for name in readers)
        raise RecordingError(f"{path}: expected a file that begins with {known}, not {raw[:13]!r}")
    t, x, y, polarity, left_out = readers[version[1]](path, raw)
    if version[1] == b"2.0" or _source(raw) == b"DVS128":
        width, height = width or DVS128, height or DVS128
    size = agree_on_size(path, (width, height), (None, None))
    if not len(t):
        raise RecordingError(f"{path}: the recording has no events")
    require_order(str(path), t)
    events = make_events(str(path), t, x, y, polarity)
    return Recording(
        name=str(path), events=events, width=size[0], height=size[1], label=label,
        left_out={kind: count for kind, count in left_out.items() if count},
    )


def _read_2_0(path: Path, raw: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, int]]:
    """Return t, x, y, polarity of events of 8 bytes, big-endian: address, time in us; and what is left out.

    An address holds a polarity that is 0 for brighter, 7 bits from bit 1 on and 7 from bit 8 on;
    x and y are taken from them as SpikingJelly and Tonic do for CIFAR10-DVS.
    """
    start = 0
    while (line := LINE.match(raw, start)) is not None:
        start = line.end()
    chip = CHIP.search(raw, 0, start)
    if chip is not None and not any(name.lower() in chip[1].lower() for name in CHIPS_2_0):
        raise RecordingError(
            f"{path}: expected a DVS128's addresses, the header names a {chip[1].decode('ascii', 'replace')}; "
            f"export it as version 3.1 or .aedat4"
        )
    content = raw[start:]
    if len(content) % RAW.itemsize:
        raise RecordingError(
            f"{path}: cut: expected a multiple of {RAW.itemsize} bytes of events, found {len(content)}"
        )
    events = np.frombuffer(content, RAW)
    address = events["address"].astype(np.int64)
    foreign = np.flatnonzero(address >= ADDRESS_LIMIT)
    if len(foreign):
        raise RecordingError(
            f"{path}: event {foreign[0]} has address {address[foreign[0]]:#x}, a DVS128's are below "
            f"{ADDRESS_LIMIT:#x}: the file is damaged or of another camera; export that as version 3.1 or .aedat4"
        )
    pulses = address & SYNC != 0
    time, address = unwrap(events["t"], 32)[~pulses], address[~pulses]
    last = DVS128 - 1
    return (
        time, last - (address >> 8 & last), last - (address >> 1 & last), 1 - (address & 1),
        {"sync pulses": int(pulses.sum())},
    )


def _source(raw: bytes) -> bytes | None:
    """Return the camera that the header of version 3.1 names first."""
    end = END.search(raw)
    source = SOURCE.search(raw, 0, end.start()) if end else None
    return source[1] if source else None


def _read_3_1(path: Path, raw: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, int]]:
    """Return t, x, y, polarity of the valid events in packets, little-endian; and what is left out.

    An event is a word, from bit 0 on valid, polarity, 15 bits of y and 15 of x, and a time in us.
    """
    end = END.search(raw)
    if end is None:
        raise RecordingError(f"{path}: the header has no line #!END-HEADER")
    place = end.end()
    found: list[tuple[np.ndarray, np.ndarray]] = []
    invalid = 0
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
        valid = events["data"] & 1 == 1
        invalid += int(number - valid.sum())
        events = events[valid]
        if (events["t"] > TIME_3_1).any():
            raise RecordingError(
                f"{path}: the packet at byte {content - PACKET.itemsize} has a time of {events['t'].max()} us, "
                f"limit {TIME_3_1}"
            )
        found.append((events["t"].astype(np.int64) + (int(packet["overflow"]) << 31), events["data"]))
    if not found:
        raise RecordingError(f"{path}: no packet holds changes of brightness")
    time, data = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return time, data >> 17, data >> 2 & 0x7FFF, data >> 1 & 1, {"invalid events": invalid}
