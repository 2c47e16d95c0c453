"""Integrate-and-fire neurons of a converted network (Fast-SNN, TPAMI 2023): no leak, a start at half the threshold.

A potential that starts at half the threshold and fires at 1.0 is one that starts at 0 and fires at 0.5, of which a
spike takes 1.0. So n steps of a steady current x give ``round(n * x)`` spikes, the level of a :class:`.Graded`
activation. Where currents change from step to step, spikes may come too early; signed neurons take them back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from spikeplane_hw.neuron import FRACTION_BITS, Neuron, Reset
from torch import Tensor

from .lif import LIF

__all__ = ["Integrating", "IntegratingOptions"]

HALF = Neuron(fire_above=(1 << (FRACTION_BITS - 1)) - 1, reset=Reset.SOFT, state_bits=16, leak=1.0)
"""Fires at 0.5 and above."""
BELOW = -0.501
"""A signed neuron takes a spike back at this potential and below: -0.001 of one that starts at 0.5."""


@dataclass(frozen=True, kw_only=True)
class IntegratingOptions:
    """What recipes set of integrate-and-fire neurons."""

    signed: bool = False
    """Whether neurons take spikes back by negative ones, which no core has."""


class Integrating(LIF):
    """``u = state + x``; a spike at 0.5 and above takes 1.0 off; signed: below -0.5, after a spike, the reverse."""

    options = IntegratingOptions

    def __init__(self, signed: bool):
        super().__init__(HALF)
        if not isinstance(signed, bool):
            raise ValueError(f"signed must be true or false, not {signed!r}")
        self.signed = signed

    @classmethod
    def create(cls, options: Any) -> "Integrating":
        return cls(options.signed)

    @classmethod
    def float32(cls, options: Any) -> Any:
        return options

    def integers(self) -> tuple[Neuron, tuple[int, ...]]:
        if self.signed:
            raise ValueError("its neurons make signed spikes, the core's are 0 or 1: convert without --signed")
        return super().integers()

    @property
    def stored_bits(self) -> int:
        return HALF.state_bits

    @property
    def text(self) -> str:
        return f"integrate-and-fire, {'signed' if self.signed else 'positive'} spikes"

    def respond(self, currents: Tensor, steps: int, potentials: bool) -> tuple[Tensor, Tensor | None]:
        if not self.signed:
            return super().respond(currents, steps, potentials)
        spikes, found = [], []
        for potential, spike, _ in self._signed(currents, steps):
            spikes.append(spike)
            found.append(potential)
        return torch.stack(spikes), torch.stack(found) if potentials else None

    def trace(self, currents: Tensor, steps: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        if not self.signed:
            yield from super().trace(currents, steps)
            return
        for potential, _, state in self._signed(currents, steps):
            yield potential, state

    def _signed(self, currents: Tensor, steps: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield potentials before the reset, spikes of -1, 0 or 1, and states of each step; without gradients."""
        state = torch.zeros_like(currents[0])
        count = torch.zeros_like(state)
        for step in range(steps):
            potential = self.potential(currents[step if len(currents) > 1 else 0].detach(), state)
            fired = (potential > self.threshold).to(potential.dtype)
            spike = fired - ((potential <= BELOW) & (count > 0)).to(potential.dtype)
            count, state = count + spike, potential - spike
            yield potential, spike, state
