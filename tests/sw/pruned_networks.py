"""Small networks to prune."""

import dataclasses

import torch
from lively_networks import lively
from spikeplane.training.net.networks import LayerRecipe, SpikingNetwork
from spikeplane.training.net.neurons import NeuronRecipe
from training_samples import EVENTS
from training_samples import layers as sample_layers

__all__ = ["FLOAT", "chain", "residual"]

FLOAT = {"weights": "float", "weight_bits": 32}


def chain(described: list[LayerRecipe] | None = None, **options) -> tuple[SpikingNetwork, list[LayerRecipe]]:
    """Return two convolutions, a pool, and a convolution or a dense layer ahead of the classifier."""
    torch.manual_seed(4)
    described = [dataclasses.replace(layer, **options) for layer in described or sample_layers()]
    return lively(made=SpikingNetwork(EVENTS, described, NeuronRecipe(), 4)), described


def residual(
    shortcut: str, neuron: NeuronRecipe | None = None, classifier: dict | None = None, **weights
) -> tuple[SpikingNetwork, list[LayerRecipe]]:
    """Return a convolution, a block that keeps its shape, one that changes it, and one that keeps it again."""
    torch.manual_seed(4)
    described = [
        LayerRecipe(name="first", kind="conv", channels=6, **weights),
        LayerRecipe(name="same", kind="block", channels=6, **weights),
        LayerRecipe(name="wide", kind="block", channels=11, stride=2, shortcut=shortcut, **weights),
        LayerRecipe(name="more", kind="block", channels=11, inner_channels=7, **weights),
        LayerRecipe(name="classifier", kind="classifier", **(classifier or {"weights": "absmax", "weight_bits": 8})),
    ]
    return lively(made=SpikingNetwork(EVENTS, described, neuron or NeuronRecipe(), 4)), described
