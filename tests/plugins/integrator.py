"""A neuron of one's own: integrates without a leak, fires above a threshold, keeps what is beyond 1."""

from dataclasses import dataclass

import torch
from spikeplane.training.net.lif import fire
from spikeplane.training.net.neuron import LIMIT, SpikingNeurons
from spikeplane.training.net.neurons import NEURONS
from spikeplane_hw.neuron import FRACTION_BITS, Neuron, Reset


@dataclass(frozen=True, kw_only=True)
class IntegratorOptions:
    threshold: float = 0.75


class Integrator(SpikingNeurons):
    options = IntegratorOptions

    def __init__(self, threshold: float):
        super().__init__()
        self.threshold = threshold

    @classmethod
    def create(cls, options):
        if not 0 < options.threshold < LIMIT:
            raise ValueError(f"threshold must be above 0 and below {LIMIT:g}, not {options.threshold}")
        return cls(options.threshold)

    def respond(self, currents, steps, potentials):
        state, seen, spikes = torch.zeros_like(currents[0]), [], []
        for step in range(steps):
            state = state + currents[step if len(currents) > 1 else 0]
            if not self.training:
                state = state.clamp(-LIMIT, LIMIT)
            seen.append(state)
            spikes.append(fire(state, self.threshold))
            state = state - spikes[-1]
        return torch.stack(spikes), torch.stack(seen) if potentials else None

    def integers(self):
        above = round(self.threshold * 2**FRACTION_BITS)
        return Neuron(fire_above=above, leak=1.0, reset=Reset.SOFT, state_bits=16), (0,)

    @property
    def text(self):
        return f"integrators, threshold {self.threshold:g}"


def register():
    NEURONS.register("integrator", Integrator)
