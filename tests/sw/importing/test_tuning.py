"""An imported network is trained on: it begins as what was imported, and gains what quantization lost."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import nir
import numpy as np
import pytest
import snntorch
import torch
from nir_networks import SHAPE, affine, convolution, if_neurons, lif_neurons, write
from sklearn.datasets import load_digits
from spikeplane.data.sets.dataset import DataRecipe, Dataset, FilesRecipe
from spikeplane.data.sets.datasets import load_dataset
from spikeplane.importing.build import Settings
from spikeplane.importing.imported import float_predictions, import_modules, import_nir
from spikeplane.importing.modules import read_modules
from spikeplane.importing.nir_file import Meaning, read_nir
from spikeplane.importing.tuning import start_tuning, write_tuning
from spikeplane.network.checks import NetworkError
from spikeplane.network.input import InputFormat
from spikeplane.training.net.export import export_network
from spikeplane.training.net.neurons import NeuronRecipe
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.evaluate import predict_integer
from spikeplane.training.run.train import train
from spikeplane_hw.neuron import Reset
from spikingjelly.activation_based import neuron
from torch import nn

STEPS = 6
RECIPE = DataRecipe(name="recordings", steps=STEPS)


def data(count=40, **form) -> Dataset:
    random = np.random.RandomState(0)
    shape = InputFormat(channels=SHAPE[0], height=SHAPE[1], width=SHAPE[2], steps=STEPS, **form)
    inputs = random.randint(0, 2**shape.bits, (count, *shape.shape)) * (random.random((count, *shape.shape)) < 0.4)
    return Dataset(
        name="noise", input=shape, inputs=inputs.astype(np.uint8), labels=random.randint(0, 4, count), classes=4
    )


def flatten(*shape):
    return nir.Flatten(input_type=np.array(shape), start_dim=0, end_dim=-1)


def modules(make, *, pool=True, last=True) -> nn.Sequential:
    """Return a network with biases and a normalization, a pool of spikes and one of currents."""
    torch.manual_seed(2)
    norm = nn.BatchNorm2d(5)
    with torch.no_grad():
        for values in (norm.weight, norm.running_var):
            values.uniform_(0.5, 2)
        norm.running_mean.uniform_(-0.3, 0.3)
    network = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), make(), *([nn.MaxPool2d(2)] if pool else [nn.AvgPool2d(2)]), nn.Conv2d(6, 5, 3),
        norm, make(), nn.Flatten(), nn.Linear(20, 4), *([make()] if last else []),
    )
    for module in network:
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data *= 3
    return network


@pytest.mark.parametrize(("make", "last", "form"), [
    (lambda: snntorch.Leaky(beta=0.75, reset_mechanism="zero"), True, {}),
    (lambda: snntorch.Leaky(beta=0.75, threshold=0.8), False, {}),
    (lambda: snntorch.Leaky(beta=0.5, reset_mechanism="none"), True, {"bits": 4, "direct": True}),
    (lambda: neuron.LIFNode(tau=2.0, decay_input=False), False, {"bits": 4, "direct": True}),
    (lambda: neuron.IFNode(v_threshold=0.9, v_reset=None), True, {}),
], ids=["zero", "delayed", "none", "at", "subtracting"])
def test_it_begins_as_what_was_imported(make, last, form):
    samples, settings = data(**form), Settings(bits=4)
    imported = import_modules(modules(make, last=last, pool=not form), settings, data=samples)
    assert len(set(float_predictions(imported, samples.inputs))) > 1
    tuning = start_tuning(imported, settings, data=samples, recipe=RECIPE)
    assert tuning.samples == len(samples.labels) and tuning.same == 1.0
    assert {layer.weight_bits for layer in tuning.checkpoint.recipe.layers if layer.kind != "pool"} == {4}
    first, exported = (network.nodes[0].ending for network in (imported.network, export_network(
        tuning.checkpoint.network.eval())))
    assert first.neuron.leak == exported.neuron.leak and first.neuron.reset is exported.neuron.reset


@pytest.mark.parametrize("meaning", [Meaning(), Meaning(strict=False, reset=Reset.SOFT)])
def test_a_potential_that_meets_the_threshold(tmp_path, meaning):
    """All weights are a half: sums equal the threshold wherever they reach it first."""
    conv = convolution(bias=False)
    conv.weight[:] = np.where(conv.weight > 0, 0.5, 0)
    samples = data()
    path = write(tmp_path / "a.nir", conv, if_neurons(6, 8, 8), flatten(6, 8, 8), affine(4, 384))
    imported = import_nir(path, meaning, data=samples)
    settings = Settings(bits=2, layer_bits={"3": 8}, state_bits=8)
    tuning = start_tuning(imported, settings, data=samples, recipe=RECIPE)
    assert tuning.same == 1.0
    assert [layer.weight_bits for layer in tuning.checkpoint.recipe.layers] == [2, 8]
    assert tuning.checkpoint.recipe.layers[0].neuron["state_bits"] == 8


def test_a_leak_is_rounded_as_asked(tmp_path):
    samples = data(10)
    path = write(tmp_path / "a.nir", convolution(), lif_neurons(6, 8, 8, r=6.0), flatten(6, 8, 8), affine(4, 384))
    settings = Settings(round_leak=True)
    imported = import_nir(path, Meaning(time_step=0.0003), settings, data=samples)
    tuning = start_tuning(imported, settings, data=samples, recipe=RECIPE)
    assert tuning.checkpoint.recipe.layers[0].neuron["leak"] == 0.875
    with pytest.raises(NetworkError, match=r"layer '0': of its potentials 0.85 is left"):
        start_tuning(imported, Settings(), data=samples, recipe=RECIPE)


def test_potentials_beyond_a_board_are_counted(tmp_path):
    weight = np.zeros((4, 128), np.float32)
    weight[:, 0], weight[:, 1] = -3, 6
    last = nir.Affine(weight=np.eye(4, dtype=np.float32)[[0, 3, 3, 3]], bias=np.float32([0, 0, 0.1, 0]))
    last.weight[1:] = 0
    path = write(tmp_path / "a.nir", flatten(*SHAPE), nir.Affine(weight=weight, bias=np.zeros(4, np.float32)),
                 if_neurons(4), last)
    inputs = np.zeros((8, STEPS, *SHAPE), np.uint8)
    inputs[:, :4, 0, 0, 0] = inputs[:, 4:, 0, 0, 1] = 1  # To -12, then to 0: none fires, but it does from -8.
    samples = replace(data(8), inputs=inputs)
    imported = import_nir(path, data=samples)
    assert start_tuning(imported, Settings(), data=samples, recipe=RECIPE).same == 0.0


def tall(**options):
    node = convolution(**options)
    node.weight = node.weight[:, :, :2]
    return node


@pytest.mark.parametrize(("nodes", "bits", "message"), [
    ([tall(), if_neurons(6, 9, 8), flatten(6, 9, 8), affine(4, 432)], 8,
     r"layer '0': with what is folded into it its kernel is 2 x 3, a recipe's is as high as wide"),
    ([convolution(), if_neurons(6, 8, 8), convolution(4, 6, side=8)], 8,
     r"layer '2': the answer is the sum of a 3 x 3 convolution of a 8 x 8 map; a recipe's classifier is 1 x 1"),
    ([convolution(), if_neurons(6, 8, 8), flatten(6, 8, 8), affine(4, 384)], 1,
     r"layer '3': a recipe's classifier has weights of 2, 4 or 8 bits, not 1: .* as by --layer-bits 3=8"),
])
def test_what_no_recipe_expresses_is_refused(tmp_path, nodes, bits, message):
    samples = data(4)
    settings = Settings(bits=bits)
    with pytest.raises(NetworkError, match=message):
        start_tuning(SimpleNamespace(chain=read_nir(write(tmp_path / "a.nir", *nodes), Meaning(), SHAPE)), settings,
                     data=samples, recipe=RECIPE)


def test_a_pool_that_overlaps_is_refused():
    network = nn.Sequential(nn.Conv2d(2, 3, 3), snntorch.Leaky(beta=0.5), nn.MaxPool2d(2, stride=1), nn.Flatten(),
                            nn.Linear(75, 4))
    with pytest.raises(NetworkError, match=r"layer '0': its spikes are pooled over 2 x 2 with stride 1 and padding 0"):
        start_tuning(SimpleNamespace(chain=read_modules(network, SHAPE)), Settings(), data=data(4), recipe=RECIPE)


def test_names_that_a_layer_may_have(tmp_path):
    nodes = {"input": nir.Input(np.array(SHAPE)), "pop": convolution(), "pop_": if_neurons(6, 8, 8),
             "rest.flat": flatten(6, 8, 8), "rest.1": affine(4, 384), "spikes": if_neurons(4), "rest_1": affine(4, 4),
             "output": nir.Output(np.array([4]))}
    nir.write(tmp_path / "a.nir", nir.NIRGraph(nodes, list(pairwise(nodes)), type_check=False))
    imported = import_nir(tmp_path / "a.nir", data=data(4))
    tuning = start_tuning(imported, Settings(), data=data(4), recipe=RECIPE)
    assert tuning.layers == {"pop": "pop_", "rest.1": "rest_1", "rest_1": "rest_1_"}


def test_training_on_gains_what_quantization_lost(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    digits = load_digits()
    np.savez(tmp_path / "digits.npz", images=(digits.images * 15.9375).astype(np.uint8)[:, None], labels=digits.target)
    recipe = DataRecipe(name="arrays", steps=4, bits=4, files=FilesRecipe(train=str(tmp_path / "digits.npz")))
    samples, test = load_dataset(recipe, "train"), load_dataset(recipe, "test")
    torch.manual_seed(1)
    neurons = {"beta": 0.5, "init_hidden": True}  # Their reset is the delayed one.
    network = nn.Sequential(nn.Conv2d(1, 6, 3, stride=2, padding=1), snntorch.Leaky(**neurons), nn.Flatten(),
                            nn.Linear(96, 10), snntorch.Leaky(**neurons))
    inputs, labels = torch.from_numpy(samples.inputs[:]) / 15, torch.from_numpy(samples.labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(6):
        for part in torch.randperm(len(labels)).split(64):
            network[1].reset_mem(), network[4].reset_mem()
            counts = sum(network(inputs[part]) for _ in range(recipe.steps))
            loss = nn.functional.cross_entropy(counts, labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    settings = Settings(bits=1, state_bits=4)
    imported = import_modules(network, settings, data=samples, recipe=recipe)
    tuning = start_tuning(imported, settings, data=samples, recipe=recipe, name="digits_tuned")
    assert tuning.same == 1.0
    write_tuning(tuning, tmp_path / "tuning")
    trained = load_checkpoint(train(
        load_recipe(tmp_path / "tuning" / "recipe.toml", ["training.epochs=5", "training.learning_rate=0.006"]),
        tmp_path / "run", progress=False,
    ))
    assert trained.begun["left"] == {} and trained.recipe.name == "digits_tuned"
    exported = export_network(trained.network, trained.metadata)
    accuracies = [(predict_integer(each, test.inputs) == test.labels).mean() for each in (imported.network, exported)]
    assert accuracies[1] > accuracies[0] + 0.05, accuracies
    assert [node.terms[0].weight_bits for node in exported.nodes] == [1, 1, 2]
    assert {node.ending.neuron.state_bits for node in exported.nodes[:2]} == {4}


@pytest.mark.parametrize(("options", "message"), [
    ({"fires": "below"}, r"fires must be one of \('above', 'at'\), not 'below'"),
    ({"threshold": 1.5}, "threshold must be above 0 and at most 1, not 1.5"),
    ({"threshold": 0.0}, "threshold must be above 0 and at most 1, not 0.0"),
    ({"reset": "slow"}, "reset must be one of"),
])
def test_wrong_neurons_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        NeuronRecipe("imported", **options).create()


@pytest.mark.parametrize(("fires", "threshold", "last"), [
    ("above", 1.0, 4096), ("at", 1.0, 4095), ("above", 0.3, 1228), ("at", 0.3, 1228), ("at", 0.5, 2047),
])
def test_neurons_fire_where_integers_do(fires, threshold, last):
    neurons = NeuronRecipe("imported", fires=fires, threshold=threshold).create()
    assert neurons.integers()[0].fire_above == last
    around = torch.arange(last - 2, last + 4) / 4096
    assert neurons(around[None], 1)[0].tolist() == [0, 0, 0, 1, 1, 1]
