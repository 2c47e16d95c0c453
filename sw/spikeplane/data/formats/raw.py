"""Recordings of Prophesee cameras, .raw: EVT2, EVT2.1 and EVT3.

Faery (0.7) takes a file that names no size for 1280 x 720, knows EVT2.1 in neither byte order, holds EVT3's times
where they step back, and reads a cut file in silence.
"""

import re
from pathlib import Path

import numpy as np

from .events import Recording, RecordingError, agree_on_size, from_zero, make_events
from .evt import EVT2, EVT2_1, EVT3, TIME_HIGH, EventWords
from .times import require_order

__all__ = ["read_raw"]

LINE = re.compile(rb"% ?([A-Za-z][^\n\x00-\x08\x0e-\x1f]*)?\n")
"""A line of the header; the binary words that follow are seldom one."""
END = b"end"
VERSIONS = {
    "2": EVT2, "2.0": EVT2, "21": EVT2_1, "2.1": EVT2_1, "3": EVT3, "3.0": EVT3,
}
"""What lines of `evt` and, behind EVT, of `format` call the versions."""
ORDERS = ("little", "legacy")
"""Of an EVT2.1 word's bytes; legacy: its upper 32 bits come first."""
KINDS_2_1 = (0x0, 0x1, TIME_HIGH, 0xA, 0xE, 0xF)


def read_raw(
    path: Path, label: int | None = None, width: int | None = None, height: int | None = None
) -> Recording:
    """Return the recording in a .raw file, with times since its first event.

    ``width`` and ``height`` are needed if the header names none, as of cameras before Metavision 4, and must be the
    header's if it does. A RecordingError names the file, and what is missing, unknown, cut or out of the frame.
    """
    raw = Path(path).read_bytes()
    fields, start = _header(raw)
    version, options = _version(path, fields)
    size = agree_on_size(path, (width, height), _named_size(path, fields, options))
    content = raw[start:]
    changes = version.decode(_words(path, version, content, options))
    if not len(changes.t):
        raise RecordingError(f"{path}: the recording has no events")
    require_order(str(path), changes.t)
    recording = from_zero(Recording(
        name=str(path), width=size[0], height=size[1], label=label, left_out=changes.left_out,
        events=make_events(str(path), changes.t, changes.x, changes.y, changes.polarity),
    ))
    recording.verify()
    return recording


def _header(raw: bytes) -> tuple[dict[str, str], int]:
    """Return the values of the header's lines by their first words, and where the events start."""
    fields: dict[str, str] = {}
    start = 0
    while (line := LINE.match(raw, start)) is not None:
        start = line.end()
        text = (line[1] or b"").strip()
        if text == END:
            break
        key, _, value = text.decode("utf-8", "replace").partition(" ")
        fields[key] = value.strip()
    return fields, start


def _version(path: Path, fields: dict[str, str]) -> tuple[EventWords, dict[str, str]]:
    """Return the version of the words, and the options of the line `format`."""
    name, *parts = fields.get("format", "").split(";")
    options = dict(part.split("=", 1) for part in parts if "=" in part)
    known = name.upper().removeprefix("EVT") if name else fields.get("evt", "")
    if known not in VERSIONS:
        raise RecordingError(
            f"{path}: expected lines of % with a line `evt` of 2.0, 2.1 or 3.0, or a format EVT2, EVT21 or EVT3, "
            f"found {name or known or 'none'}"
        )
    return VERSIONS[known], options


def _named_size(path: Path, fields: dict[str, str], options: dict[str, str]) -> tuple[int | None, int | None]:
    """Return width and height as the header names them, None where it does not."""
    found: list[tuple[str, str]] = []
    if "geometry" in fields:
        width, _, height = fields["geometry"].partition("x")
        found.append((width, height))
    if "width" in options or "height" in options:
        found.append((options.get("width", ""), options.get("height", "")))
    if not all(value.isascii() and value.isdecimal() and len(value) <= 5 for size in found for value in size):
        raise RecordingError(f"{path}: the header's size is damaged: {found}")
    sizes = {(int(width), int(height)) for width, height in found}
    if len(sizes) > 1:
        raise RecordingError(f"{path}: the header names two sizes, {' and '.join(f'{w}x{h}' for w, h in sizes)}")
    return sizes.pop() if sizes else (None, None)


def _words(path: Path, version: EventWords, content: bytes, options: dict[str, str]) -> np.ndarray:
    kind = np.dtype(version.word)
    if len(content) % kind.itemsize:
        raise RecordingError(
            f"{path}: cut: expected a multiple of {kind.itemsize} bytes of events, found {len(content)}"
        )
    words = np.frombuffer(content, kind)
    return _in_order(path, words, options) if version is EVT2_1 else words


def _in_order(path: Path, words: np.ndarray, options: dict[str, str]) -> np.ndarray:
    """Return the words of EVT2.1 with their upper 32 bits where they belong."""
    orders: dict[str, np.ndarray] = dict(
        zip(ORDERS, (words, words >> np.uint64(32) | words << np.uint64(32)), strict=True)
    )
    named = options.get("endianness")
    if named is not None and named not in ORDERS:
        raise RecordingError(f"{path}: endianness {named!r}, must be one of {', '.join(ORDERS)}")
    # Files before Metavision 4 name none. In the wrong order, masks of pixels are taken for types.
    possible = [named] if named else [name for name, order in orders.items() if _plausible(order)]
    if len(possible) != 1:
        raise RecordingError(
            f"{path}: the header names no endianness and the words fit {' and '.join(possible) or 'neither'}; "
            f"add it as in `% format EVT21;endianness=legacy`"
        )
    return orders[possible[0]]


def _plausible(words: np.ndarray) -> bool:
    kinds = words >> np.uint64(60)
    return bool((kinds == TIME_HIGH).any() and np.isin(kinds, KINDS_2_1).all())
