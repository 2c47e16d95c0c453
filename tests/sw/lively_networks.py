"""Networks in training whose layers all fire."""

import torch
from spikeplane.training.net.layers import NormConv
from spikeplane.training.net.networks import LayerRecipe, SpikingNetwork
from spikeplane.training.net.neurons import NeuronRecipe
from training_samples import EVENTS, network

MEMORY_FREE = NeuronRecipe(dynamics="memory_free", taps=3)


def lively(form=EVENTS, made: SpikingNetwork | None = None, **options) -> SpikingNetwork:
    """Return a network whose layers all fire, some more and some less."""
    made = made or network(form, **options)
    generator = torch.Generator().manual_seed(7)
    for module in made.modules():
        if isinstance(module, NormConv):
            module.norm.weight.data.uniform_(0.7, 1.5, generator=generator)
            module.norm.bias.data.uniform_(-0.2, 0.8, generator=generator)
    return made.eval()


def residual(shortcut: str, neuron: NeuronRecipe) -> SpikingNetwork:
    described = [
        LayerRecipe(name="first", kind="conv", channels=6, weights="absmax", weight_bits=8),
        LayerRecipe(name="same", kind="block", channels=6),
        LayerRecipe(name="other", kind="block", channels=9, stride=2, shortcut=shortcut),
        LayerRecipe(name="classifier", kind="classifier", weights="absmax", weight_bits=8),
    ]
    return lively(made=SpikingNetwork(EVENTS, described, neuron, 4))
