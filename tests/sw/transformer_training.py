"""Small spiking transformers as they are trained, and such that nothing is rounded when they are exported."""

import torch
from spikeplane.network.input import InputFormat
from spikeplane.training.net.layers import Classifier, NormConv
from spikeplane.training.net.networks import LayerRecipe, SpikingNetwork
from spikeplane.training.net.neurons import NeuronRecipe
from spikeplane.training.net.quantizers import AbsMaxWeight
from spikeplane.training.net.streams import Embedding, Heads, Projection
from spikeplane.training.net.transformer import TransformerBlock

__all__ = ["EVENTS", "described", "exact", "settled", "some_events", "transformer"]

EVENTS = InputFormat(channels=2, height=8, width=8, steps=3)
CURRENT_BITS = 8
"""Fraction bits of exact currents: three steps halve a potential twice, and 12 bits hold all of it."""


def described(blocks: int = 2, weights: str = "binary", ends: dict | None = None, **options) -> list[LayerRecipe]:
    """Return the layers of a transformer with 16 tokens of 16 channels; ``options`` are its blocks'."""
    inner = {"weights": weights, "weight_bits": 32 if weights == "float" else 1}
    edge = inner if weights == "float" else {"weights": "absmax", "weight_bits": 8}
    own = {"heads": 2, "mlp_ratio": 2, "map_gain": 1.0, "value_gain": 1.0, **options}
    return [
        LayerRecipe(name="conv1", kind="conv", channels=8, **edge),
        LayerRecipe(name="embedding", kind="embedding", channels=16, stride=2, **inner),
        *(LayerRecipe(name=f"block{index}", kind="transformer", channels=16, transformer=own, **inner)
          for index in range(1, blocks + 1)),
        LayerRecipe(name="heads", kind="heads", transformer=ends or {}, **edge),
    ]


def transformer(form: InputFormat = EVENTS, classes: int = 4, seed: int = 0, **options) -> SpikingNetwork:
    """Return an untrained transformer."""
    torch.manual_seed(seed)
    return SpikingNetwork(form, described(**options), NeuronRecipe(state_bits=16), classes)


def some_events(count: int = 32, density: float = 0.3, seed: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(count, *EVENTS.shape, generator=generator) < density).to(torch.uint8)


def settled(network: SpikingNetwork) -> SpikingNetwork:
    """Return ``network`` in evaluation mode, its normalizations settled on events and biased so that all parts fire."""
    for module in network.modules():
        if isinstance(module, NormConv):
            module.norm.bias.data.fill_(0.3)
            module.norm.momentum = 0.5
    network.train()
    with torch.no_grad():
        for seed in range(4):
            network(some_events(seed=100 + seed))
    return network.eval()


@torch.no_grad()
def exact(network: SpikingNetwork) -> SpikingNetwork:
    """Round weights' scales, normalizations and learned scales of ``network`` such that export rounds nothing."""
    for module in network.modules():
        if isinstance(module, NormConv | Classifier | Heads) and isinstance(module.quantizer, AbsMaxWeight):
            codes, unit = module.quantizer.integers(module.weight)
            module.weight.copy_(codes * torch.exp2(torch.round(torch.log2(unit[0]))))
        if isinstance(module, NormConv):
            norm = module.norm
            _, unit = module.quantizer.integers(module.weight)
            slope = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            bias = norm.bias - norm.running_mean * slope
            added = isinstance(module, Embedding | Projection)
            bits = network.layers["embedding"].grid.fraction_bits if added else CURRENT_BITS
            norm.weight.copy_(_rounded(slope * unit, bits) / unit)
            norm.bias.copy_(_rounded(bias, bits))
            norm.running_mean.zero_()
            norm.running_var.fill_(1.0)
            norm.eps = 0.0
        if isinstance(module, TransformerBlock):
            module.scale.scale.copy_(_rounded(module.scale.gain * module.scale.scale, 4) / module.scale.gain)
    return network


def _rounded(values: torch.Tensor, bits: int) -> torch.Tensor:
    return torch.round(values * 2**bits) / 2**bits
