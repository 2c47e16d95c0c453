"""Terms: what a layer sums up for each output pixel, channel and step."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.neuron import MULTIPLIER_WIDTH, OFFSET_WIDTH, SHIFTS, scale_sum

from .checks import NetworkError, verify_integers
from .counting import Reads
from .geometry import Walk
from .lowered import CoreTerm, UnsupportedError
from .maps import MapFormat, Maps, find_map
from .tensors import Tensor, torch

__all__ = ["MULTIPLIER_LIMITS", "Scale", "Term", "TermPlan", "Values"]

EXACT_FLOAT32, EXACT_FLOAT64 = 1 << 24, 1 << 53
"""Sums below are exact in floating point."""
MULTIPLIER_LIMITS = -(1 << (MULTIPLIER_WIDTH - 1)), (1 << (MULTIPLIER_WIDTH - 1)) - 1
"""Least and greatest M."""
Values = dict[str, Tensor]
"""The values of maps, (inputs, steps or 1, channels, height, width), by the names of the maps."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What one unit of an ending's sum is worth."""

    fraction_bits: int | None
    """1.0 is ``2**fraction_bits``; None: logits, whose unit is the one of integer sums."""

    @property
    def text(self) -> str:
        """What the sum becomes, in words."""
        return "logits" if self.fraction_bits is None else f"{self.fraction_bits} fraction bits"


class TermPlan(ABC):
    """A term ready to run: its tensors, in the narrowest types in which every step is exact."""

    reach: int
    """Greatest absolute value of what the term adds."""

    @abstractmethod
    def add(self, values: Values) -> Tensor:
        """Return what the term adds, integers (inputs, steps or 1, channels, height, width)."""

    def count(self, values: Values, config: CoreConfig | None, accumulations: int) -> Reads | None:
        """Return what a core counts while it sums up, int64 (inputs,); None if it counts nothing.

        The sum of an image is accumulated ``accumulations`` times.
        """
        return None


class Term(ABC):
    """One summand of a layer. A class holds all that is known of its kind."""

    kind: ClassVar[str]
    """The name of the class in files."""

    @property
    @abstractmethod
    def sources(self) -> tuple[str, ...]:
        """The maps that it reads."""

    @abstractmethod
    def shape(self, where: str, maps: Maps) -> tuple[int, int, int]:
        """Return (channels, height, width) of what it adds; a NetworkError if maps and fields disagree."""

    @abstractmethod
    def verify(self, where: str, maps: Maps, scale: Scale) -> None:
        """Raise a NetworkError naming the value and the limit if a rule is broken."""

    @abstractmethod
    def plan(self, maps: Maps, scale: Scale) -> TermPlan:
        """Return the term ready to run."""

    def replays(self, maps: Maps) -> bool:
        """Return whether it adds the same in every step."""
        return all(maps[source].replayed for source in self.sources)

    def lower(self, where: str, maps: Maps, scale: Scale) -> CoreTerm:
        """Return what it asks of a core, without an ending; an UnsupportedError says why none runs it."""
        raise UnsupportedError(f"{where}: the core has no {self.text} yet; the integer model runs it")

    def memory(self, maps: Maps) -> "TermMemory":
        """Return what the term needs to keep."""
        return TermMemory()

    @property
    def clipped(self) -> tuple[int, int]:
        """How many channels have a multiplier at its limit, where an export clips it, and of how many."""
        return 0, 0

    @property
    @abstractmethod
    def text(self) -> str:
        """What it is, in words."""


@dataclass(frozen=True, kw_only=True)
class TermMemory:
    """What a term needs to keep, see :class:`.node.Memory`."""

    weight_bits: tuple[int, ...] = ()
    weights: int = 0
    parameters: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class SummingTerm(Term):
    """A term whose integer sums get a scale of their own: ``x = (sum * M + B) >> shift``.

    Into logits the sums go as they are, without M and B.
    """

    source: str
    multiplier: np.ndarray | None = None
    """M, int64 (output channels,); None into logits."""
    offset: np.ndarray | None = None
    """B, int64 (output channels,), the rounding half included; None into logits."""
    shift: int = SHIFTS[0]

    @abstractmethod
    def walk(self, maps: Maps) -> Walk:
        """Return how its windows go over the source."""

    @abstractmethod
    def bound(self, maps: Maps) -> np.ndarray:
        """Return the greatest absolute sum of each output channel, int64 (output channels,)."""

    @abstractmethod
    def planes(self, source: MapFormat, values: Tensor) -> list[Tensor]:
        """Return the bit planes that are summed up, of (inputs, steps or 1, channels, height, width)."""

    def shape(self, where: str, maps: Maps) -> tuple[int, int, int]:
        source, walk = find_map(where, maps, self.source), self.walk(maps)
        height, width = walk.output(source.height, source.width)
        return walk.channels, height, width

    def verify_scale(self, where: str, channels: int, scale: Scale) -> None:
        """Raise a NetworkError if M, B and shift are not what the ending needs."""
        if self.shift not in SHIFTS:
            raise NetworkError(f"{where}: shift is {self.shift!r}, must be one of {SHIFTS}")
        if scale.fraction_bits is None:
            for name in ("multiplier", "offset"):
                if getattr(self, name) is not None:
                    raise NetworkError(f"{where}: {name} must be None: sums become logits as they are")
            return
        verify_integers(f"{where}: multiplier", self.multiplier, (channels,), MULTIPLIER_WIDTH)
        verify_integers(f"{where}: offset", self.offset, (channels,), OFFSET_WIDTH)

    def memory(self, maps: Maps) -> TermMemory:
        scaled = 0 if self.multiplier is None else self.walk(maps).channels
        return TermMemory(parameters=scaled * (MULTIPLIER_WIDTH + OFFSET_WIDTH))

    @property
    def clipped(self) -> tuple[int, int]:
        if self.multiplier is None:
            return 0, 0
        return int(np.isin(self.multiplier, MULTIPLIER_LIMITS).sum()), len(self.multiplier)

    @property
    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """M and B, int64 (output channels,); into logits there are none."""
        assert self.multiplier is not None and self.offset is not None
        return self.multiplier.astype(np.int64), self.offset.astype(np.int64)


class SummingPlan(TermPlan):
    """Sums exact in floating point, then the affine in integers."""

    def __init__(self, term: SummingTerm, maps: Maps, scale: Scale):
        self.term, self.source, self.map, self.walk = term, term.source, maps[term.source], term.walk(maps)
        bound = term.bound(maps)
        if bound.max() >= EXACT_FLOAT64:
            raise NetworkError(f"source {term.source!r}: sums up to {bound.max()}, limit 2**53")
        self.float = torch.float32 if bound.max() < EXACT_FLOAT32 else torch.float64
        self.scaled = scale.fraction_bits is not None
        self.integer = torch.int64
        self.reach = int(bound.max())
        if self.scaled:
            reach = bound * np.abs(term.affine[0]) + np.abs(term.affine[1])
            self.integer = torch.int32 if reach.max() < 1 << 31 else torch.int64
            self.reach = int(reach.max()) >> term.shift
            self.multiplier, self.offset = (
                torch.from_numpy(values).to(self.integer).view(-1, 1, 1) for values in term.affine
            )

    @abstractmethod
    def sums(self, values: Values) -> Tensor:
        """Return the exact sums, floating point (inputs, steps or 1, channels, height, width)."""

    def add(self, values: Values) -> Tensor:
        sums = self.sums(values).to(self.integer)
        if not self.scaled:
            return sums
        return scale_sum(sums, self.multiplier, self.offset, self.term.shift)
