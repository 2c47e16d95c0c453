"""Networks from their description: the same description gives the float32 twin."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ...network.input import InputFormat
from .creation import create_layer
from .inversion import run_inverting
from .layer_recipe import ENDS, KINDS, TRANSFORMER_OPTIONS, LayerRecipe
from .layers import Classifier, ResidualBlock, SpikingConv
from .names import inner_name, part_name
from .neuron import SpikingNeurons
from .neurons import NEURONS, NeuronRecipe
from .quantizers import WeightQuantizer
from .stream_creation import create_stream_layer
from .streams import Grid, Heads, StreamLayer
from .transformer import TransformerBlock

__all__ = ["KINDS", "LayerRecipe", "SpikingNetwork"]

class SpikingNetwork(nn.Module):
    """A stack of layers that ends in a classifier, or in heads on streams."""

    def __init__(
        self,
        form: InputFormat,
        layers: list[LayerRecipe],
        neuron: NeuronRecipe,
        classes: int,
    ):
        super().__init__()
        kinds = [layer.kind for layer in layers]
        if sum(kind in ENDS for kind in kinds) != 1 or kinds[-1] not in ENDS:
            raise ValueError(f"layers must end in their only classifier, or heads; kinds are {kinds}")
        if form.direct and layers[0].kind in ("block", "embedding"):
            raise ValueError(
                f"layer {layers[0].name!r}: a layer of kind {layers[0].kind} reads spikes, not an image: put a "
                f"convolution ahead of it"
            )
        self.form = form
        self.layers = nn.ModuleDict()
        self.neuron_shapes: dict[str, tuple[int, int, int]] = {}
        """(channels, height, width) of all neurons but those of pools, by their spikes' names."""
        self.norm_values: dict[str, int] = {}
        """How many values of a channel the normalizations of each layer with neurons see in one sample."""
        self.inverts = False
        """Whether transformer blocks keep no activations for gradients, see :func:`.run_inverting`: then rates stand
        for the spikes of their parts."""
        shape = (form.channels, form.height, form.width)
        grid: Grid | None = None
        # Until the first neurons have spiked, there is one map for all steps.
        replayed = form.direct and form.steps > 1
        for layer in layers:
            if layer.name in self.layers:
                raise ValueError(f"layer {layer.name!r}: two layers have this name")
            steps = 1 if replayed else form.steps
            if replayed and layer.has_neurons:
                _check_replay(layer, neuron)
                replayed = False
            if layer.kind in TRANSFORMER_OPTIONS:
                module, shape, grid = create_stream_layer(layer, shape, form.steps, neuron, classes, grid)
                self._add_streams(layer.name, module, form.steps * math.prod(shape[1:]))
                continue
            if grid is not None:
                raise ValueError(
                    f"layer {layer.name!r}: a {layer.kind} reads spikes, a stream comes before it: end in heads"
                )
            self.layers[layer.name], shape = create_layer(layer, shape, neuron, classes)
            if layer.kind == "block":
                self.neuron_shapes[inner_name(layer.name)] = (layer.inner_channels or shape[0], *shape[1:])
            if layer.has_neurons:
                self.neuron_shapes[layer.name] = shape
                self.norm_values[layer.name] = steps * math.prod(shape[1:])

    def _add_streams(self, name: str, module: nn.Module, norm_values: int) -> None:
        """Add a layer that makes or reads streams; ``norm_values`` are of what it makes."""
        assert isinstance(module, StreamLayer)
        self.layers[name] = module
        self.neuron_shapes |= {part_name(name, part): each for part, each in module.neuron_shapes.items()}
        if not isinstance(module, Heads):
            self.norm_values[name] = norm_values

    def forward(self, inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return logits (steps, batch, classes), the mean of all heads', and spikes, see :meth:`answer`."""
        heads, spikes = self.answer(inputs)
        return heads[0] if len(heads) == 1 else heads.mean(0), spikes

    def answer(self, inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return logits (heads, steps, batch, classes) and the spikes of each layer by its name.

        A block's are those of its second convolution; the first one's are NAME.conv1. A transformer's are those of
        its parts, NAME.query and so on. A classifier is one head.
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
        chain: dict[str, TransformerBlock] = {}
        for name, layer in self.layers.items():
            if self.inverts and isinstance(layer, TransformerBlock) and torch.is_grad_enabled():
                chain[name] = layer
                continue
            if chain:
                assert isinstance(maps, tuple)
                found, maps = run_inverting(chain, maps)
                for block, rates in found.items():
                    spikes |= {part_name(block, part): rate for part, rate in rates.items()}
                chain = {}
            if isinstance(layer, StreamLayer):
                found, maps = layer(maps, self.form.steps)
                spikes |= {part_name(name, part): each for part, each in found.items()}
                continue
            if isinstance(layer, ResidualBlock):
                spikes[inner_name(name)], maps = layer(maps, self.form.steps)
            else:
                maps = layer(maps, self.form.steps)
            if isinstance(layer, Classifier):
                return maps[None], spikes
            spikes[name] = maps
        return maps, spikes

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
            elif isinstance(layer, StreamLayer):
                for part, neurons in layer.named_neurons():
                    yield part_name(name, part), neurons

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


def _check_replay(layer: LayerRecipe, neuron: NeuronRecipe) -> None:
    """Raise a ValueError if neurons that an image is replayed to need an input of every step."""
    recipe = layer.neurons(neuron)
    if not NEURONS[recipe.dynamics].replays:
        raise ValueError(
            f"layer {layer.name!r}: {recipe.dynamics} neurons cannot replay an image: set "
            f"layers.{layer.name}.neuron.dynamics to leaky, say, with reset none"
        )
