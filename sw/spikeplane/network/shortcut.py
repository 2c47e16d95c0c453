"""The shortcut term: the spike of another map at the same place, worth 1.0."""

from dataclasses import dataclass

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.neuron import SHIFTS

from .checks import NetworkError
from .counting import Reads, count_shortcut
from .lowered import CoreTerm, TermKind
from .maps import Maps, find_map
from .tensors import Tensor, functional, torch
from .term import Scale, Term, TermPlan, Values
from .window import tap_weights, traces, verify_taps

__all__ = ["Shortcut"]


@dataclass(frozen=True, kw_only=True)
class Shortcut(Term):
    """Adds 1.0 where ``source`` spikes: identity, or every ``stride``-th pixel and silent channels.

    The weightless shortcut of residual networks, option A of arXiv 1512.03385 where they change shape.
    """

    kind = "shortcut"

    source: str
    stride: int = 1
    silent: int = 0
    """Channels without spikes behind those of the source."""
    taps: tuple[int, ...] = (0,)
    """As of :class:`.window.Window`: spikes of d steps ago add ``2**-taps[d]``."""

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source,)

    @property
    def text(self) -> str:
        return "shortcut"

    def shape(self, where: str, maps: Maps) -> tuple[int, int, int]:
        source = find_map(where, maps, self.source)
        height, width = (-(-side // self.stride) for side in (source.height, source.width))
        return source.channels + self.silent, height, width

    def verify(self, where: str, maps: Maps, scale: Scale) -> None:
        source = find_map(where, maps, self.source)
        if not source.spikes:
            raise NetworkError(f"{where}: a shortcut adds spikes; {self.source!r} is {source.text}")
        if self.stride not in (1, 2):
            raise NetworkError(f"{where}: stride is {self.stride!r}, must be 1 or 2")
        if self.silent < 0:
            raise NetworkError(f"{where}: silent is {self.silent!r}, must be 0 or more channels")
        verify_taps(where, self.taps, source)
        if scale.fraction_bits is None or scale.fraction_bits < self.taps[-1]:
            raise NetworkError(f"{where}: a spike adds 1.0 in units of 2**-{self.taps[-1]}, which "
                               f"{scale.text} do not hold")

    def lower(self, where: str, maps: Maps, scale: Scale) -> CoreTerm:
        assert scale.fraction_bits is not None
        unit = np.array([1 << (scale.fraction_bits - self.taps[-1] + SHIFTS[0])], np.int64)
        return CoreTerm(
            source=self.source, channels=maps[self.source].channels + self.silent, kind=TermKind.SHORTCUT,
            stride=self.stride, taps=self.taps,
            multiplier=unit, offset=np.zeros_like(unit), shift=SHIFTS[0],
        )

    def plan(self, maps: Maps, scale: Scale) -> "ShortcutPlan":
        return ShortcutPlan(self, scale)


class ShortcutPlan(TermPlan):
    """Picks and scales spikes."""

    def __init__(self, term: Shortcut, scale: Scale):
        assert scale.fraction_bits is not None
        self.term = term
        self.unit = 1 << (scale.fraction_bits - term.taps[-1])
        self.reach = self.unit * sum(tap_weights(term.taps))

    def add(self, values: Values) -> Tensor:
        stride = self.term.stride
        spikes = traces(values[self.term.source], self.term.taps)[..., ::stride, ::stride]
        spikes = functional.pad(spikes, (0, 0, 0, 0, 0, self.term.silent))
        return spikes.to(torch.int32) * self.unit

    def count(self, values: Values, config: CoreConfig | None, accumulations: int) -> Reads:
        source = values[self.term.source]
        tapped = traces(source, self.term.taps).flatten(0, 1)
        planes = [tapped >> bit & 1 for bit in range(1 + self.term.taps[-1])]
        return count_shortcut(planes, self.term.stride, len(source), config)
