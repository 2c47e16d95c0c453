"""What cameras' programs send over sockets and pipes: bytes become events.

``spif``: words of 32 bits, least byte first, as AEStream sends them to SPIF boards: x << 16 | polarity << 15 | y, where
bit 31 says that no time follows as another word. ``t64_x16_y16_on8`` and ``t32_x16_y15_on1`` are those of faery: the
time, x, y and polarity, of 64, 16, 16 and 8 bits, or of 32, 16, 15 and 1.
"""

from collections.abc import Callable

import numpy as np

from ..data.formats.events import EVENT

__all__ = ["PACKETS", "PacketReader"]

NO_TIME = 1 << 31
COORDINATE = 0x7FFF
"""Bits of x and y in a word of SPIF."""
FAERY_64 = np.dtype([("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("on", "u1")])
FAERY_32 = np.dtype([("t", "<u4"), ("x", "<u2"), ("y_on", "<u2")])


class PacketReader:
    """Turns bytes into events, whatever pieces they come in; times are not kept: what is live is binned as it comes."""

    def __init__(self, name: str):
        if name not in PACKETS:
            raise ValueError(f"packets {name!r}, must be one of {', '.join(PACKETS)}")
        self._split = PACKETS[name]
        self._left = b""

    def read(self, content: bytes) -> np.ndarray:
        """Return the events, EVENT, that are whole by now; the rest of ``content`` is kept for the next call."""
        self._left += content
        events, used = self._split(self._left)
        self._left = self._left[used:]
        return events

    def take_left(self) -> int:
        """Return how many bytes are left that are no whole event, and forget them: at the end of a packet or stream."""
        left, self._left = len(self._left), b""
        return left


def _events(x: np.ndarray, y: np.ndarray, polarity: np.ndarray) -> np.ndarray:
    events = np.zeros(len(x), EVENT)
    events["x"], events["y"], events["polarity"] = x, y, polarity
    return events


def _spif(content: bytes) -> tuple[np.ndarray, int]:
    words = np.frombuffer(content[: len(content) // 4 * 4], "<u4")
    untimed = (words & NO_TIME) != 0
    if untimed.all():  # As AEStream sends them by default.
        chosen, used = words, len(words)
    elif not untimed[::2].any():  # All with times.
        chosen, used = words[: len(words) // 2 * 2 : 2], len(words) // 2 * 2
    else:
        places, at = [], 0
        while at < len(words):
            last = at + (0 if untimed[at] else 1)
            if last >= len(words):
                break
            places.append(at)
            at = last + 1
        chosen, used = words[places], at
    return _events(chosen >> 16 & COORDINATE, chosen & COORDINATE, chosen >> 15 & 1), 4 * used


def _records(kind: np.dtype, content: bytes) -> tuple[np.ndarray, int]:
    used = len(content) // kind.itemsize * kind.itemsize
    return np.frombuffer(content[:used], kind), used


def _faery_64(content: bytes) -> tuple[np.ndarray, int]:
    records, used = _records(FAERY_64, content)
    return _events(records["x"], records["y"], records["on"] != 0), used


def _faery_32(content: bytes) -> tuple[np.ndarray, int]:
    records, used = _records(FAERY_32, content)
    return _events(records["x"], records["y_on"] >> 1, records["y_on"] & 1), used


PACKETS: dict[str, Callable[[bytes], tuple[np.ndarray, int]]] = {
    "spif": _spif, "t64_x16_y16_on8": _faery_64, "t32_x16_y15_on1": _faery_32,
}
"""What splits bytes into events and says how many bytes those were, by the format's name."""
