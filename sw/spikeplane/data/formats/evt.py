"""Prophesee's words of events: EVT2, EVT2.1 and EVT3.

Times and addresses are words of their own, which hold for all events until the next one. They are spread over the
events by counting the words that set them. Words of other types, as triggers, are counted and left out.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .times import unwrap

__all__ = ["EVT2", "EVT2_1", "EVT3", "TIME_HIGH", "Changes", "EventWords"]

TIME_HIGH = 8
"""The type of word that sets a time's upper bits, in all three versions."""
NEVER = "events before the first time or address"
PART = 1 << 20
"""Words that are decoded at once: what that takes is many times their size."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Changes:
    """Changes of brightness in the order of the file, arrays (events,)."""

    t: np.ndarray
    """int64, in us, without wraps."""
    x: np.ndarray
    """int32: damaged words may leave any frame."""
    y: np.ndarray
    """uint16."""
    polarity: np.ndarray
    """uint8."""
    left_out: dict[str, int]
    """How many words are no such change, by what they are."""


class _Held:
    """A value that words set, from each such word on, over all parts of the words."""

    def __init__(self):
        self.value = 0
        self.valid = False

    def spread(self, setting: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which value holds at each word, int64 (words,), and whether one does, bool (words,).

        ``setting``, bool (words,), marks the words that set ``values``, in their order.
        """
        count = np.cumsum(setting, dtype=np.int32)
        held, valid = np.append(np.int64(self.value), values)[count], (count > 0) | self.valid
        self.value, self.valid = int(held[-1]), bool(valid[-1])
        return held, valid


Part = tuple[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], int]
"""(t, x, y, polarity), and how many events have no time or address yet."""
State = defaultdict[str, _Held]


@dataclass(frozen=True, kw_only=True)
class EventWords:
    """A version of the format."""

    word: str
    """The type of a word, as NumPy names it."""
    high_at: int
    """The lowest bit of a time's upper part."""
    high_width: int
    known: tuple[int, ...]
    """Types of words that are decoded."""
    decode_part: Callable[[np.ndarray, np.ndarray, np.ndarray, State], Part]
    """Of words, their types, unwrapped upper times in it, and what holds from part to part."""

    def decode(self, words: np.ndarray) -> Changes:
        """Return the changes that ``words`` (count,) of this version hold."""
        kind = words.dtype.type
        top = kind(8 * words.itemsize - 4)
        highs = words[words >> top == TIME_HIGH] >> kind(self.high_at)
        highs = unwrap(highs & kind((1 << self.high_width) - 1), self.high_width)
        state: State = defaultdict(_Held)
        parts: list[Part] = []
        counts, used = np.zeros(16, np.int64), 0
        for start in range(0, len(words), PART):
            part = words[start : start + PART]
            kinds = (part >> top).astype(np.uint8)
            found = np.bincount(kinds, minlength=16)
            parts.append(self.decode_part(part, kinds, highs[used : used + found[TIME_HIGH]], state))
            counts, used = counts + found, used + found[TIME_HIGH]
        left_out = Counter({
            f"words of type 0x{number:X}": int(count) for number, count in enumerate(counts) if number not in self.known
        })
        left_out[NEVER] = sum(never for _, never in parts)
        t, x, y, polarity = (
            np.concatenate([np.zeros(0, dtype), *(fields[index].astype(dtype) for fields, _ in parts)])
            for index, dtype in enumerate((np.int64, np.int32, np.uint16, np.uint8))
        )
        return Changes(t=t, x=x, y=y, polarity=polarity, left_out=dict(+left_out))


