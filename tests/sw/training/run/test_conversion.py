"""Conversion of trained activations into spikes (Fast-SNN): the same weights, counts for levels."""

import dataclasses

import numpy as np
import pytest
import torch
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.interpreter import interpret
from spikeplane.data.sets.datasets import DataRecipe
from spikeplane.network import model
from spikeplane.network.checks import NetworkError
from spikeplane.training.net.export import export_network
from spikeplane.training.net.graded import Graded
from spikeplane.training.net.integrating import Integrating
from spikeplane.training.net.layer_recipe import LayerRecipe
from spikeplane.training.net.neurons import NeuronRecipe
from spikeplane.training.recipe.recipes import Recipe, TrainingRecipe
from spikeplane.training.run.checkpoint import load_checkpoint, save_checkpoint
from spikeplane.training.run.conversion import ConversionError, convert
from spikeplane.training.run.train import train
from spikeplane_hw.config import SMALL
from training_samples import IMAGE, offer_sample, samples

FORM = dataclasses.replace(IMAGE, steps=1)


def levels_recipe(depth: int = 3, bits: int = 2, **changes) -> Recipe:
    inner = [
        LayerRecipe(name=f"inner{i}", kind="block" if i % 2 else "conv", channels=8, weights="rescaled", weight_bits=4)
        for i in range(depth - 1)
    ]
    return Recipe(**{
        "name": "levels", "seed": 3, "data": DataRecipe(name="sample", steps=1, bits=IMAGE.bits),
        "neuron": NeuronRecipe("graded", bits=bits),
        "layers": [
            LayerRecipe(name="first", kind="conv", channels=8, weights="absmax", weight_bits=8), *inner,
            LayerRecipe(name="classifier", kind="classifier", weights="absmax", weight_bits=8),
        ],
        "training": TrainingRecipe(epochs=6, batch_size=16, learning_rate=0.01),
    } | changes)


@pytest.fixture
def levels(tmp_path, monkeypatch):
    offer_sample(monkeypatch, lambda recipe, root, part: samples(FORM, seed=part == "test"))

    def make(**changes):
        return train(levels_recipe(**changes), tmp_path / "levels", progress=False)
    return make


