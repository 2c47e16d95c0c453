"""Modules of layers, as recipes describe them."""

from torch import nn

from ...network.geometry import output_side
from .layer_recipe import LayerRecipe
from .layers import Classifier, NormConv, OrPool, PadShortcut, ResidualBlock, SpikingConv
from .neurons import NeuronRecipe

__all__ = ["create_layer"]


def create_layer(
    layer: LayerRecipe, shape: tuple[int, int, int], neuron: NeuronRecipe, classes: int
) -> tuple[nn.Module, tuple[int, int, int]]:
    """Return the module of a layer without streams, and the (channels, height, width) of its output."""
    channels, height, width = shape
    if layer.kind == "classifier":
        quantizer = layer.create_quantizer()
        module = Classifier(shape, classes, pooled=layer.pooled, quantizer=quantizer)
        return module, (classes, 1, 1)
    if layer.kind == "pool":
        kernel, stride, padding = (layer.kernel, layer.kernel), layer.kernel, 0
        channels_out, module = channels, OrPool(layer.kernel, layer.kernel)
    else:
        if layer.kind == "dense":
            kernel, stride, padding = (height, width), 1, 0
        else:
            kernel, stride = (layer.kernel, layer.kernel), layer.stride
            padding = layer.kernel // 2 if layer.padding < 0 else layer.padding
        channels_out = layer.channels
        module = SpikingConv(
            channels, layer.inner_channels or channels_out, kernel, stride=stride, padding=padding,
            quantizer=layer.create_quantizer(), neurons=layer.create_neurons(neuron),
        )
        if layer.kind == "block":
            module = _block(layer, channels, module, neuron)
    rows, columns = (
        output_side(length, reach, stride, padding)
        for length, reach in zip((height, width), kernel, strict=True)
    )
    if min(rows, columns) < 1:
        raise ValueError(
            f"layer {layer.name!r}: kernel {kernel} exceeds its {height}x{width} input"
        )
    return module, (channels_out, rows, columns)


def _block(
    layer: LayerRecipe, channels: int, conv1: SpikingConv, neuron: NeuronRecipe
) -> ResidualBlock:
    """Return a block whose input has ``channels`` and whose first convolution is ``conv1``."""
    conv2 = SpikingConv(
        layer.inner_channels or layer.channels, layer.channels, (layer.kernel, layer.kernel), stride=1,
        padding=layer.kernel // 2, quantizer=layer.create_quantizer(),
        neurons=layer.create_neurons(neuron),
    )
    changes = layer.stride > 1 or layer.channels != channels
    if changes and layer.shortcut == "conv":
        shortcut = NormConv(
            channels, layer.channels, (1, 1), stride=layer.stride, padding=0,
            quantizer=layer.create_quantizer(),
        )
    elif layer.channels < channels:
        raise ValueError(
            f"layer {layer.name!r}: shortcut pad needs at least the input's {channels} channels, "
            f"not {layer.channels}"
        )
    else:
        shortcut = PadShortcut(layer.stride, layer.channels - channels)
    return ResidualBlock(conv1, conv2, shortcut)
