"""Networks from their description: the same description gives the float32 twin."""

import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ...network.geometry import output_side
from ...network.input import InputFormat
from .layers import Classifier, NormConv, OrPool, PadShortcut, ResidualBlock, SpikingConv
from .neuron import SpikingNeurons
from .neurons import NEURONS, NeuronRecipe
from .quantizers import WEIGHT_QUANTIZERS, WeightQuantizer

__all__ = ["KINDS", "LayerRecipe", "SpikingNetwork", "inner_name", "synapse_names"]

KINDS = ("conv", "dense", "block", "pool", "classifier")
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

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"layer {self.name!r}: kind must be one of {KINDS}, not {self.kind!r}")
        if not self.name or "." in self.name:
            raise ValueError(f"layer {self.name!r}: a name must not be empty or have a dot")
        if hasattr(nn.ModuleDict, self.name):
            raise ValueError(f"layer {self.name!r}: PyTorch's modules use this name themselves")
        if self.has_neurons and self.channels < 1:
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

    @property
    def has_neurons(self) -> bool:
        """Whether the layer has neurons of its own; an OR-pool's are fixed."""
        return self.kind in ("conv", "dense", "block")

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


class SpikingNetwork(nn.Module):
    """A stack of layers that ends in a classifier."""

    def __init__(
        self,
        form: InputFormat,
        layers: list[LayerRecipe],
        neuron: NeuronRecipe,
        classes: int,
    ):
        super().__init__()
        kinds = [layer.kind for layer in layers]
        if kinds.count("classifier") != 1 or kinds[-1] != "classifier":
            raise ValueError(f"layers must end in their only classifier; kinds are {kinds}")
        if form.direct and layers[0].kind == "block":
            raise ValueError(
                f"layer {layers[0].name!r}: a block reads spikes, not an image: put a convolution "
                f"ahead of it"
            )
        self.form = form
        self.layers = nn.ModuleDict()
        self.neuron_shapes: dict[str, tuple[int, int, int]] = {}
        """(channels, height, width) of all neurons but those of pools, by their spikes' names."""
        self.norm_values: dict[str, int] = {}
        """How many values of a channel the normalizations of each layer with neurons see in one sample."""
        shape = (form.channels, form.height, form.width)
        # Until the first neurons have spiked, there is one map for all steps.
        replayed = form.direct and form.steps > 1
        for layer in layers:
            if layer.name in self.layers:
                raise ValueError(f"layer {layer.name!r}: two layers have this name")
            steps = 1 if replayed else form.steps
            if replayed and layer.has_neurons:
                _check_replay(layer, neuron)
                replayed = False
            self.layers[layer.name], shape = _create(layer, shape, neuron, classes)
            if layer.kind == "block":
                self.neuron_shapes[inner_name(layer.name)] = (layer.inner_channels or shape[0], *shape[1:])
            if layer.has_neurons:
                self.neuron_shapes[layer.name] = shape
                self.norm_values[layer.name] = steps * math.prod(shape[1:])

    def forward(self, inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return logits (steps, batch, classes) and the spikes of each layer by its name.

        A block's are those of its second convolution; the first one's are NAME.conv1.
        ``inputs`` are integers, (batch, steps, channels, height, width), or an image
        (batch, channels, height, width) if direct-coded, which stands for image / (2**bits - 1).
        """
        if tuple(inputs.shape[1:]) != self.form.shape:
            raise ValueError(
                f"inputs have shape {tuple(inputs.shape)}, must be (batch, *{self.form.shape})"
            )
        maps = inputs[None] if self.form.direct else inputs.transpose(0, 1)
        maps = maps.to(torch.float32) / self.input_levels
        spikes = {}
        for name, layer in self.layers.items():
            if isinstance(layer, ResidualBlock):
                spikes[inner_name(name)], maps = layer(maps, self.form.steps)
            else:
                maps = layer(maps, self.form.steps)
            spikes[name] = maps
        return spikes.popitem()[1], spikes

    @contextmanager
    def recording(self) -> Iterator[dict[str, Tensor]]:
        """Fill a dictionary with the potentials of forward passes in this context.

        It has those before the reset (steps, batch, channels, height, width), with gradients, by the
        names of the spikes; after each pass the last one's.
        """
        found: dict[str, Tensor] = {}
        handles = []

        def keep(name: str, module: SpikingNeurons) -> None:
            module.records = True

            def take(*_) -> None:
                assert module.recorded is not None
                found[name], module.recorded = module.recorded, None
            handles.append(module.register_forward_hook(take))

        neurons = dict(self.named_neurons())
        try:
            for name, module in neurons.items():
                keep(name, module)
            yield found
        finally:
            for module in neurons.values():
                module.records, module.recorded = False, None
            for handle in handles:
                handle.remove()

    def named_neurons(self) -> Iterator[tuple[str, SpikingNeurons]]:
        """Yield the neurons of all layers by the names of their spikes, pools left out."""
        for name, layer in self.layers.items():
            if isinstance(layer, ResidualBlock):
                yield inner_name(name), layer.conv1.neurons
                yield name, layer.conv2.neurons
            elif isinstance(layer, SpikingConv):
                yield name, layer.neurons

    @property
    def input_levels(self) -> int:
        """The input integer that stands for 1.0."""
        return (1 << self.form.bits) - 1

    @property
    def weight_count(self) -> int:
        """Weights of convolutions and classifier; normalization and biases are left out."""
        return sum(value.numel() for value in self.parameters() if value.ndim > 1)

    @property
    def neuron_count(self) -> int:
        """Neurons, those of pools left out."""
        return sum(map(math.prod, self.neuron_shapes.values()))

    def set_progress(self, progress: float) -> None:
        """Pass on how much of the training is done, 0 to 1, to quantizers that anneal."""
        for module in self.modules():
            if isinstance(module, WeightQuantizer):
                module.set_progress(progress)


def inner_name(name: str) -> str:
    """Return what the spikes of a block's first convolution are called."""
    return f"{name}.conv1"


def synapse_names(name: str, count: int, nodes: Collection[str]) -> list[str]:
    """Return what the ``count`` terms with weights of integer node ``name`` are called as modules.

    The second layer of a block has those of its convolution and of its shortcut; ``nodes`` are the
    names of all nodes.
    """
    if inner_name(name) in nodes:
        return [f"{name}.conv2", f"{name}.shortcut"][:count]
    return [name]


def _check_replay(layer: LayerRecipe, neuron: NeuronRecipe) -> None:
    """Raise a ValueError if neurons that an image is replayed to need an input of every step."""
    recipe = layer.neurons(neuron)
    if not NEURONS[recipe.dynamics].replays:
        raise ValueError(
            f"layer {layer.name!r}: {recipe.dynamics} neurons cannot replay an image: set "
            f"layers.{layer.name}.neuron.dynamics to leaky, say, with reset none"
        )


def _create(
    layer: LayerRecipe, shape: tuple[int, int, int], neuron: NeuronRecipe, classes: int
) -> tuple[nn.Module, tuple[int, int, int]]:
    """Return a layer's module and the (channels, height, width) of its output."""
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