def _bits(masks: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (index of the mask, number of the bit) of each set bit, in order; ``masks`` have ``width`` bits."""
    content = np.ascontiguousarray(masks, f"<u{width // 8}").view(np.uint8).reshape(len(masks), width // 8)
    rows, columns = np.nonzero(np.unpackbits(content, axis=1, bitorder="little"))
    return rows, columns


def _decode_2(words: np.ndarray, kinds: np.ndarray, highs: np.ndarray, state: State) -> Part:
    """From bit 31 on: 4 bits of type (0 darker, 1 brighter), 6 of time, 11 of x, 11 of y; or 28 of upper time."""
    high, valid = state["high"].spread(kinds == TIME_HIGH, highs)
    changes = kinds <= 1
    kept = changes & valid
    word = words[kept]
    time = high[kept] << 6 | word >> 22 & 0x3F
    return (time, word >> 11 & 0x7FF, word & 0x7FF, word >> 28), int((changes & ~valid).sum())


def _decode_2_1(words: np.ndarray, kinds: np.ndarray, highs: np.ndarray, state: State) -> Part:
    """As EVT2 in the upper 32 bits; the lower ones mark which of 32 pixels from x on have changed."""
    high, valid = state["high"].spread(kinds == TIME_HIGH, highs)
    changes = kinds <= 1
    kept = np.flatnonzero(changes & valid)
    rows, columns = _bits(words[kept] & np.uint64(0xFFFFFFFF), 32)
    at = kept[rows]
    word = (words[at] >> np.uint64(32)).astype(np.int64)
    time = high[at] << 6 | word >> 22 & 0x3F
    return (time, (word >> 11 & 0x7FF) + columns, word & 0x7FF, word >> 28), int((changes & ~valid).sum())


ADDR_Y, ADDR_X, VECT_BASE_X, VECT_12, VECT_8, TIME_LOW = 0, 2, 3, 4, 5, 6
"""Types of EVT3's words."""


def _decode_3(words: np.ndarray, kinds: np.ndarray, highs: np.ndarray, state: State) -> Part:
    """From bit 15 on: 4 bits of type, then 12 of time, or a polarity and 11 of an address, or a mask of pixels.

    A vector's mask is of the 12 or 8 pixels from the base on, which moves on behind them.
    """
    values = words & 0xFFF
    sets_high = kinds == TIME_HIGH
    # A new upper part starts at a lower part of 0, as in Prophesee's decoder; the same one again changes nothing.
    before = state["high"].value if state["high"].valid else -1
    renewed = np.zeros(len(words), bool)
    renewed[np.flatnonzero(sets_high)] = np.diff(highs, prepend=before) != 0
    high, timed = state["high"].spread(sets_high, highs)
    sets_low = (kinds == TIME_LOW) | renewed
    low, _ = state["low"].spread(sets_low, np.where(renewed, 0, values)[sets_low])
    rows = kinds == ADDR_Y
    y, placed = state["y"].spread(rows, values[rows] & 0x7FF)
    bases = kinds == VECT_BASE_X
    advance = np.where(kinds == VECT_12, 12, np.where(kinds == VECT_8, 8, 0))
    moved = np.cumsum(advance) - advance
    base, based = state["base"].spread(bases, (values[bases] & 0x7FF).astype(np.int64) - moved[bases])
    state["base"].value += int(advance.sum())
    sign, _ = state["sign"].spread(bases, values[bases] >> 11)

    single = kinds == ADDR_X
    emitting = single | (kinds == VECT_12) | (kinds == VECT_8)
    valid = timed & placed & (single | based)
    kept = np.flatnonzero(emitting & valid)
    masks = np.where(single, 1, np.where(kinds == VECT_8, values & 0xFF, values))[kept]
    which, columns = _bits(masks, 16)
    at = kept[which]
    x = np.where(single, values & 0x7FF, base + moved)[at] + columns
    polarity = np.where(single, values >> 11, sign)[at]
    return (high[at] << 12 | low[at], x, y[at], polarity), int((emitting & ~valid).sum())


EVT2 = EventWords(word="<u4", high_at=0, high_width=28, known=(0, 1, TIME_HIGH), decode_part=_decode_2)
EVT2_1 = EventWords(word="<u8", high_at=32, high_width=28, known=(0, 1, TIME_HIGH), decode_part=_decode_2_1)
EVT3 = EventWords(
    word="<u2", high_at=0, high_width=12, decode_part=_decode_3,
    known=(ADDR_Y, ADDR_X, VECT_BASE_X, VECT_12, VECT_8, TIME_LOW, TIME_HIGH),
)
