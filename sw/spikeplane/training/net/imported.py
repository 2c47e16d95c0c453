"""Leaky neurons of an imported network: as those of recipes, with the threshold and the comparison that they had."""

import math
from dataclasses import dataclass, replace
from typing import Any

from spikeplane_hw.neuron import FRACTION_BITS, Neuron

from .lif import LIF, LeakyOptions

__all__ = ["ImportedLIF", "ImportedOptions", "fire_above"]

FIRES = ("above", "at")
MARGIN = 2.0**-16
"""Floats so near to the threshold count as equal to it, or the order in which they were added up would decide whether
neurons fire; in fixed point a potential is a multiple of 2**-12."""


@dataclass(frozen=True, kw_only=True)
class ImportedOptions(LeakyOptions):
    """What recipes set of imported neurons."""

    fires: str = "above"
    """``above``: where the potential is above the threshold; ``at``: where it equals it, too."""
    threshold: float = 1.0
    """Above 0, at most 1.0, which is what a soft reset takes. snnTorch takes the threshold from a potential behind the
    next leak: that is 1.0 ahead of it, where the threshold is the leak."""


class ImportedLIF(LIF):
    """``u = leak * state + x``; a spike above or at ``threshold``. The gradient is that of :class:`.LIF`, around 1."""

    options = ImportedOptions

    def __init__(self, neuron: Neuron, threshold: float, strict: bool):
        super().__init__(replace(neuron, fire_above=fire_above(threshold, strict)))
        self.threshold = threshold + MARGIN if strict else threshold - MARGIN

    @classmethod
    def create(cls, options: Any) -> "ImportedLIF":
        if options.fires not in FIRES:
            raise ValueError(f"fires must be one of {FIRES}, not {options.fires!r}")
        if not 0 < options.threshold <= 1:
            raise ValueError(f"threshold must be above 0 and at most 1, not {options.threshold!r}")
        return cls(LIF.create(options).neuron, options.threshold, options.fires == "above")


def fire_above(threshold: float, strict: bool) -> int:
    """Return the greatest potential in fixed point without a spike: below ``threshold``, or, if strict, at it too."""
    scaled = threshold * (1 << FRACTION_BITS)
    return math.floor(scaled) if strict else math.ceil(scaled) - 1
