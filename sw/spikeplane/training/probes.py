"""Probes: what goes into the weights and neurons of a network in a forward pass."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .memory_free import MemoryFree
from .networks import SpikingNetwork
from .neurons import LIF
from .quantizers import WeightQuantizer

__all__ = ["probe"]


def probe(
    network: SpikingNetwork,
    inputs: Tensor,
    *,
    synapses: Callable[[str, nn.Module, Tensor], object] = lambda *_: None,
    neurons: Callable[[str, nn.Module, Tensor], object] = lambda *_: None,
) -> dict[str, Tensor]:
    """Run ``network`` in evaluation mode; return the spikes of each layer by its name.

    ``synapses`` is called with (name, module, maps) for each module with quantized weights, maps
    being (steps or 1, batch, channels, height, width); ``neurons`` with (layer's name, neurons,
    currents) for each layer's neurons. Both are found at any depth, blocks of layers included.
    """
    handles = []

    def watch(name: str, module: nn.Module, call) -> None:
        handles.append(module.register_forward_pre_hook(lambda m, values: call(name, m, values[0])))

    for name, module in network.layers.named_modules():
        if isinstance(getattr(module, "quantizer", None), WeightQuantizer):
            watch(name, module, synapses)
        elif isinstance(module, LIF | MemoryFree):
            watch(name.rpartition(".")[0], module, neurons)
    network.eval()
    try:
        with torch.no_grad():
            return network(inputs)[1]
    finally:
        for handle in handles:
            handle.remove()
