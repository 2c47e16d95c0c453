"""Recordings of iniVation's DV, .aedat4: packets of FlatBuffers, each compressed by itself.

Faery (0.7) gives the same events, but refuses whole files with a stream that is no events, frames, inertial data or
triggers (dv-processing writes boxes and poses too), with an empty packet, or with a setting of another type than
integer and text; and it takes up to 4 GiB of memory where a damaged packet claims that size.
"""

import struct
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from .events import Recording, RecordingError, RecordingWarning, agree_on_size, from_zero, make_events
from .files import import_extra
from .times import require_order

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


PART = 1 << 20
"""Bytes that are decompressed at once: libraries take as much memory as they are asked for."""
PACKET_LIMIT = 1 << 28
"""Bytes of a packet: dv-processing writes some ten thousand events into one; a damaged one claims any size."""


def _lz4() -> Callable[[bytes], bytes]:
    frame = import_extra("lz4.frame")

    def decompress(content: bytes) -> bytes:
        decompressor = frame.LZ4FrameDecompressor()

        def parts() -> Iterator[bytes]:
            yield decompressor.decompress(content, max_length=PART)
            while not decompressor.eof and not decompressor.needs_input:
                yield decompressor.decompress(b"", max_length=PART)

        found = _join(parts())
        if not decompressor.eof:
            raise ValueError("its compressed bytes end early")
        return found
    return decompress


def _zstd() -> Callable[[bytes], bytes]:
    zstandard = import_extra("zstandard")

    def decompress(content: bytes) -> bytes:
        reader = zstandard.ZstdDecompressor().stream_reader(content)
        return _join(iter(lambda: reader.read(PART), b""))
    return decompress


def _join(parts: Iterator[bytes]) -> bytes:
    found = bytearray()
    for part in parts:
        found += part
        if len(found) > PACKET_LIMIT:
            raise ValueError(f"its compressed bytes make more than {PACKET_LIMIT} bytes")
    return bytes(found)


COMPRESSIONS = [lambda: bytes, _lz4, _lz4, _zstd, _zstd]
"""None, LZ4, LZ4 of high compression, Zstandard, Zstandard of high compression."""


def read_aedat4(
    path: Path, label: int | None = None, width: int | None = None, height: int | None = None
) -> Recording:
    """Return the first stream of events in an .aedat4 file, with times since its first event.

    The file names width and height; ``width`` and ``height`` must be these if they are given. A file whose writer
    ended before it closed it, as in a crash, gives the packets that are whole, and a RecordingWarning. A
    RecordingError names the file and what is cut, damaged or out of the frame.
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
    agree_on_size(path, (width, height), size)
    # The table of packets behind the last one only repeats where they are. A recording that was
    # cut off has none, and a position of -1.
    closed = end >= 0
    if closed and not place <= end <= len(raw):
        raise RecordingError(f"{path}: cut: its packets end at byte {end}, the file has {len(raw)}")
    packets = raw[place:end] if closed else raw[place:]
    arrays = list(_packets(path, packets, stream, COMPRESSIONS[compression](), closed))
    events = np.concatenate(arrays) if arrays else np.zeros(0, EVENT_RAW)
    if not len(events):
        raise RecordingError(f"{path}: the recording has no events")
    require_order(str(path), events["t"])
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


def _packets(path: Path, raw: bytes, stream: int, decompress: Callable[[bytes], bytes], closed: bool):
    """Yield the events of ``stream`` in each packet; the last one may be cut if the file is not ``closed``."""
    place = 0
    while place < len(raw):
        size = PACKET.size
        number = None
        if len(raw) - place >= PACKET.size:
            number, content_size = PACKET.unpack_from(raw, place)
            size += content_size
        if len(raw) - place < size:
            message = f"{path}: a packet of {size} bytes is cut to {len(raw) - place}"
            if closed:
                raise RecordingError(message)
            warnings.warn(
                f"{message}: its writer ended before it closed the file; the packets before are used",
                RecordingWarning, stacklevel=2,
            )
            return
        content = raw[place + PACKET.size : place + size]
        place += size
        if number != stream:
            continue
        try:
            elements = _Table(decompress(content)).vector(ELEMENTS, EVENT_RAW.itemsize)
        except Exception as error:  # Whatever the decompressor stumbles over as well.
            raise RecordingError(f"{path}: a packet is damaged: {error}") from error
        yield np.frombuffer(elements, EVENT_RAW)
