"""Export: a trained network in integers, batch normalization and scales folded."""

import numpy as np
import torch
from torch import nn

from ...network import pool as graph
from ...network.checks import NetworkError
from ...network.endings import Fire, Logits
from ...network.graph import IntegerNetwork
from ...network.input import INPUT
from ...network.layer import Layer
from ...network.node import Node
from ...network.pool import Pooling
from ...network.shortcut import Shortcut
from ...network.term import Term
from ...network.window import Window
from .fixed_point import Currents, fixed_point
from .layers import Classifier, NormConv, OrPool, PadShortcut, ResidualBlock, SpikingConv
from .networks import SpikingNetwork, inner_name

__all__ = ["export_network"]


def export_network(network: SpikingNetwork, metadata: dict | None = None) -> IntegerNetwork:
    """Return ``network`` in integers; a NetworkError names the layer that cannot be exported."""
    nodes: list[Node] = []
    # The integers of the input are input_levels times the numbers they stand for.
    source, input_scale = INPUT, 1 / network.input_levels
    head = None
    for name, module in network.layers.items():
        _check_finite(name, module)
        if isinstance(module, SpikingConv):
            nodes.append(_convolution(name, module, source, input_scale))
        elif isinstance(module, ResidualBlock):
            nodes += _block(name, module, source, input_scale)
        elif isinstance(module, OrPool):
            pooling = Pooling(kernel=(module.kernel, module.kernel), stride=module.stride)
            nodes.append(graph.OrPool(name=name, source=source, pooling=pooling))
        elif isinstance(module, Classifier):
            nodes.append(_classifier(name, module, source))
            head = module
        else:
            raise NetworkError(f"layer {name!r}: {type(module).__name__} has no integer form")
        source, input_scale = name, 1.0
    if head is None:
        raise NetworkError("the network has no classifier")
    logit_offset, logit_scale = _logits(head, network.form.steps)
    result = IntegerNetwork(
        input=network.form, nodes=nodes, logit_offset=logit_offset, logit_scale=logit_scale,
        metadata=metadata or {},
    )
    result.verify()
    return result


def _check_finite(name: str, module: nn.Module) -> None:
    for key, value in module.state_dict().items():
        wrong = (~torch.isfinite(value)).nonzero()
        if len(wrong):
            place = wrong[0].tolist()
            raise NetworkError(
                f"layer {name!r}: {key} {place} is {value[tuple(place)].item()}, must be finite"
            )


def _weights(name: str, module: NormConv | Classifier) -> tuple[dict, np.ndarray]:
    """Return the weight arguments of a window, and the scale of each channel."""
    if not module.quantizer.has_integers:
        raise NetworkError(
            f"layer {name!r}: {type(module.quantizer).__name__} weights have no integer form"
        )
    integers, scale = module.quantizer.integers(module.weight.detach())
    return {
        "weight": integers.numpy(),
        "weight_bits": module.quantizer.bits,
        "weight_kind": module.quantizer.kind,
    }, scale.numpy()


def _window(
    name: str, module: NormConv, taps: tuple[int, ...], source: str, input_scale: float
) -> Window:
    """Return a convolution and its normalization, whose sums neurons with these ``taps`` mix."""
    weights, scale = _weights(name, module)
    norm = module.norm
    gamma, beta, mean, variance = (
        value.detach().to(torch.float64).numpy()
        for value in (
            norm.weight, norm.bias,
            norm.get_buffer("running_mean"), norm.get_buffer("running_var"),
        )
    )
    slope = gamma / np.sqrt(variance + norm.eps)
    # What one unit of the integer sum is worth ahead of the normalization; 0 of a channel without weights.
    unit = scale.astype(np.float64) * input_scale * 2.0 ** -taps[-1]
    each = np.divide(1, unit, out=np.zeros_like(unit), where=unit != 0)
    shift, multiplier, offset = fixed_point(name, Currents(
        gain=slope * unit, bias=beta - mean * slope, mean=mean * each, deviation=np.sqrt(variance) * each,
    ))
    return Window(
        **weights, source=source, stride=module.stride, padding=module.padding, taps=taps,
        multiplier=multiplier, offset=offset, shift=shift,
    )


def _convolution(
    name: str, module: SpikingConv, source: str, input_scale: float, shortcut: tuple[Term, ...] = ()
) -> Layer:
    """Return a convolution with neurons; ``shortcut`` is added to their currents."""
    neuron, taps = module.neurons.integers()
    window = _window(name, module, taps, source, input_scale)
    return Layer(name=name, terms=(window, *shortcut), ending=Fire(neuron=neuron))


def _block(name: str, block: ResidualBlock, source: str, input_scale: float) -> list[Layer]:
    """Return a block's two layers: the shortcut is a term of the second one."""
    inner, (_, taps) = inner_name(name), block.conv2.neurons.integers()
    if isinstance(block.shortcut, PadShortcut):
        shortcut = Shortcut(
            source=source, stride=block.shortcut.stride, silent=block.shortcut.added, taps=taps
        )
    else:
        shortcut = _window(f"{name}.shortcut", block.shortcut, taps, source, input_scale)
    return [
        _convolution(inner, block.conv1, source, input_scale),
        _convolution(name, block.conv2, inner, 1.0, (shortcut,)),
    ]


def _classifier(name: str, module: Classifier, source: str) -> Layer:
    weights, scale = _weights(name, module)
    if (scale != scale[0]).any():
        raise NetworkError(f"layer {name!r}: the weights of all classes must have one scale")
    return Layer(name=name, terms=(Window(**weights, source=source),), ending=Logits())


def _logits(module: Classifier, steps: int) -> tuple[np.ndarray, float]:
    """Return the logits' offset and their scale: sums run over pixels and steps."""
    _, scale = module.quantizer.integers(module.weight.detach())
    logit_scale = float(scale[0]) / (module.pixels * steps)
    bias = module.bias.detach().to(torch.float64).numpy()
    return np.rint(bias / logit_scale).astype(np.int64), logit_scale
