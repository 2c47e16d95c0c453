"""Leaky integrate-and-fire neurons as pure steps (current, state) -> (spike, state)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from spikeplane_hw.neuron import FRACTION_BITS, Levels, Neuron, Reset
from torch import Tensor

from .leaky import Dynamics, leaky_response, surrogate
from .neuron import LIMIT, SpikingNeurons
from .quantizers import PotentialQuantizer

__all__ = ["LIF", "LeakyOptions", "fire"]


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


@dataclass(frozen=True, kw_only=True)
class LeakyOptions:
    """What recipes set of leaky neurons; see :class:`spikeplane_hw.neuron.Neuron`."""

    state_bits: int = 4
    levels: str = "tanh"
    leak: float = 0.5
    reset: str = "hard"


class LIF(SpikingNeurons):
    """The core's neuron with floats in place of fixed-point numbers.

    ``u = leak * state + x``; fire above the threshold; reset; the state is the potential, through
    the quantizer table if ``neuron.quantized``. The gradient flows through the reset.
    """

    options = LeakyOptions

    def __init__(self, neuron: Neuron):
        super().__init__()
        self.neuron = neuron
        self.threshold = neuron.fire_above / 2**FRACTION_BITS
        self.quantizer = (
            PotentialQuantizer(neuron.state_bits, neuron.levels) if neuron.quantized else None
        )

    @classmethod
    def create(cls, options: LeakyOptions) -> "LIF":
        for name, value, choices in (
            ("levels", options.levels, [level.value for level in Levels]),
            ("reset", options.reset, [reset.name.lower() for reset in Reset]),
        ):
            if value not in choices:
                raise ValueError(f"{name} must be one of {choices}, not {value!r}")
        return cls(Neuron(
            state_bits=options.state_bits, levels=Levels(options.levels),
            leak=options.leak, reset=Reset[options.reset.upper()],
        ))

    @classmethod
    def float32(cls, options: LeakyOptions) -> LeakyOptions:
        """Return the options with potentials that are kept as they are."""
        return replace(options, state_bits=16)

    def integers(self) -> tuple[Neuron, tuple[int, ...]]:
        return self.neuron, (0,)

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

    def respond(self, currents: Tensor, steps: int, potentials: bool) -> tuple[Tensor, Tensor | None]:
        return leaky_response(currents, Dynamics(
            steps=steps, leak=self.neuron.leak, threshold=self.threshold, reset=self.neuron.reset,
            stores=self.neuron.state_bits > 0, quantizer=self.quantizer,
            limit=None if self.training else LIMIT,
        ), potentials)

    def trace(self, currents: Tensor, steps: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        state = None
        for step in range(steps):
            current = currents[step if len(currents) > 1 else 0]
            potential = self.potential(current, state)
            _, state = self.step(current, state)
            yield potential, state
