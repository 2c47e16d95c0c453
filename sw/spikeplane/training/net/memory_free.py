"""Memory-free neurons: a potential that is a weighted sum of the last currents, without a reset.

MFP-style, our reconstruction: no code or equations of MFP-QSNN (arXiv 2503.00040) are public. The
family is that of parallel spiking neurons (PSN, arXiv 2304.12760) with D taps::

    H[t] = sum over d < D of 2**-k_d * I[t - d];  spike if H[t] > 1

Weights and taps are both linear, so the taps may act on spikes or on sums alike. Here they act on
sums, ahead of the normalization, whose statistics are those of tapped sums and whose bias counts
once (``I`` is the normalized sum without it); in the core on spikes, of which the last D - 1 are
all that is kept. Before the first step there are no spikes.
"""

from dataclasses import dataclass

import torch
from spikeplane_hw.neuron import FRACTION_BITS, Neuron, Reset
from torch import Tensor, nn

from ...network.window import TAP_LIMIT
from .leaky import Dynamics, channel_axes, leaky_response
from .neuron import LIMIT, SpikingNeurons

__all__ = ["MemoryFree", "MemoryFreeOptions"]


@dataclass(frozen=True, kw_only=True)
class MemoryFreeOptions:
    """What recipes set of memory-free neurons."""

    taps: int = 4
    """Steps that a neuron looks at, the current one included."""
    learned_taps: bool = False
    """Whether the exponents of the taps are trained."""


class MemoryFree(SpikingNeurons):
    """Neurons with ``taps`` power-of-two taps, exponents 0, 1, 2, ... at first.

    All time steps are computed at once. With ``learned`` the exponents are trained: whole numbers
    that rise by 1 or more; a tap whose exponent exceeds TAP_LIMIT counts nothing.
    """

    options = MemoryFreeOptions
    replays = False

    def __init__(self, neuron: Neuron, taps: int, *, learned: bool = False):
        super().__init__()
        if not 1 <= taps <= TAP_LIMIT + 1:
            raise ValueError(f"taps must be in 1..{TAP_LIMIT + 1}, not {taps!r}")
        if neuron.state_bits != 0 or neuron.reset is not Reset.NONE:
            raise ValueError(
                f"memory-free neurons have no state and no reset, not state_bits "
                f"{neuron.state_bits} and reset {neuron.reset.name.lower()}"
            )
        self.neuron = neuron
        self.threshold = neuron.fire_above / 2**FRACTION_BITS
        self.rises = nn.Parameter(torch.ones(taps - 1), requires_grad=learned)

    @classmethod
    def create(cls, options: MemoryFreeOptions) -> "MemoryFree":
        neuron = Neuron(state_bits=0, reset=Reset.NONE)
        return cls(neuron, options.taps, learned=options.learned_taps)

    def integers(self) -> tuple[Neuron, tuple[int, ...]]:
        return self.neuron, self.exponents

    @property
    def text(self) -> str:
        return f"memory-free, {len(self.exponents)} taps"

    def all_exponents(self) -> Tensor:
        """Return the exponents (taps,), also those beyond TAP_LIMIT; gradients pass the rounding."""
        whole = self.rises + (self.rises.round().clamp(min=1) - self.rises).detach()
        return torch.cat([whole.new_zeros(1), whole.cumsum(0)])

    @property
    def exponents(self) -> tuple[int, ...]:
        """The exponents k that count, as in :attr:`spikeplane.network.layer.Layer.taps`."""
        return tuple(k for k in map(round, self.all_exponents().tolist()) if k <= TAP_LIMIT)

    def mix(self, sums: Tensor) -> Tensor:
        """Return the tapped sums of every step, both (steps, ...), in float32."""
        exponents = self.all_exponents()
        weights = torch.where(exponents <= TAP_LIMIT, 2.0 ** -exponents, 0)
        steps = len(sums)
        delay = torch.arange(steps, device=sums.device)
        delay = delay[:, None] - delay
        matrix = torch.where(
            (delay >= 0) & (delay < len(weights)), weights[delay.clamp(0, len(weights) - 1)], 0
        )
        channels, last = channel_axes(sums)
        with torch.autocast(sums.device.type, enabled=False):
            moved = sums.float().movedim(channels, last)
            return (matrix @ moved.flatten(1)).view_as(moved).movedim(last, channels)

    def respond(self, currents: Tensor, steps: int, potentials: bool) -> tuple[Tensor, Tensor | None]:
        """Return spikes and potentials of normalized tapped sums, all (steps, ...)."""
        if len(currents) != steps:
            raise ValueError(
                f"memory-free neurons need an input for each of {steps} steps, not {len(currents)}"
            )
        return leaky_response(currents, Dynamics(
            steps=steps, leak=0.0, threshold=self.threshold, reset=Reset.NONE, stores=False,
            quantizer=None, limit=None if self.training else LIMIT,
        ), potentials)
