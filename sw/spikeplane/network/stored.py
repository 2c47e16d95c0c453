"""The stored term: integers of streams at the same place, times a power of two."""

from dataclasses import dataclass

import numpy as np
from spikeplane_hw.neuron import MULTIPLIER_WIDTH, SHIFTS

from .checks import NetworkError
from .lowered import CoreTerm, TermKind, UnsupportedError
from .maps import Maps, find_map
from .tensors import Tensor, torch
from .term import Scale, Term, TermPlan, Values

__all__ = ["Stored"]

EXPONENT_LIMIT = 15


@dataclass(frozen=True, kw_only=True)
class Stored(Term):
    """``2**exponent`` times the mean of one or two streams, rounded once, up at half.

    The mean of two is ``(a + b + 1) >> 1``: the reversible coupling of BESTformer (arXiv 2501.05904).
    """

    kind = "stored"

    streams: tuple[str, ...]
    """One or two streams."""
    exponent: int = 0

    @property
    def sources(self) -> tuple[str, ...]:
        return self.streams

    @property
    def text(self) -> str:
        return "stream"

    def shape(self, where: str, maps: Maps) -> tuple[int, int, int]:
        return find_map(where, maps, self.streams[0]).shape

    def verify(self, where: str, maps: Maps, scale: Scale) -> None:
        if len(self.streams) not in (1, 2):
            raise NetworkError(f"{where}: streams are {list(self.streams)}, must be one or two")
        if abs(self.exponent) > EXPONENT_LIMIT:
            raise NetworkError(f"{where}: exponent is {self.exponent}, must be in "
                               f"-{EXPONENT_LIMIT}..{EXPONENT_LIMIT}")
        formats = [find_map(where, maps, name) for name in self.streams]
        for name, each in zip(self.streams, formats, strict=True):
            if not each.signed:
                raise NetworkError(f"{where}: source {name!r} is no stream but {each.text}")
            if each.shape != formats[0].shape:
                raise NetworkError(f"{where}: {name!r} is {each.shape}, {self.streams[0]!r} {formats[0].shape}")
            assert each.fraction_bits is not None
            if scale.fraction_bits != each.fraction_bits + self.exponent:
                raise NetworkError(
                    f"{where}: {name!r} has {each.fraction_bits} fraction bits, times 2**{self.exponent} that "
                    f"makes {each.fraction_bits + self.exponent}; its sum becomes {scale.text}"
                )

    def lower(self, where: str, maps: Maps, scale: Scale) -> CoreTerm:
        stream, *others = self.streams
        second, mean = others[0] if others else None, len(others)
        exponent = self.exponent - mean
        # Up to 1, the multiplier is a fraction of the greatest shift, whose half rounds; above there is none.
        shift = SHIFTS[-1] if exponent < 0 else SHIFTS[0]
        power = shift + exponent
        if not 0 <= power < MULTIPLIER_WIDTH - 1:
            raise UnsupportedError(f"{where}: exponent is {self.exponent}, the core has {mean - SHIFTS[-1]} to "
                                   f"{mean + MULTIPLIER_WIDTH - 2 - SHIFTS[0]}; the integer model runs it")
        half = 1 << (shift - 1) if exponent < 0 else 0
        return CoreTerm(
            source=stream, second=second, channels=maps[stream].channels, kind=TermKind.STREAM,
            # The core adds 1 to the sum of two, which is taken away again here.
            multiplier=np.array([1 << power], np.int64), offset=np.array([half - (mean << power)], np.int64),
            shift=shift,
        )

    def plan(self, maps: Maps, scale: Scale) -> "StoredPlan":
        greatest = max(maps[name].greatest for name in self.streams)
        return StoredPlan(self, greatest)


class StoredPlan(TermPlan):
    """Adds, shifts and rounds."""

    def __init__(self, term: Stored, greatest: int):
        self.term = term
        self.shift = term.exponent - (len(term.streams) - 1)
        self.reach = greatest << max(term.exponent, 0)

    def add(self, values: Values) -> Tensor:
        total = sum(values[name].to(torch.int64) for name in self.term.streams)
        assert isinstance(total, torch.Tensor)
        if self.shift >= 0:
            return total << self.shift
        return (total + (1 << (-self.shift - 1))) >> -self.shift
