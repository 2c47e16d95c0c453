"""Recordings of iniVation's DV, .aedat4: packets of FlatBuffers, each compressed by itself.

Faery (0.7) gives the same events, but refuses whole files with a stream that is no events, frames, inertial data or
triggers (dv-processing writes boxes and poses too), with an empty packet, or with a setting of another type than
integer and text; and it takes up to 4 GiB of memory where a damaged packet claims that size.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from .events import Recording, RecordingError, from_zero, make_events
from .files import import_extra

__all__ = ["read_aedat4"]

MAGIC = b"#!AER-DAT4.0\r\n"
PACKET = struct.Struct("<iI")
"""Number of the stream, bytes that follow."""
EVENT_STREAM = "EVTS"
EVENT_RAW = np.dtype({
    "names": ["t", "x", "y", "polarity"], "formats": ["<i8", "<i2", "<i2", "u1"],
    "offsets": [0, 8, 10, 12], "itemsize": 16,
})
COMPRESSION, TABLE_POSITION, INFORMATION = range(3)
"""Fields of the file's header."""
ELEMENTS = 0
"""The field of a packet that holds its events."""


class _Table:
    """The root table of a size-prefixed FlatBuffer; what lies outside is a struct.error."""

    def __init__(self, content: bytes):
        self.content = content
        self.place = 4 + self._read("<I", 4)

    def _read(self, kind: str, place: int) -> int:
        if place < 0:
            raise struct.error(f"offset {place} is below 0")
        return struct.unpack_from(kind, self.content, place)[0]

    def _locate(self, field: int) -> int | None:
        """Return where a field lies, or None where the table has its default."""
        fields = self.place - self._read("<i", self.place)
        entry = 4 + 2 * field
        offset = self._read("<H", fields + entry) if entry < self._read("<H", fields) else 0
        return self.place + offset if offset else None

    def integer(self, field: int, kind: str) -> int:
        place = self._locate(field)
        return 0 if place is None else self._read(kind, place)

    def vector(self, field: int, size: int) -> bytes:
        """Return the elements, of ``size`` bytes, of a vector."""
        place = self._locate(field)
        if place is None:
            return b""
        start = place + self._read("<I", place)
        end = start + 4 + self._read("<I", start) * size
        if end > len(self.content):
            raise struct.error(f"a vector ends at byte {end} of {len(self.content)}")
        return self.content[start + 4 : end]


def _lz4() -> Callable[[bytes], bytes]:
    return import_extra("lz4.frame").decompress


def _zstd() -> Callable[[bytes], bytes]:
    zstandard = import_extra("zstandard")
    return lambda content: zstandard.ZstdDecompressor().decompressobj().decompress(content)


COMPRESSIONS = [lambda: bytes, _lz4, _lz4, _zstd, _zstd]
"""None, LZ4, LZ4 of high compression, Zstandard, Zstandard of high compression."""


def read_aedat4(
    path: Path, label: int | None = None, width: int | None = None, height: int | None = None
) -> Recording:
    """Return the first stream of events in an .aedat4 file, with times since its first event.

    The file names width and height; ``width`` and ``height`` must be these if they are given.
    """
    raw = Path(path).read_bytes()
    if not raw.startswith(MAGIC):
        raise RecordingError(f"{path}: expected a file that begins with {MAGIC!r}, not {raw[:14]!r}")
    try:
        place = len(MAGIC) + 4 + struct.unpack_from("<I", raw, len(MAGIC))[0]
        header = _Table(raw[len(MAGIC) : place])
        compression = header.integer(COMPRESSION, "<i")
        end = header.integer(TABLE_POSITION, "<q")
        stream, size = _event_stream(header.vector(INFORMATION, 1))
    except (struct.error, ElementTree.ParseError, ValueError) as error:
        raise RecordingError(f"{path}: the header is damaged: {error}") from error
    if not 0 <= compression < len(COMPRESSIONS):
        raise RecordingError(
            f"{path}: compression {compression}, limit {len(COMPRESSIONS) - 1}"
        )
    for name, given, found in zip(("width", "height"), (width, height), size, strict=True):
        if given and given != found:
            raise RecordingError(f"{path}: the file's {name} is {found}, not {given}")
    # The table of packets behind the last one only repeats where they are. A recording that was
    # cut off has none, and a position of -1.
    packets = raw[place:] if end < 0 else raw[place:end]
    arrays = list(_packets(path, packets, stream, COMPRESSIONS[compression]()))
    events = np.concatenate(arrays) if arrays else np.zeros(0, EVENT_RAW)
    if not len(events):
        raise RecordingError(f"{path}: the recording has no events")
    recording = from_zero(Recording(
        name=str(path), width=size[0], height=size[1], label=label,
        events=make_events(str(path), *(events[name] for name in EVENT_RAW.names or ())),
    ))
    recording.verify()
    return recording


def _event_stream(text: bytes) -> tuple[int, tuple[int, int]]:
    """Return the number and the (width, height) of the first stream of events."""
    for node in ElementTree.fromstring(text.rstrip(b"\0")).iter("node"):
        values = {item.get("key"): item.text or "" for item in node.findall("attr")}
        if values.get("typeIdentifier") != EVENT_STREAM:
            continue
        for part in node.findall("node"):
            values |= {item.get("key"): item.text or "" for item in part.findall("attr")}
        width, height = (int(values.get(name, 0)) for name in ("sizeX", "sizeY"))
        if min(width, height) < 1:
            raise ValueError(f"the stream of events has {width} x {height} pixels")
        return int(node.get("name", "")), (width, height)
    raise ValueError(f"no stream is of type {EVENT_STREAM}")


def _packets(path: Path, raw: bytes, stream: int, decompress: Callable[[bytes], bytes]):
    place = 0
    while place < len(raw):
        if len(raw) - place < PACKET.size:
            raise RecordingError(f"{path}: cut within the header of a packet")
        number, size = PACKET.unpack_from(raw, place)
        content = raw[place + PACKET.size : place + PACKET.size + size]
        if len(content) < size:
            raise RecordingError(f"{path}: a packet of {size} bytes is cut to {len(content)}")
        place += PACKET.size + size
        if number != stream:
            continue
        try:
            elements = _Table(decompress(content)).vector(ELEMENTS, EVENT_RAW.itemsize)
        except Exception as error:  # Whatever the decompressor stumbles over as well.
            raise RecordingError(f"{path}: a packet is damaged: {error}") from error
        yield np.frombuffer(elements, EVENT_RAW)
