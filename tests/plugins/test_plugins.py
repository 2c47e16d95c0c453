"""Parts from outside the package: a file each, registered, named by a recipe, trained and exported."""

import dataclasses

import numpy as np
import pytest
import torch
from plugins import integrator, quiet, ternary
from spikeplane.network import model
from spikeplane.training.net.export import export_network
from spikeplane.training.net.families import FAMILIES, NetworkRecipe
from spikeplane.training.net.networks import LayerRecipe
from spikeplane.training.net.neurons import NEURONS, NeuronRecipe
from spikeplane.training.net.quantizers import WEIGHT_QUANTIZERS
from spikeplane.training.recipe.losses import LOSSES
from spikeplane.training.recipe.recipes import Recipe, RecipeError, load_recipe
from spikeplane.training.recipe.regularizers import REGULARIZERS
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.evaluate import compare
from spikeplane.training.run.train import train
from training_process import sample_data
from training_samples import layers, offer_sample, recipe, samples


@pytest.fixture(autouse=True)
def use_samples(monkeypatch):
    offer_sample(monkeypatch, sample_data)


@pytest.fixture
def registered():
    """Register a plugin for one test."""
    added = []

    def add(registry, name, register):
        register()
        added.append((registry, name))

    yield add
    for registry, name in added:
        registry.unregister(name)


def agreement(chosen: Recipe, folder):
    """Train, export, and return how the integer model agrees, after the table of the recipe and back."""
    checkpoint = load_checkpoint(train(Recipe.from_dict(chosen.to_dict()), folder, progress=False))
    return checkpoint, compare(checkpoint.network, export_network(checkpoint.network), samples(seed=1).inputs)


def test_a_neuron(tmp_path, registered):
    known = "graded, imported, integrating, leaky, memory_free"
    with pytest.raises(ValueError, match=rf"neuron\.dynamics must be one of {known}, not 'integrator'"):
        NeuronRecipe("integrator")
    registered(NEURONS, "integrator", integrator.register)
    chosen = dataclasses.replace(recipe(epochs=2), neuron=NeuronRecipe("integrator", threshold=0.5))
    checkpoint, found = agreement(chosen, tmp_path)
    assert all(isinstance(each, integrator.Integrator) for _, each in checkpoint.network.named_neurons())
    assert all(share > 0.995 for share in found.spikes.values())
    assert all(0.02 < rate < 0.98 for name, rate in found.rates.items() if name != "pool")
    integers = export_network(checkpoint.network)
    neurons = [node.ending.neuron for node in integers.nodes if node.kind == "layer" and node.ending.kind == "fire"]
    assert {neuron.fire_above for neuron in neurons} == {1 << 11}
    assert model.run(integers, samples().inputs).predictions.shape == (96,)
    # In one layer alone, on the command line, with its own options.
    named = load_recipe("digits", ["layers.conv2.neuron={dynamics='integrator', threshold=2}"])
    assert named.layers[1].create_neurons(named.neuron).text == "integrators, threshold 2"
    assert named.layers[1].create_neurons(named.neuron).stored_bits == 16
    for override, message in (
        ("neuron={dynamics='integrator', leak=1}", r"unknown key neuron\.leak; known are threshold"),
        ("neuron={dynamics='integrator', threshold=-1}",
         r"layer 'conv1': threshold must be above 0 and below 8, not -1"),
    ):
        with pytest.raises(RecipeError, match=message):
            load_recipe("digits", ["layers.conv4.neuron={}", override])


def test_a_quantizer(tmp_path, registered):
    registered(WEIGHT_QUANTIZERS, "ternary", ternary.register)
    checkpoint, found = agreement(
        dataclasses.replace(recipe(epochs=2), layers=layers(inner="ternary", bits=2)), tmp_path
    )
    assert all(share > 0.995 for share in found.spikes.values())
    (inner,) = export_network(checkpoint.network).nodes[1].terms
    assert set(np.unique(inner.weight)) == {-1, 0, 1} and inner.weight_bits == 2
    with pytest.raises(RecipeError, match="layer 'conv2': ternary weights have 2 bits, not 1"):
        load_recipe("digits", ["layers.conv2.weights=ternary"])


def test_a_loss(tmp_path, registered):
    registered(LOSSES, "quiet", quiet.register)
    rates = []
    for weight in (0.0, 10.0):
        losses = {"tet": {}, "quiet": {"weight": weight, "margin": 0.5}}
        path = train(recipe(epochs=4, losses=losses, augmentations={}), tmp_path / str(weight), progress=False)
        rates.append(load_checkpoint(path).history[-1]["rates"]["inner"])
    assert rates[1] < 0.7 * rates[0]
    with pytest.raises(RecipeError, match=r"training\.losses\.quiet: margin must be 0 or more, not -1"):
        load_recipe("digits", ["training.losses.quiet.margin=-1"])


def test_a_family_and_a_regularizer(tmp_path, registered):
    def small(network: NetworkRecipe) -> list[LayerRecipe]:
        return [network.first(network.width or 4), network.classifier(pooled=True)]

    class Silent:
        def __call__(self, rates: torch.Tensor) -> torch.Tensor:
            return 30 * rates.mean()

    registered(FAMILIES, "small", lambda: FAMILIES.register("small", small))
    registered(REGULARIZERS, "silent", lambda: REGULARIZERS.register("silent", Silent))
    path = tmp_path / "small.toml"
    path.write_text("""
        seed = 1
        data = {name = "sample", steps = 3}
        network = {family = "small"}
        training = {epochs = 2, batch_size = 16, regularizers = {silent = {}}}
    """)
    checkpoint = load_checkpoint(train(load_recipe(path), tmp_path, progress=False))
    rates = [entry["rates"]["conv1"] for entry in checkpoint.history]
    assert rates[1] < rates[0]
