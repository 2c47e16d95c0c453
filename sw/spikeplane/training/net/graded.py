"""Activations of a few levels: the artificial network that a spiking one is converted from (Fast-SNN).

The levels are uniform, and normalization takes the place of a learned clip: its scale says which sum is 1.0.
"""

from dataclasses import dataclass

import torch
from spikeplane_hw.neuron import Neuron
from torch import Tensor

from .neuron import SpikingNeurons
from .quantizers import straight_through

__all__ = ["Graded", "GradedOptions"]

BITS = range(1, 5)


@dataclass(frozen=True, kw_only=True)
class GradedOptions:
    """What recipes set of activations."""

    bits: int = 2
    """An activation is one of 2**bits levels, 0 to 1."""


class Graded(SpikingNeurons):
    """``a = round(clamp(x, 0, 1) * n) / n``, n = 2**bits - 1, with the gradient of the clamp; one step."""

    options = GradedOptions

    def __init__(self, bits: int):
        super().__init__()
        if bits not in BITS:
            raise ValueError(f"activations have {BITS[0]} to {BITS[-1]} bits, not {bits!r}")
        self.bits, self.levels = bits, (1 << bits) - 1

    @classmethod
    def create(cls, options: GradedOptions) -> "Graded":
        return cls(options.bits)

    def integers(self) -> tuple[Neuron, tuple[int, ...]]:
        raise ValueError(f"activations of {self.levels + 1} levels are no spikes: `spikeplane convert` the checkpoint")

    @property
    def stored_bits(self) -> int:
        return 0

    @property
    def text(self) -> str:
        return f"{self.bits}-bit activations"

    def respond(self, currents: Tensor, steps: int, potentials: bool) -> tuple[Tensor, Tensor | None]:
        """Return activations, and the currents as potentials, both (1, ...)."""
        if steps != 1:
            raise ValueError(f"activations of several levels take one step, not {steps}: set data.steps to 1")
        inside = currents.clamp(0, 1)
        exact = torch.round(inside.detach() * self.levels) / self.levels
        return straight_through(inside, exact), currents if potentials else None
