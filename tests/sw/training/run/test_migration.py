"""Checkpoints of the first format: the oldest networks of the zoo, and a recipe of both kinds of neurons."""

import json
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from spikeplane.training.net.layers import SpikingConv
from spikeplane.training.recipe.recipes import Recipe, load_recipe
from spikeplane.training.run.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from spikeplane.training.run.migration import migrate_recipe

ZOO = Path(__file__).parents[4] / "zoo"


PRUNED = "-pruned"
"""What names of pruned networks end with: their recipes are written by the pruning."""
NAMES = sorted(path.parent.name for path in ZOO.glob("*/checkpoint.safetensors"))


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith(PRUNED)])
def test_networks_of_the_zoo_are_of_their_recipes(name):
    """What `spikeplane train` would begin anew, so that it leaves a finished one alone."""
    checkpoint = load_checkpoint(ZOO / name / "checkpoint.safetensors")
    assert checkpoint.finished and checkpoint.recipe == load_recipe(name)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(PRUNED)])
def test_pruned_networks_of_the_zoo_are_of_others(name):
    checkpoint, whole = load_checkpoint(ZOO / name / "checkpoint.safetensors"), load_recipe(name.removesuffix(PRUNED))
    assert checkpoint.finished and checkpoint.recipe.name == name and checkpoint.recipe.data == whole.data
    channels = [
        (pruned.channels, layer.channels)
        for pruned, layer in zip(checkpoint.recipe.layers, whole.layers, strict=True) if layer.has_neurons
    ]
    assert all(left < all_of_them for left, all_of_them in channels)


@pytest.mark.parametrize("name", ["digits", "mnist", "mnist_tiny", "nmnist", "ncars"])
def test_the_oldest_networks_of_the_zoo_load_as_they_were_trained(name, tmp_path):
    path = ZOO / name / "checkpoint.safetensors"
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["spikeplane"])
    assert header["format"] == "spikeplane-checkpoint-1"
    checkpoint = load_checkpoint(path)
    former = {layer["name"]: {**header["recipe"]["neuron"], **settings(layer)} for layer in header["recipe"]["layers"]}
    found = {name: module.neurons for name, module in checkpoint.network.layers.items()
             if isinstance(module, SpikingConv)}
    assert len(found) >= 3
    for layer, neurons in found.items():
        neuron, taps = neurons.integers()
        assert neuron.state_bits == former[layer]["state_bits"] and taps == (0,)
        assert neuron.levels.value == former[layer]["levels"] and neuron.leak == former[layer]["leak"]
        assert neuron.reset.name.lower() == former[layer]["reset"]
    again = tmp_path / "again.safetensors"
    save_checkpoint(checkpoint, again)
    assert load_checkpoint(again).recipe == checkpoint.recipe


def settings(layer):
    names = ("state_bits", "levels", "leak", "reset")
    return {name: layer[name] for name in names if layer[name] is not None}


def test_layers_of_another_kind_of_neuron():
    own = ("dynamics", "taps", "learned_taps", "state_bits", "levels", "leak", "reset")
    nothing = dict.fromkeys(own)
    neuron = {"dynamics": "memory_free", "taps": 3, "learned_taps": False, "state_bits": 4, "levels": "uniform",
              "leak": 0.25, "reset": "hard"}
    layers = [
        {"name": "a", "kind": "conv", "channels": 2, **nothing, "dynamics": "leaky", "reset": "none"},
        {"name": "b", "kind": "conv", "channels": 2, **nothing, "taps": 2, "state_bits": 8},
        {"name": "c", "kind": "classifier", **nothing},
    ]
    values = {"name": "x", "seed": 1, "data": {"name": "digits", "steps": 3}, "neuron": neuron, "layers": layers,
              "training": {"epochs": 1}}
    recipe = Recipe.from_dict(migrate_recipe(values))
    assert recipe.neuron.to_dict() == {"dynamics": "memory_free", "taps": 3, "learned_taps": False}
    # A layer of the other kind took over what the recipe said of it.
    assert recipe.layers[0].neuron == {
        "dynamics": "leaky", "state_bits": 4, "levels": "uniform", "leak": 0.25, "reset": "none",
    }
    assert recipe.layers[1].neuron == {"taps": 2} and recipe.layers[2].neuron == {}


def test_a_recipe_of_no_format_is_refused(tmp_path):
    path = ZOO / "digits" / "checkpoint.safetensors"
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["spikeplane"])
    del header["recipe"]["neuron"]["leak"]
    save_file(load_file(path), tmp_path / "x.safetensors", {"spikeplane": json.dumps(header)})
    with pytest.raises(CheckpointError, match="the metadata has no 'leak'"):
        load_checkpoint(tmp_path / "x.safetensors")
