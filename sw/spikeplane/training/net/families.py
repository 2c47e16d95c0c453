"""Families of networks, by the names that recipes use: a function each that returns the layers.

Where the papers average the spikes of a window, an OR-pool keeps them binary. The classifier
averages over the pixels that are left, but for VGG-9 and VGGSNN. Sources of the shapes are in
docs/training.md.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields

from ...registry import Registry
from ..tables import build
from .networks import LayerRecipe
from .transformer import TransformerOptions

__all__ = ["FAMILIES", "NetworkRecipe", "TransformerFamily"]


@dataclass(frozen=True, kw_only=True)
class TransformerFamily(TransformerOptions):
    """What recipes set of a network of transformer blocks: the blocks' options, and two more."""

    depth: int = 4
    """How many blocks there are."""
    tokenizer: str = "1 2 4 P 8 P 8"
    """Multiples of the first width, "s" behind those with stride 2, and "P" for 2x2 OR-pools; the last one is the
    embedding, and what it has channels have all blocks."""

    def __post_init__(self):
        super().__post_init__()
        if self.depth < 1:
            raise ValueError(f"depth must be positive, not {self.depth}")
        items = self.tokenizer.split()
        wrong = [item for item in items if item != "P" and not item.removesuffix("s").isdigit()]
        if wrong or len(items) < 2 or "P" in (items[0], items[-1]):
            raise ValueError(
                f"tokenizer must be widths, as 1 and 2s, and P, a width first and last, not {self.tokenizer!r}"
            )


@dataclass(frozen=True, kw_only=True)
class NetworkRecipe:
    """A network by its family."""

    family: str
    """A name in FAMILIES."""
    width: int | None = None
    """Channels of the first convolution, to which all others are in proportion; None: the
    family's own."""
    weights: str = "binary"
    """This and the next two are as in LayerRecipe, for all layers but the first and the last."""
    weight_bits: int = 1
    options: dict = field(default_factory=dict)
    edge_bits: int = 8
    """Bits of the first layer's and of the classifier's weights, which are absmax."""
    shortcut: str | None = None
    """As in LayerRecipe, for residual families; None: the family's own."""
    transformer: dict = field(default_factory=dict)
    """Of a family of transformers: the fields of TransformerFamily."""

    def __post_init__(self):
        FAMILIES.find(self.family, "network.family")
        if self.width is not None and self.width < 1:
            raise ValueError(f"network.width must be positive, not {self.width}")
        if self.shortcut is not None and all(layer.kind != "block" for layer in self.layers()):
            raise ValueError(f"network.shortcut is {self.shortcut!r}, but {self.family} has no blocks")
        if self.transformer and all(layer.kind != "transformer" for layer in self.layers()):
            raise ValueError(f"network.transformer is set, but {self.family} has no transformer blocks")

    def layers(self) -> list[LayerRecipe]:
        """Return the layers."""
        return FAMILIES[self.family](self)

    def first(self, channels: int, stride: int = 1) -> LayerRecipe:
        """Return the first convolution."""
        return LayerRecipe(
            name="conv1", kind="conv", channels=channels, stride=stride, weights="absmax",
            weight_bits=self.edge_bits,
        )

    def inner(self, name: str, kind: str, channels: int, **settings) -> LayerRecipe:
        """Return a layer between the first and the last."""
        return LayerRecipe(
            name=name, kind=kind, channels=channels, weights=self.weights,
            weight_bits=self.weight_bits, options=self.options, **settings,
        )

    def classifier(self, pooled: bool) -> LayerRecipe:
        """Return the classifier."""
        return LayerRecipe(
            name="classifier", kind="classifier", pooled=pooled, weights="absmax",
            weight_bits=self.edge_bits,
        )


def _vgg(network: NetworkRecipe, plan: str, width: int) -> list[LayerRecipe]:
    """Return convolutions of so many widths, "s" with stride 2, and 2x2 OR-pools, "P"."""
    layers = []
    count = 0
    for item in plan.split():
        if item == "P":
            layers.append(LayerRecipe(name=f"pool{count}", kind="pool", kernel=2))
            continue
        count += 1
        channels = (network.width or width) * int(item.rstrip("s"))
        stride = 2 if item.endswith("s") else 1
        if count == 1:
            layers.append(network.first(channels, stride))
        else:
            layers.append(network.inner(f"conv{count}", "conv", channels, stride=stride))
    return layers


