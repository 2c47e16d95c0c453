"""Probes: what goes into the weights and neurons of a network in a forward pass."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..training.net.layers import Classifier, NormConv, ResidualBlock, SpikingConv
from ..training.net.names import part_name
from ..training.net.networks import SpikingNetwork
from ..training.net.neuron import SpikingNeurons
from ..training.net.streams import Embedding, Heads, Projection, StreamLayer

__all__ = ["probe"]

Synapses = NormConv | Classifier | Heads
Neurons = SpikingNeurons


def _ignore(*_) -> None:
    pass


def probe(
    network: SpikingNetwork,
    inputs: Tensor,
    *,
    synapses: Callable[[str, Synapses, Tensor, Neurons | None], None] = _ignore,
    neurons: Callable[[str, Neurons, Tensor], None] = _ignore,
) -> dict[str, Tensor]:
    """Run ``network`` in evaluation mode; return the spikes of each layer by its name.

    ``synapses`` is called with (name, layer, maps, neurons) for all that has weights, convolutions
    of blocks and their shortcuts too: maps are (steps or 1, batch, channels, height, width), neurons
    those that take the sums, None for the classifier and for what is added to streams. ``neurons`` is
    called with (name of their spikes, neurons, currents).
    """
    handles = []

    def watch(module: nn.Module, call: Callable[[Tensor], None]) -> None:
        handles.append(module.register_forward_pre_hook(lambda _, values: call(values[0])))

    def watch_synapses(name: str, module: Synapses, target: Neurons | None, reader: nn.Module) -> None:
        watch(reader, lambda maps: synapses(name, module, maps, target))

    def watch_neurons(name: str, module: Neurons) -> None:
        watch(module, lambda currents: neurons(name, module, currents))

    for name, module in network.layers.named_modules():
        if isinstance(module, SpikingConv):
            watch_synapses(name, module, module.neurons, module)
            watch_neurons(name.removesuffix(".conv2"), module.neurons)
        elif isinstance(module, Heads):
            # Each head reads a stream of the same shape.
            watch(module, lambda streams, name=name, module=module: synapses(name, module, streams[-1], None))
        elif isinstance(module, Classifier | Embedding | Projection):
            watch_synapses(name, module, None, module)
        elif isinstance(module, ResidualBlock) and isinstance(module.shortcut, NormConv):
            # A block asks its shortcut for currents only, and both read the block's input.
            watch_synapses(f"{name}.shortcut", module.shortcut, module.conv2.neurons, module)
        if isinstance(module, StreamLayer):
            for part, found in module.named_neurons():
                if getattr(module, part) is found:  # Others are a convolution's, which is found by itself.
                    watch_neurons(part_name(name, part), found)
    network.eval()
    try:
        with torch.no_grad():
            return network(inputs)[1]
    finally:
        for handle in handles:
            handle.remove()
