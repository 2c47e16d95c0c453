"""Recordings in the bytes of their file formats, written from the formats' descriptions."""

import struct

import numpy as np
from spikeplane.data.formats.events import EVENT

AEDAT_2_0 = b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n"
AEDAT_3_1 = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"
AEDAT_4_0 = b"#!AER-DAT4.0\r\n"
XML = """<dv version="2.0"><node name="outInfo" path="/mainloop/Recorder/outInfo/">
<node name="0"><attr key="typeIdentifier" type="string">{other}</attr><node name="info"></node></node>
<node name="1"><attr key="typeIdentifier" type="string">{kind}</attr><node name="info">
<attr key="sizeX" type="int">{width}</attr><attr key="sizeY" type="int">{height}</attr>
</node></node></node></dv>"""


def random_events(count: int, width: int, height: int, seed: int = 0) -> np.ndarray:
    """Return events in time order, the first at 0."""
    random = np.random.RandomState(seed)
    events = np.empty(count, EVENT)
    events["t"] = np.cumsum(random.randint(0, 1000, count))
    events["t"] -= events["t"][0]
    for field, limit in (("x", width), ("y", height), ("polarity", 2)):
        events[field] = random.randint(0, limit, count)
    return events


def aedat_2_0(events: np.ndarray, start: int = 0) -> bytes:
    words = [
        ((127 - x) << 8 | (127 - y) << 1 | (1 - polarity), t + start)
        for t, x, y, polarity in events.tolist()
    ]
    return AEDAT_2_0 + np.array(words, ">u4").tobytes()


def packet(kind: int, number: int, content: bytes, overflow: int = 0, capacity: int | None = None) -> bytes:
    capacity = number if capacity is None else capacity
    size = len(content) // max(1, number)
    return struct.pack("<HHIIIIII", kind, 1, size, 4, overflow, capacity, number, number) + content


def aedat_3_1(events: np.ndarray, of_packet: int = 100, start: int = 0, overflow: int = 0) -> bytes:
    content = [packet(0, 1, bytes(range(8)))]
    for first in range(0, len(events), of_packet):
        words = [
            (x << 17 | y << 2 | polarity << 1 | 1, t + start)
            for t, x, y, polarity in events[first : first + of_packet].tolist()
        ]
        words.insert(1, (0xABCD_EF00, 0))  # Not valid.
        content.append(packet(1, len(words), np.array(words, "<u4").tobytes(), overflow))
    return AEDAT_3_1 + b"".join(content)


