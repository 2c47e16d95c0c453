"""Modules of layers that make or read residual streams, as recipes describe them."""

from torch import nn

from ...network.geometry import output_side
from .layer_recipe import LayerRecipe
from .neuron import SpikingNeurons
from .neurons import NeuronRecipe
from .streams import Embedding, Grid, Heads
from .transformer import TransformerBlock

__all__ = ["create_stream_layer"]

def create_stream_layer(
    layer: LayerRecipe, shape: tuple[int, int, int], steps: int, neuron: NeuronRecipe, classes: int, grid: Grid | None
) -> tuple[nn.Module, tuple[int, int, int], Grid]:
    """Return the module of a layer, (channels, height, width) of its output, and the grid of its stream.

    ``grid`` is that of the streams it reads, None if what comes before are spikes. A ValueError names the layer.
    """
    if (layer.kind == "embedding") != (grid is None):
        what = "reads spikes, but a stream comes before it" if grid else "reads streams: put an embedding ahead of it"
        raise ValueError(f"layer {layer.name!r}: a layer of kind {layer.kind} {what}")
    options = layer.create_transformer_options()
    try:
        if grid is None:
            made = _embedding(layer, shape, Grid(options.fraction_bits, layer.has_integers))
            return *made, made[0].grid
        if layer.kind == "heads":
            return Heads(
                shape, classes, quantizer=layer.create_quantizer(), grid=grid, **vars(options)
            ), (classes, 1, 1), grid
        if layer.channels != shape[0]:
            raise ValueError(f"channels are {layer.channels}, its stream has {shape[0]}")

        def neurons(**settings) -> SpikingNeurons:
            recipe = layer.neurons(neuron)
            if recipe.dynamics != "leaky":
                raise ValueError(f"its attention needs leaky neurons, not {recipe.dynamics}")
            return recipe.over(**settings).create()

        return TransformerBlock(
            shape, steps, options, grid=grid, quantizer=layer.create_quantizer, neurons=neurons
        ), shape, grid
    except ValueError as error:
        where = f"layer {layer.name!r}: "
        raise ValueError(str(error) if str(error).startswith(where) else where + str(error)) from error


def _embedding(
    layer: LayerRecipe, shape: tuple[int, int, int], grid: Grid
) -> tuple[Embedding, tuple[int, int, int]]:
    padding = layer.kernel // 2 if layer.padding < 0 else layer.padding
    sides = [output_side(side, layer.kernel, layer.stride, padding) for side in shape[1:]]
    if min(sides) < 1:
        raise ValueError(f"kernel {layer.kernel} exceeds its {shape[1]}x{shape[2]} input")
    module = Embedding(
        shape[0], layer.channels, (layer.kernel, layer.kernel), stride=layer.stride, padding=padding,
        quantizer=layer.create_quantizer(), grid=grid,
    )
    return module, (layer.channels, sides[0], sides[1])
