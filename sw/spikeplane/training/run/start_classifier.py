"""Starting a training from a classifier that does not spike, by conversion: its activations become levels from 0 to 1.

Normalization takes in what activations are divided by, so that the network computes the same but for the levels. What
becomes 1.0, the clip of Fast-SNN (TPAMI 2023), is chosen here and not trained: the one with the least error. All maps
that shortcuts join share it.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...data.sets.samples import SampleArray
from ..net.graded import Graded
from ..net.layers import Classifier, NormConv, PadShortcut, ResidualBlock, SpikingConv
from ..net.names import inner_name
from ..net.networks import SpikingNetwork
from ..net.resnet import ResNet, ResNetBlock
from ..net.teachers import load_classifier
from .start import file_digest

__all__ = ["take_over_classifier"]

KEY = "training.start.classifier"
IMAGES = 500
"""Training images that show which activations there are."""
VALUES = 200_000
"""Activations of a layer on which errors are measured."""
CLIPS = 40
"""How many are tried, as parts of the greatest activation."""
WHITE = 255
"""Of the images that classifiers take."""


def take_over_classifier(network: SpikingNetwork, name: str, weights: Path, images: SampleArray) -> dict[str, Any]:
    """Give a residual network of graded neurons the weights of the classifier ``name``.

    ``images``: (samples, channels, height, width), of the training, in the network's own bits. Returns what a
    checkpoint records: ``file``, its ``sha256``, the layers ``taken``, the ``classifier``, and by the names of
    activations which of its values became 1.0 (``clips``). A ValueError names the layer that does not fit.
    """
    digest = file_digest(weights)
    teacher = load_classifier(name, weights, "training.start")
    if not isinstance(teacher, ResNet):
        raise ValueError(f"{KEY}: {name} is no residual network, from which alone this start is made")
    first, blocks, classifier = _checked(network, name, teacher)
    trunk, inner = _activations(teacher, torch.from_numpy(images[:IMAGES]).float() * (WHITE / network.input_levels))
    clip = _clip(trunk, first.neurons)
    clips = dict.fromkeys(network.neuron_shapes, clip)
    order = torch.arange(teacher.conv1.out_channels)
    with torch.no_grad():
        _copy(first, teacher.conv1, teacher.bn1, torch.arange(len(teacher.mean)), order, 1.0, clip)
        _take_in(first, teacher)
        for (block_name, block), source, maps in zip(blocks.items(), teacher.blocks, inner, strict=True):
            middle, wider = torch.arange(source.conv1.out_channels), _wider(order, source)
            clips[inner_name(block_name)] = inner_clip = _clip([maps], block.conv1.neurons)
            _copy(block.conv1, source.conv1, source.bn1, order, middle, clip, inner_clip)
            _copy(block.conv2, source.conv2, source.bn2, middle, wider, inner_clip, clip)
            order = wider
        classifier.weight.copy_(teacher.linear.weight[:, order, None, None] * clip)
        classifier.bias.copy_(teacher.linear.bias)
    return {
        "file": weights.name, "sha256": digest, "taken": list(network.state_dict()), "left": {}, "classifier": name,
        "clips": clips,
    }


def _checked(
    network: SpikingNetwork, name: str, teacher: ResNet
) -> tuple[SpikingConv, dict[str, ResidualBlock], Classifier]:
    """Return the first convolution, the blocks and the classifier of a network that is built as ``teacher`` is."""
    layers = list(network.layers.items())
    kinds = [SpikingConv, *(ResidualBlock for _ in teacher.blocks), Classifier]
    if [type(layer) for _, layer in layers] != kinds:
        raise ValueError(
            f"{KEY}: {name} has a convolution, {len(teacher.blocks)} blocks and a classifier, this network "
            f"{', '.join(type(layer).__name__ for _, layer in layers)}: take the family cifar_{name.partition('_')[0]}"
        )
    if network.form.shape != teacher.shape:
        raise ValueError(f"{KEY}: {name} takes images {teacher.shape}, this network {network.form.shape}")
    for spikes, neurons in network.named_neurons():
        if not isinstance(neurons, Graded):
            raise ValueError(
                f"{KEY}: layer {spikes!r} has {neurons.text} neurons: what is not graded does not do as {name} does; "
                f"set neuron.dynamics to graded, and convert the trained network"
            )
    (_, first), *middle, (last_name, last) = layers
    assert isinstance(first, SpikingConv) and isinstance(last, Classifier)
    blocks = {block_name: block for block_name, block in middle if isinstance(block, ResidualBlock)}
    _check_convolution(name, layers[0][0], first, teacher.conv1)
    for (block_name, block), source in zip(blocks.items(), teacher.blocks, strict=True):
        _check_convolution(name, inner_name(block_name), block.conv1, source.conv1)
        _check_convolution(name, block_name, block.conv2, source.conv2)
        if not isinstance(block.shortcut, PadShortcut):
            raise ValueError(f"{KEY}: layer {block_name!r}: its shortcut has weights, that of {name} has none: set pad")
    shape = (*teacher.linear.weight.shape, 1, 1)
    if tuple(last.weight.shape) != shape:
        raise ValueError(f"{KEY}: layer {last_name!r} has weights {tuple(last.weight.shape)}, that of {name} {shape}")
    return first, blocks, last


def _check_convolution(name: str, layer_name: str, layer: NormConv, source: nn.Conv2d) -> None:
    """Raise a ValueError if a layer is no convolution as ``source``."""
    own, its = (
        (tuple(each.weight.shape), stride, padding) for each, stride, padding in (
            (layer, layer.stride, layer.padding), (source, source.stride[0], source.padding[0]),
        )
    )
    if own != its:
        raise ValueError(
            f"{KEY}: layer {layer_name!r} has weights {own[0]} (stride {own[1]}, padding {own[2]}), that of {name} "
            f"{its[0]} (stride {its[1]}, padding {its[2]})"
        )


def _activations(teacher: ResNet, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Return some activations of all maps that shortcuts join, and of those within the blocks."""
    trunk: list[Tensor] = []
    inner: list[Tensor] = []

    def keep(into: list[Tensor]):
        def hook(_module, _inputs, maps: Tensor) -> None:
            values = maps.relu().flatten()
            into.append(values[:: -(-len(values) // VALUES)])
        return hook

    handles = [teacher.bn1.register_forward_hook(keep(trunk))]
    for block in teacher.blocks:
        handles += [block.register_forward_hook(keep(trunk)), block.bn1.register_forward_hook(keep(inner))]
    try:
        with torch.no_grad():
            teacher(images)
    finally:
        for handle in handles:
            handle.remove()
    return trunk, inner


def _clip(maps: list[Tensor], neurons: nn.Module) -> float:
    """Return which activation 1.0 shall stand for: the squared error of levels over all ``maps`` is least."""
    assert isinstance(neurons, Graded)
    levels, greatest = neurons.levels, max(float(values.max()) for values in maps)
    tried = [greatest * part / CLIPS for part in range(1, CLIPS + 1)]

    def error(clip: float) -> float:
        found = 0.0
        for values in maps:
            rounded = torch.round((values / clip).clamp(0, 1) * levels) * (clip / levels)
            found += float((rounded - values).square().mean() / values.square().mean())
        return found

    return min(tried, key=error) if greatest else 1.0


def _copy(
    layer: NormConv, conv: nn.Conv2d, norm: nn.BatchNorm2d, inputs: Tensor, outputs: Tensor, clip_in: float,
    clip_out: float,
) -> None:
    """Copy a convolution and its normalization; ``inputs`` and ``outputs`` tell which of its channels ours are.

    With inputs divided by ``clip_in`` sums are, too: so are their statistics. Outputs are divided by ``clip_out``.
    """
    assert norm.running_mean is not None and norm.running_var is not None
    own = layer.norm
    assert own.running_mean is not None and own.running_var is not None
    layer.weight.copy_(conv.weight[outputs][:, inputs])
    own.running_mean.copy_(norm.running_mean[outputs] / clip_in)
    own.running_var.copy_(norm.running_var[outputs] / clip_in**2)
    own.weight.copy_(norm.weight[outputs] / clip_out)
    own.bias.copy_(norm.bias[outputs] / clip_out)


def _take_in(first: SpikingConv, teacher: ResNet) -> None:
    """Have the first convolution read images as they are, which ``teacher`` normalizes first.

    At the borders that differs: zeros around an image are its black here, and its mean there.
    """
    assert first.norm.running_mean is not None
    first.weight.div_(teacher.deviation)
    first.norm.running_mean.add_((first.weight * teacher.mean).sum((1, 2, 3)))


def _wider(order: Tensor, block: ResNetBlock) -> Tensor:
    """Return which of the classifier's channels behind a block ours are; ``order`` is that ahead of it.

    Zeros are put on both sides of the shortcut's channels there, behind them here.
    """
    before, count = block.added // 2, len(order) + block.added
    return torch.cat([order + before, torch.arange(before), torch.arange(before + len(order), count)])
