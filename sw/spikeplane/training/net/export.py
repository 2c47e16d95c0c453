"""Export: a trained network in integers, batch normalization and scales folded."""

import numpy as np
import torch
from spikeplane_hw.neuron import Neuron
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
from .export_streams import export_embedding, export_heads, export_transformer, output_streams
from .layers import Classifier, OrPool, PadShortcut, ResidualBlock, SpikingConv
from .names import inner_name
from .networks import SpikingNetwork
from .streams import Embedding, Heads
from .transformer import TransformerBlock
from .windows import weights_of, window_of

__all__ = ["export_network"]


def export_network(network: SpikingNetwork, metadata: dict | None = None) -> IntegerNetwork:
    """Return ``network`` in integers; a NetworkError names the layer that cannot be exported."""
    nodes: list[Node] = []
    # The integers of the input are input_levels times the numbers they stand for.
    source, input_scale = INPUT, 1 / network.input_levels
    logits: tuple[np.ndarray, float] | None = None
    streams: tuple[str, ...] = ()
    for name, module in network.layers.items():
        _check_finite(name, module)
        if isinstance(module, SpikingConv):
            nodes.append(_convolution(name, module, source, input_scale))
        elif isinstance(module, ResidualBlock):
            nodes += _block(name, module, source, input_scale)
        elif isinstance(module, OrPool):
            pooling = Pooling(kernel=(module.kernel, module.kernel), stride=module.stride)
            nodes.append(graph.OrPool(name=name, source=source, pooling=pooling))
        elif isinstance(module, Embedding):
            nodes.append(export_embedding(name, module, source))
            streams = (name,)
        elif isinstance(module, TransformerBlock):
            nodes += export_transformer(name, module, streams)
            streams = output_streams(name, module)
        elif isinstance(module, Heads):
            layers, logits = export_heads(name, module, streams, network.form.steps)
            nodes += layers
        elif isinstance(module, Classifier):
            nodes.append(_classifier(name, module, source))
            logits = _logits(module, network.form.steps)
        else:
            raise NetworkError(f"layer {name!r}: {type(module).__name__} has no integer form")
        source, input_scale = name, 1.0
    if logits is None:
        raise NetworkError("the network has no classifier")
    logit_offset, logit_scale = logits
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


def _neuron(name: str, module: SpikingConv) -> tuple[Neuron, tuple[int, ...]]:
    """Return the integer neuron and its taps."""
    try:
        return module.neurons.integers()
    except ValueError as error:
        raise NetworkError(f"layer {name!r}: {error}") from error


def _convolution(
    name: str, module: SpikingConv, source: str, input_scale: float, shortcut: tuple[Term, ...] = ()
) -> Layer:
    """Return a convolution with neurons; ``shortcut`` is added to their currents."""
    neuron, taps = _neuron(name, module)
    window = window_of(name, module, taps, source, input_scale)
    return Layer(name=name, terms=(window, *shortcut), ending=Fire(neuron=neuron))


def _block(name: str, block: ResidualBlock, source: str, input_scale: float) -> list[Layer]:
    """Return a block's two layers: the shortcut is a term of the second one."""
    inner, (_, taps) = inner_name(name), _neuron(name, block.conv2)
    if isinstance(block.shortcut, PadShortcut):
        shortcut = Shortcut(
            source=source, stride=block.shortcut.stride, silent=block.shortcut.added, taps=taps
        )
    else:
        shortcut = window_of(f"{name}.shortcut", block.shortcut, taps, source, input_scale)
    return [
        _convolution(inner, block.conv1, source, input_scale),
        _convolution(name, block.conv2, inner, 1.0, (shortcut,)),
    ]


def _classifier(name: str, module: Classifier, source: str) -> Layer:
    weights, scale = weights_of(name, module)
    if (scale != scale[0]).any():
        raise NetworkError(f"layer {name!r}: the weights of all classes must have one scale")
    return Layer(name=name, terms=(Window(**weights, source=source),), ending=Logits())


def _logits(module: Classifier, steps: int) -> tuple[np.ndarray, float]:
    """Return the logits' offset and their scale: sums run over pixels and steps."""
    _, scale = module.quantizer.integers(module.weight.detach())
    logit_scale = float(scale[0]) / (module.pixels * steps)
    bias = module.bias.detach().to(torch.float64).numpy()
    return np.rint(bias / logit_scale).astype(np.int64), logit_scale
