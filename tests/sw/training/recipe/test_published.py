"""Recipes of published networks, and the compact one: what their names say, and that they run."""

import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from spikeplane.compiler.compile import compile_network
from spikeplane.network.input import InputFormat
from spikeplane.network.merge import merge_pools
from spikeplane.pruning.groups import find_groups
from spikeplane.pruning.removal import check_counts, kept_count, pruned_layers
from spikeplane.training.net.export import export_network
from spikeplane.training.net.lif import LIF
from spikeplane.training.net.memory_free import MemoryFree
from spikeplane.training.net.networks import SpikingNetwork
from spikeplane.training.recipe.recipes import load_recipe, recipe_names
from spikeplane.training.run.checkpoint import Checkpoint
from spikeplane_hw.config import LARGE, SMALL
from spikeplane_hw.memory_map import Space

FAMILIES = [
    name for name in recipe_names()
    if name.startswith(("cifar", "dvsgesture")) and "bestformer" not in name
    and name not in ("cifar10_core", "cifar10_resnet20_levels", "cifar10_tiny")
]
PAGE = (Path(__file__).parents[4] / "docs/training.md").read_text()
CLASSES = {"cifar10": 10, "cifar100": 100, "cifar10dvs": 10, "dvsgesture": 11}


def recipe_text(name: str) -> str:
    """Return a recipe's file."""
    return (Path(str(resources.files("spikeplane") / "recipes")) / f"{name}.toml").read_text()


def start(name: str, *overrides: str) -> Checkpoint:
    """Return an untrained network of a recipe."""
    recipe = load_recipe(name, overrides)
    data = recipe.data
    form = (
        InputFormat(channels=2, height=data.side, width=data.side, steps=data.steps)
        if data.side else
        InputFormat(channels=3, height=32, width=32, steps=data.steps, bits=data.bits, direct=True)
    )
    return Checkpoint.start(recipe, form, CLASSES[data.name])


@pytest.mark.parametrize("name", FAMILIES)
def test_recipes_are_what_their_names_say(name):
    checkpoint = start(name, "network.width=2")
    recipe, network = checkpoint.recipe, checkpoint.network
    assert recipe.name == name and recipe.data.name == name.split("_")[0]
    neurons = [module for module in network.modules() if isinstance(module, LIF | MemoryFree)]
    assert len(neurons) == len(network.neuron_shapes)
    inner = {
        (layer.weights, layer.weight_bits) for layer in recipe.layers[1:-1] if layer.kind != "pool"
    }
    bits = re.search(r"_(\d)w(\d+)u$", name)
    weight_bits = int(bits[1]) if bits else 1
    assert inner == {("binary" if weight_bits == 1 else "rescaled", weight_bits)}
    if bits:
        assert {neuron.neuron.state_bits for neuron in neurons} == {int(bits[2])}
    elif name.endswith("_memory_free"):
        replayed = int(network.form.direct)
        assert all(isinstance(neuron, MemoryFree) for neuron in neurons[replayed:])
        assert all(neuron.neuron.reset.name == "NONE" for neuron in neurons)
    else:
        assert name == "cifar10_compact"
    random = np.random.RandomState(0)
    form = network.form
    inputs = random.randint(0, 1 << form.bits, (2, *form.shape))
    logits, spikes = network(torch.from_numpy(inputs))
    assert logits.shape == (form.steps, 2, CLASSES[recipe.data.name])
    assert 0 < np.mean([maps.detach().mean() for maps in spikes.values()]) < 1


def test_the_page_names_all_and_says_what_they_say():
    for name in recipe_names():
        assert f"`{name}`" in PAGE, name
    folder = Path(str(resources.files("spikeplane") / "recipes"))
    for name in FAMILIES:
        comment = (folder / f"{name}.toml").read_text().partition("extends")[0]
        for figure in re.findall(r"(\d+\.\d+) %", comment):
            (row,) = (line for line in PAGE.splitlines() if line.startswith("|") and f"`{name}`" in line)
            assert figure in row, (name, figure)


def test_all_but_the_oldest_of_the_zoo_hold_samples_out():
    """These were trained without a validation part; what they chose by is in bench/ and docs/."""
    without = {name for name in recipe_names() if not load_recipe(name).data.validation}
    assert without == {"digits", "mnist", "mnist_tiny", "nmnist", "ncars"}
    assert all((Path(__file__).parents[4] / "zoo" / name).is_dir() for name in without)


def test_the_published_ones_train_alike():
    """Of one paper only data, network and neurons differ, so that their figures compare."""
    rest = {"optimizer": "sgd", "learning_rate": 0.1, "weight_decay": 1e-4, "epochs": 300}
    for rescaled, loss in ((False, "tet"), (True, "mean")):
        names = [name for name in FAMILIES if name != "cifar10_compact" and name.endswith("_2w16u") == rescaled]
        images = {str(load_recipe(n).training) for n in names if n.startswith(("cifar10_", "cifar100_"))}
        events = [load_recipe(n).training for n in names if "dvs" in n]
        assert len(images) == 1
        expected = rest | {"losses": {loss: {}}}
        assert events
        assert all({key: getattr(training, key) for key in expected} == expected for training in events)


def test_the_one_made_for_the_core_fits_the_chip_with_its_pools_merged():
    network = export_network(start("cifar10_core").network)
    assert Space.EXTERNAL in compile_network(network, LARGE, keep_maps=False).contents
    assert Space.WEIGHTS in compile_network(merge_pools(network), LARGE, keep_maps=False).contents


@pytest.mark.parametrize(("config", "overrides"), [(LARGE, []), (SMALL, ["network.width=16"])], ids=lambda v: str(v))
def test_the_compact_one_fits(config, overrides):
    network = start("cifar10_compact", *overrides).network
    with torch.no_grad():  # The greatest sums that the first layer can have.
        network.layers["conv1"].weight.fill_(1.0)
    compile_network(export_network(network), config)


@pytest.mark.parametrize("name", [name for name in FAMILIES if load_recipe(name).pruning])
def test_ratios_are_those_of_their_layers(name):
    """At full width they leave as many weights as the file says."""
    recipe = load_recipe(name)
    millions = float(re.search(r"ratios, which leave (\d\.\d\d) million weights", recipe_text(name))[1])
    with torch.device("meta"):
        network = start(name).network
    groups = find_groups(network, recipe.layers)
    assert recipe.pruning.ratios.keys() <= {group.name for group in groups}
    counts = {group.name: kept_count(group.channels, recipe.pruning.ratios.get(group.name, 0.0)) for group in groups}
    check_counts(groups, counts)
    with torch.device("meta"):
        smaller = SpikingNetwork(network.form, pruned_layers(recipe.layers, groups, counts), recipe.neuron, 10)
    assert smaller.weight_count / 1e6 == pytest.approx(millions, rel=0.02)