def answers(network, inputs: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        return network(torch.from_numpy(inputs))[0].mean(0)


def test_levels_are_rounded_and_their_gradient_is_that_of_the_clamp():
    currents = torch.tensor([[-0.3, 0.1, 0.2, 0.6, 0.9, 1.4]], requires_grad=True)
    made = Graded(bits=2)(currents, 1)
    assert torch.allclose(made, torch.tensor([[0, 0, 1, 2, 3, 3]]) / 3)
    made.sum().backward()
    assert currents.grad is not None and currents.grad.tolist() == [[0, 1, 1, 1, 1, 0]]
    with pytest.raises(ValueError, match=r"take one step, not 3: set data\.steps to 1"):
        Graded(bits=2)(currents, 3)
    with pytest.raises(ValueError, match="activations have 1 to 4 bits, not 5"):
        Graded(bits=5)


@pytest.mark.parametrize("signed", [False, True])
def test_a_steady_current_gives_as_many_spikes_as_its_level(signed):
    currents = torch.linspace(-0.5, 1.5, 401).unsqueeze(0) + 1e-4
    neurons = Integrating(signed).eval()
    assert torch.equal(neurons(currents, 3).sum(0), torch.round(currents[0].clamp(0, 1) * 3))


def test_a_spike_that_came_too_early_is_taken_back():
    currents = torch.tensor([1.0, -1.4, 0.0]).unsqueeze(1)
    assert Integrating(signed=False).eval()(currents, 3).flatten().tolist() == [1, 0, 0]
    signed = Integrating(signed=True).eval()
    assert signed(currents, 3).flatten().tolist() == [1, -1, 0]
    # A charge of 0.6 that is left is still a spike's.
    assert signed(torch.tensor([1.0, -0.4, 0.0]).unsqueeze(1), 3).flatten().tolist() == [1, 0, 0]
    # Without a spike there is nothing to take back.
    assert signed(-currents.abs(), 3).flatten().tolist() == [0, 0, 0]
    assert [state.item() for _, state in signed.trace(-currents.abs(), 3)] == pytest.approx([-1.0, -2.4, -2.4])


def test_one_layer_of_neurons_says_what_it_said(levels):
    source = levels(depth=1)
    before, after = load_checkpoint(source), convert(source)
    inputs = samples(FORM, seed=5).inputs
    assert after.network.form.steps == 3 == after.recipe.data.steps
    assert torch.allclose(answers(before.network, inputs), answers(after.network, inputs), atol=1e-4)


def test_signed_spikes_are_nearer_to_the_activations(levels):
    source = levels()
    inputs = samples(FORM, seed=5).inputs
    before = load_checkpoint(source)
    right = answers(before.network, inputs)
    off = {
        signed: float((answers(convert(source, signed=signed).network, inputs) - right).abs().mean())
        for signed in (False, True)
    }
    assert off[True] < 0.9 * off[False]
    assert before.history[-1]["test_accuracy"] > 0.8


def test_the_converted_network_runs_in_integers(levels, tmp_path):
    source = levels()
    made = convert(source)
    save_checkpoint(made, tmp_path / "spiking.safetensors")
    loaded = load_checkpoint(tmp_path / "spiking.safetensors")
    assert loaded.begun["converted"] == {"steps": 3, "signed": False} and loaded.recipe == made.recipe
    integers = export_network(loaded.network)
    inputs = samples(FORM, seed=5).inputs
    found = model.run(integers, inputs)
    trained = answers(loaded.network, inputs).argmax(1)
    assert (found.predictions == trained).float().mean() > 0.95
    image = compile_network(integers, SMALL)
    assert interpret(image, inputs[0]).sums.tolist() == found.sums[0].tolist()


def test_what_has_no_integers_says_what_would_do(levels):
    source = levels(depth=1)
    with pytest.raises(NetworkError, match=r"^layer 'first': activations of 4 levels are no spikes: `spikeplane con"):
        export_network(load_checkpoint(source).network)
    with pytest.raises(NetworkError, match=r"^layer 'first': its neurons make signed spikes.*without --signed$"):
        export_network(convert(source, signed=True).network)


@pytest.mark.parametrize(("changes", "message"), [
    ({"neuron": {"dynamics": "leaky"}}, "layer 'first': it has leaky neurons, which spike already"),
    ({"neuron": {"bits": 3}}, "layer 'other': its activations have 2 bits, those of 'first' 3"),
    ({"kind": "pool", "kernel": 2}, "layer 'other': the greatest of several activations .* take a stride"),
])
def test_what_cannot_be_converted_is_named(levels, changes, message):
    first = {key: value for key, value in changes.items() if key == "neuron"}
    other = {"kind": "conv", "channels": 8} | {key: value for key, value in changes.items() if key != "neuron"}
    if other["kind"] == "pool":
        other.pop("channels")
    layers = [
        LayerRecipe(name="first", kind="conv", channels=8, weights="absmax", weight_bits=8, **first),
        LayerRecipe(name="other", **other),
        LayerRecipe(name="classifier", kind="classifier", weights="absmax", weight_bits=8),
    ]
    source = levels(layers=layers, training=TrainingRecipe(epochs=1))
    with pytest.raises(ConversionError, match=message):
        convert(source)


def test_an_unfinished_training_is_refused(levels, tmp_path):
    source = levels(depth=1)
    started = load_checkpoint(source)
    longer = dataclasses.replace(started.recipe, training=dataclasses.replace(started.recipe.training, epochs=9))
    save_checkpoint(dataclasses.replace(started, recipe=longer), tmp_path / "cut.safetensors")
    with pytest.raises(ConversionError, match=r"not finished \(6 of 9 epochs\): train first, then convert$"):
        convert(tmp_path / "cut.safetensors")
