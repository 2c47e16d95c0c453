"""Layers as recipes describe them."""

from dataclasses import asdict, dataclass, field
from typing import Any

from torch import nn

from ..tables import build
from .neuron import SpikingNeurons
from .neurons import NeuronRecipe
from .quantizers import WEIGHT_QUANTIZERS, WeightQuantizer
from .streams import EmbeddingOptions, HeadOptions
from .transformer import TransformerOptions

__all__ = ["ENDS", "KINDS", "TRANSFORMER_OPTIONS", "LayerRecipe"]

KINDS = ("conv", "dense", "block", "pool", "classifier", "embedding", "transformer", "heads")
ENDS = ("classifier", "heads")
"""Kinds that make logits, of which a network has one, at its end."""
TRANSFORMER_OPTIONS: dict[str, type] = {
    "embedding": EmbeddingOptions, "transformer": TransformerOptions, "heads": HeadOptions,
}
SHORTCUTS = ("conv", "pad")


@dataclass(frozen=True, kw_only=True)
class LayerRecipe:
    """One layer."""

    name: str
    kind: str
    """One of KINDS."""
    channels: int = 0
    """Output channels of a convolution, dense layer or block."""
    inner_channels: int = 0
    """Of a block's first convolution; 0: as many as the block has."""
    kernel: int = 3
    stride: int = 1
    """Of a convolution or a block's first one; a pool has its kernel as stride."""
    padding: int = -1
    """Of a convolution; -1 is half the kernel, so that stride 1 keeps the map's size."""
    weights: str = "binary"
    """A name in WEIGHT_QUANTIZERS."""
    weight_bits: int = 1
    shortcut: str = "conv"
    """One of SHORTCUTS, of a block whose stride or channels differ from its input's: a 1x1
    convolution with the block's weights, or the spikes with silent channels added. Other blocks
    add their input spikes."""
    pooled: bool = True
    """Whether a classifier averages over pixels, instead of being fully connected."""
    neuron: dict = field(default_factory=dict)
    """What the layer's neurons have otherwise than those of the recipe, see :meth:`.NeuronRecipe.over`."""
    options: dict = field(default_factory=dict)
    """Further arguments of the weight quantizer."""
    transformer: dict = field(default_factory=dict)
    """What a kind in TRANSFORMER_OPTIONS has besides: the fields of its class."""

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"layer {self.name!r}: kind must be one of {KINDS}, not {self.kind!r}")
        if not self.name or "." in self.name:
            raise ValueError(f"layer {self.name!r}: a name must not be empty or have a dot")
        if hasattr(nn.ModuleDict, self.name):
            raise ValueError(f"layer {self.name!r}: PyTorch's modules use this name themselves")
        if (self.has_neurons or self.kind == "embedding") and self.channels < 1:
            raise ValueError(f"layer {self.name!r}: channels must be positive, not {self.channels}")
        if self.inner_channels < 0 or (self.inner_channels and self.kind != "block"):
            raise ValueError(
                f"layer {self.name!r}: inner_channels are a block's and 0 or more, "
                f"not a {self.kind}'s {self.inner_channels}"
            )
        if self.neuron and not self.has_neurons:
            raise ValueError(
                f"layer {self.name!r}: a {self.kind} has no neurons whose {', '.join(self.neuron)} to set"
            )
        if self.kernel < 1 or self.stride < 1:
            raise ValueError(
                f"layer {self.name!r}: kernel and stride must be positive, "
                f"not {self.kernel} and {self.stride}"
            )
        if self.shortcut not in SHORTCUTS:
            raise ValueError(
                f"layer {self.name!r}: shortcut must be one of {SHORTCUTS}, not {self.shortcut!r}"
            )
        if self.kind == "block" and (self.kernel % 2 == 0 or self.padding >= 0):
            raise ValueError(
                f"layer {self.name!r}: a block has an odd kernel and padding -1, "
                f"not {self.kernel} and {self.padding}"
            )
        if self.transformer and self.kind not in TRANSFORMER_OPTIONS:
            raise ValueError(
                f"layer {self.name!r}: a {self.kind} has no {', '.join(self.transformer)} in a table transformer"
            )
        if self.kind in TRANSFORMER_OPTIONS:
            self.create_transformer_options()

    @property
    def has_neurons(self) -> bool:
        """Whether the layer has neurons of its own; an OR-pool's are fixed."""
        return self.kind in ("conv", "dense", "block", "transformer")

    @property
    def has_integers(self) -> bool:
        """Whether :func:`.export_network` knows the layer in integers."""
        return self.kind == "pool" or WEIGHT_QUANTIZERS[self.weights].has_integers

    def neurons(self, default: NeuronRecipe) -> NeuronRecipe:
        """Return what the layer's neurons are, ``default`` where the layer sets nothing."""
        try:
            return default.over(**self.neuron)
        except ValueError as error:
            raise ValueError(f"layer {self.name!r}: {error}") from error

    def create_neurons(self, default: NeuronRecipe) -> SpikingNeurons:
        """Return the layer's neurons, of ``default`` where the layer sets nothing."""
        recipe = self.neurons(default)
        try:
            return recipe.create()
        except ValueError as error:
            raise ValueError(f"layer {self.name!r}: {error}") from error

    def create_quantizer(self) -> WeightQuantizer:
        """Return the weight quantizer."""
        quantizer = WEIGHT_QUANTIZERS.find(self.weights, f"layer {self.name!r}: weights")
        try:
            return quantizer(bits=self.weight_bits, **self.options)
        except (TypeError, ValueError) as error:
            raise ValueError(f"layer {self.name!r}: {error}") from error

    def create_transformer_options(self) -> Any:
        """Return the options of an embedding, a transformer or heads, an object of its class in TRANSFORMER_OPTIONS."""
        try:
            return build(TRANSFORMER_OPTIONS[self.kind], self.transformer, "transformer")
        except ValueError as error:
            raise ValueError(f"layer {self.name!r}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as in a recipe's file."""
        values = asdict(self)
        if not self.transformer:  # So that recipes of other layers stay as they were.
            del values["transformer"]
        return values