def bestformer(network: NetworkRecipe) -> list[LayerRecipe]:
    """Return a spiking tokenizer, transformer blocks on residual streams, and two heads; 48 channels at first."""
    options = build(TransformerFamily, network.transformer, "network.transformer")
    *plan, last = options.tokenizer.split()
    layers = _vgg(network, " ".join(plan), 48)
    channels = (network.width or 48) * int(last.rstrip("s"))
    own = {item.name: getattr(options, item.name) for item in fields(TransformerOptions)}
    return [
        *layers,
        network.inner("embedding", "embedding", channels, stride=2 if last.endswith("s") else 1),
        *(network.inner(f"block{index}", "transformer", channels, transformer=own)
          for index in range(1, options.depth + 1)),
        LayerRecipe(name="heads", kind="heads", weights="absmax", weight_bits=network.edge_bits),
    ]


def vgg9(network: NetworkRecipe) -> list[LayerRecipe]:
    """Return 7 convolutions, a dense layer and the classifier; 64 channels in the first one."""
    convolutions = _vgg(network, "1 1 P 2 2 P 4 4 4 P", 64)
    dense = network.inner("dense", "dense", 16 * convolutions[0].channels)
    return [*convolutions, dense, network.classifier(pooled=False)]


def vgg11(network: NetworkRecipe) -> list[LayerRecipe]:
    """Return 8 convolutions and the classifier; 64 channels in the first one."""
    return [*_vgg(network, "1 P 2 P 4 4 P 8 8 P 8 8", 64), network.classifier(pooled=True)]


def vgg16(network: NetworkRecipe) -> list[LayerRecipe]:
    """Return 13 convolutions and the classifier; 64 channels in the first one."""
    convolutions = _vgg(network, "1 1 P 2 2 P 4 4 4 P 8 8 8 P 8 8 8", 64)
    return [*convolutions, network.classifier(pooled=True)]


def vggsnn(network: NetworkRecipe) -> list[LayerRecipe]:
    """Return 8 convolutions and the classifier, for event data; 64 channels in the first one."""
    convolutions = _vgg(network, "1 2 P 4 4 P 8 8 P 8 8 P", 64)
    return [*convolutions, network.classifier(pooled=False)]


def vgg_compact(network: NetworkRecipe) -> list[LayerRecipe]:
    """Return 5 convolutions, strides in place of pools, and the classifier; 32 channels at first."""
    return [*_vgg(network, "1s 2s 4s 4 4", 32), network.classifier(pooled=True)]


def _resnet(
    network: NetworkRecipe, plan: list[tuple[int, int]], width: int, shortcut: str
) -> list[LayerRecipe]:
    """Return a convolution, stages of (widths, blocks), the later ones with stride 2, classifier."""
    width = network.width or width
    layers = [network.first(width)]
    for stage, (multiple, count) in enumerate(plan):
        for index in range(count):
            layers.append(network.inner(
                f"block{len(layers)}", "block", multiple * width,
                stride=2 if stage and index == 0 else 1, shortcut=network.shortcut or shortcut,
            ))
    return [*layers, network.classifier(pooled=True)]


def resnet19(network: NetworkRecipe) -> list[LayerRecipe]:
    """Return a convolution, 8 blocks, 128 channels at first, shortcuts with weights, classifier."""
    return _resnet(network, [(1, 3), (2, 3), (4, 2)], 128, "conv")


def resnet20(network: NetworkRecipe) -> list[LayerRecipe]:
    """Return a convolution, 9 blocks, 64 channels at first, weightless shortcuts, classifier."""
    return _resnet(network, [(2, 3), (4, 3), (8, 3)], 64, "pad")


def cifar_resnet20(network: NetworkRecipe) -> list[LayerRecipe]:
    """Return ResNet-20 as it was made for CIFAR (arXiv 1512.03385): 16 channels at first, 9 blocks with
    weightless shortcuts, classifier."""
    return _resnet(network, [(1, 3), (2, 3), (4, 3)], 16, "pad")


def cifar_resnet56(network: NetworkRecipe) -> list[LayerRecipe]:
    """Return the same network with 27 blocks."""
    return _resnet(network, [(1, 9), (2, 9), (4, 9)], 16, "pad")


FAMILIES: Registry[Callable[[NetworkRecipe], list[LayerRecipe]]] = Registry("network", {
    "bestformer": bestformer, "cifar_resnet20": cifar_resnet20, "cifar_resnet56": cifar_resnet56, "resnet19": resnet19,
    "resnet20": resnet20, "vgg11": vgg11, "vgg16": vgg16, "vgg9": vgg9, "vgg_compact": vgg_compact, "vggsnn": vggsnn,
})