def table(identifier: bytes, *fields: bytes | int | None) -> bytes:
    """Return a FlatBuffer with a root table: a vector's bytes with its count, an integer or none."""
    entries, inline, vectors = [], b"", b""
    inline_size = 4 + 8 * len(fields)
    for field in fields:
        if field is None:
            entries.append(0)
            continue
        entries.append(4 + len(inline))
        if isinstance(field, int):
            inline += struct.pack("<q", field)
        else:
            inline += struct.pack("<II", inline_size - 4 - len(inline) + len(vectors), 0)
            vectors += field
    inline = inline.ljust(inline_size - 4, b"\0")
    fields_table = struct.pack(f"<{2 + len(entries)}H", 4 + 2 * len(entries), inline_size, *entries)
    fields_table = fields_table.ljust(-(-len(fields_table) // 4) * 4, b"\0")
    root = 4 + len(identifier) + len(fields_table)
    body = struct.pack("<I", root) + identifier + fields_table
    body += struct.pack("<i", len(fields_table)) + inline + vectors
    return struct.pack("<I", len(body)) + body


def aedat_4_0(events: np.ndarray, width: int, height: int, compression: int = 0,
              compress=bytes, kind: str = "EVTS", other: str = "IMUS", of_packet: int = 100) -> bytes:
    text = XML.format(width=width, height=height, kind=kind, other=other).encode()
    header = table(b"IOHE", compression, -1, struct.pack("<I", len(text)) + text)
    first = compress(table(other.encode(), struct.pack("<I", 0)))
    content = [struct.pack("<ii", 0, len(first)) + first]
    for first in range(0, len(events), of_packet):
        part = events[first : first + of_packet]
        elements = b"".join(
            struct.pack("<qhhBxxx", t + 10**15, x, y, polarity)
            for t, x, y, polarity in part.tolist()
        )
        packed = compress(table(b"EVTS", struct.pack("<I", len(part)) + elements))
        content.append(struct.pack("<ii", 1, len(packed)) + packed)
    return AEDAT_4_0 + header + b"".join(content)


def dat(events: np.ndarray) -> bytes:
    words = [(t, x | y << 14 | polarity << 28) for t, x, y, polarity in events.tolist()]
    return b"% Data file\n% Version 2\n\x00\x08" + np.array(words, "<u4").tobytes()


def evt_header(version: str, width: int, height: int, *options: str) -> bytes:
    """Return the lines of a .raw file; ``version`` as its format calls it, EVT2, EVT21 or EVT3."""
    parts = ";".join([version, f"height={height}", f"width={width}", *options])
    return f"% camera_integrator_name Prophesee\n% format {parts}\n% geometry {width}x{height}\n% end\n".encode()


def evt_2(events: np.ndarray, width: int, height: int, start: int = 0) -> bytes:
    words, high = [], -1
    for t, x, y, polarity in events.tolist():
        t += start
        if t >> 6 != high:
            high = t >> 6
            words.append(0x8 << 28 | high & 0xFFFFFFF)
        words.append(polarity << 28 | (t & 0x3F) << 22 | x << 11 | y)
    return evt_header("EVT2", width, height) + np.array(words, "<u4").tobytes()


def evt_2_1(events: np.ndarray, width: int, height: int, order: str = "little", start: int = 0) -> bytes:
    """Each event is a bit of the vector of 32 pixels that it lies in."""
    words, high = [], -1
    for t, x, y, polarity in events.tolist():
        t += start
        if t >> 6 != high:
            high = t >> 6
            words.append(0x8 << 60 | (high & 0xFFFFFFF) << 32)
        words.append((polarity << 28 | (t & 0x3F) << 22 | (x & ~31) << 11 | y) << 32 | 1 << (x & 31))
    content = np.array(words, "<u8").view("<u4").reshape(-1, 2)
    content = content[:, ::-1] if order == "legacy" else content
    return evt_header("EVT21", width, height, f"endianness={order}") + content.tobytes()


def evt_3(events: np.ndarray, width: int, height: int, start: int = 0) -> bytes:
    """Every other event is a bit of a vector."""
    words, high = [], -1
    for index, (t, x, y, polarity) in enumerate(events.tolist()):
        t += start
        for upper in range(high + 1 if high >= 0 else t >> 12, (t >> 12) + 1):
            high = upper
            words.append(0x8000 | upper & 0xFFF)
        words += [0x6000 | t & 0xFFF, y]
        if index % 2:
            words.append(0x2000 | polarity << 11 | x)
        else:  # A vector of 12 without an event goes before, where there is place.
            base = x - x % 8
            skipped = base >= 12
            words.append(0x3000 | polarity << 11 | base - 12 * skipped)
            words += [0x4000] * skipped + [0x5000 | 1 << x % 8]
    return evt_header("EVT3", width, height) + np.array(words, "<u2").tobytes()


def event_stream(events: np.ndarray, width: int, height: int, kind: str = "dvs") -> bytes:
    """Return an .es file of a DVS or an ATIS, whose rows count from the bottom."""
    shift, most, overflow = (1, 127, 0xFF) if kind == "dvs" else (2, 63, 0xFD)
    content, last = b"Event Stream\x02\x00\x00" + (b"\x01" if kind == "dvs" else b"\x02"), 0
    content += struct.pack("<HH", width, height)
    for t, x, y, polarity in events.tolist():
        passed, rest = divmod(t - last, most)
        last = t
        content += bytes([overflow]) * passed
        content += struct.pack("<BHH", rest << shift | polarity << shift - 1, x, height - 1 - y)
    return content


def nmnist_bin(events: np.ndarray) -> bytes:
    return b"".join(
        bytes([x, y]) + (polarity << 23 | t).to_bytes(3, "big")
        for t, x, y, polarity in events.tolist()
    )
