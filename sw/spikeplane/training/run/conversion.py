"""Conversion: a network of graded activations becomes one that spikes, with the same weights (Fast-SNN, TPAMI 2023).

An activation of ``2**bits`` levels is the spike count of ``n = 2**bits - 1`` steps over n. The sum of a layer's
currents over the steps is n times the current of the activations, whatever the order of the spikes.
"""

import dataclasses
from pathlib import Path

import torch

from ..net.layer_recipe import TRANSFORMER_OPTIONS
from ..net.networks import SpikingNetwork
from ..net.neurons import NeuronRecipe
from ..recipe.recipes import Recipe
from .checkpoint import Checkpoint, load_checkpoint
from .start import file_digest

__all__ = ["ConversionError", "convert"]


class ConversionError(ValueError):
    """A checkpoint cannot be converted; the message names the file, the layer and what would do."""


def convert(source: Path, *, signed: bool = False) -> Checkpoint:
    """Return the checkpoint of the spiking network that the one at ``source`` becomes, not trained on.

    ``signed``: neurons take back spikes that came too early, by negative ones, which no core has. The history is that
    of the network it was converted from. A ConversionError says what cannot be converted.
    """
    source = Path(source)
    loaded = load_checkpoint(source)
    if not loaded.finished:
        raise ConversionError(
            f"{source}: its training is not finished ({loaded.epoch} of {loaded.recipe.training.epochs} epochs): "
            f"train first, then convert"
        )
    steps = (1 << _bits(source, loaded.recipe)) - 1
    neuron = NeuronRecipe("integrating", signed=signed)
    layers = [dataclasses.replace(layer, neuron={}) for layer in loaded.recipe.layers]
    recipe = dataclasses.replace(
        loaded.recipe, name=f"{loaded.recipe.name}-converted", neuron=neuron, layers=layers,
        data=dataclasses.replace(loaded.recipe.data, steps=steps),
    )
    form = dataclasses.replace(loaded.network.form, steps=steps)
    with torch.random.fork_rng(devices=[]):
        network = SpikingNetwork(form, layers, neuron, loaded.classes)
    state = loaded.network.state_dict()
    network.load_state_dict(state)
    record = {
        "file": source.name, "sha256": file_digest(source), "taken": sorted(state), "left": {},
        "converted": {"steps": steps, "signed": signed},
    }
    return dataclasses.replace(loaded, recipe=recipe, network=network.eval(), begun=record, optimizer={})


def _bits(source: Path, recipe: Recipe) -> int:
    """Return the bits of all activations; a ConversionError says which layer has others, or none."""
    found: dict[str, int] = {}
    for layer in recipe.layers:
        if layer.kind == "pool":
            raise ConversionError(
                f"{source}: layer {layer.name!r}: the greatest of several activations is not that of their spikes step "
                f"by step: take a stride in place of the pool"
            )
        if layer.kind in TRANSFORMER_OPTIONS:
            raise ConversionError(
                f"{source}: layer {layer.name!r}: a layer of kind {layer.kind} is not converted: its streams take "
                f"neurons of other thresholds"
            )
        if layer.has_neurons:
            neurons = layer.neurons(recipe.neuron)
            if neurons.dynamics != "graded":
                raise ConversionError(
                    f"{source}: layer {layer.name!r}: it has {neurons.dynamics} neurons, which spike already; train a "
                    f"network with neuron.dynamics graded"
                )
            found[layer.name] = neurons.options["bits"]
    first, bits = next(iter(found.items()))
    for name, other in found.items():
        if other != bits:
            raise ConversionError(
                f"{source}: layer {name!r}: its activations have {other} bits, those of {first!r} {bits}: one number "
                f"of steps holds for all"
            )
    return bits
