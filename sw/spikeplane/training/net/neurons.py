"""Spiking neurons as pure steps (current, state) -> (spike, state)."""

import torch
from spikeplane_hw.neuron import FRACTION_BITS, STATE_WIDTH, Neuron, Reset
from torch import Tensor, nn

from .leaky import Dynamics, leaky_spikes, surrogate
from .quantizers import PotentialQuantizer

__all__ = ["LIF", "fire"]

LIMIT = 2.0 ** (STATE_WIDTH - 1 - FRACTION_BITS)
"""The core's potentials saturate here, in units of the threshold."""


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx, potential: Tensor, threshold: float) -> Tensor:
        ctx.save_for_backward(potential)
        return (potential > threshold).to(potential.dtype)

    @staticmethod
    def backward(ctx, *gradients: Tensor):
        (gradient,) = gradients
        (potential,) = ctx.saved_tensors
        return gradient * surrogate(potential), None


def fire(potential: Tensor, threshold: float = 1.0) -> Tensor:
    """Return 1.0 where ``potential > threshold``, else 0.0.

    The gradient is a triangle around 1, ``max(0, 1 - |u - 1|)``.
    """
    return _Fire.apply(potential, threshold)


class LIF(nn.Module):
    """The core's neuron with floats in place of fixed-point numbers.

    ``u = leak * state + x``; fire above the threshold; reset; the state is the potential, through
    the quantizer table if ``neuron.quantized``. The gradient flows through the reset.
    """

    def __init__(self, neuron: Neuron):
        super().__init__()
        self.neuron = neuron
        self.threshold = neuron.fire_above / 2**FRACTION_BITS
        self.quantizer = (
            PotentialQuantizer(neuron.state_bits, neuron.levels) if neuron.quantized else None
        )

    def mix(self, sums: Tensor) -> Tensor:
        """Return the sums as they are: a potential makes them count in later steps."""
        return sums

    def potential(self, current: Tensor, state: Tensor | None) -> Tensor:
        """Return what the threshold is compared with, shaped as ``current``; no state is 0."""
        potential = current if state is None else current + self.neuron.leak * state
        return potential if self.training else potential.clamp(-LIMIT, LIMIT)

    def step(self, current: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return (spikes, next state), shaped as ``current``; a state of None is 0."""
        potential = self.potential(current, state)
        spike = fire(potential, self.threshold)
        if self.neuron.state_bits == 0:
            return spike, None
        if self.neuron.reset is Reset.HARD:
            potential = potential * (1 - spike)
        elif self.neuron.reset is Reset.SOFT:
            potential = potential - spike
        return spike, potential if self.quantizer is None else self.quantizer(potential)

    def forward(self, currents: Tensor, steps: int) -> Tensor:
        """Return spikes (steps, ...) of ``currents``, (steps, ...), or (1, ...) to be replayed."""
        return leaky_spikes(currents, Dynamics(
            steps=steps, leak=self.neuron.leak, threshold=self.threshold, reset=self.neuron.reset,
            stores=self.neuron.state_bits > 0, quantizer=self.quantizer,
            limit=None if self.training else LIMIT,
        ))
