"""An imported network is trained on: it begins as what was imported, and gains what quantization lost."""

from dataclasses import replace
from pathlib import Path

import nir
import numpy as np
import pytest
import snntorch
import torch
from nir_networks import SHAPE, affine, convolution, if_neurons, lif_neurons, write
from spikeplane.data.sets.dataset import DataRecipe, Dataset
from spikeplane.data.sets.datasets import load_dataset
from spikeplane.importing.build import Settings
from spikeplane.importing.imported import import_modules, import_nir
from spikeplane.importing.nir_file import Meaning
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


@pytest.mark.parametrize("form", [{}, {"bits": 4, "direct": True}])
@pytest.mark.parametrize("make", [
    lambda: snntorch.Leaky(beta=0.75, reset_mechanism="zero"),
    lambda: snntorch.Leaky(beta=0.75, threshold=0.8),
    lambda: snntorch.Leaky(beta=0.5, reset_mechanism="none"),
    lambda: neuron.LIFNode(tau=2.0),
    lambda: neuron.IFNode(v_threshold=0.9, v_reset=None),
], ids=["zero", "delayed", "none", "jelly", "soft"])
@pytest.mark.parametrize("last", [True, False], ids=["spikes", "sums"])
def test_it_begins_as_what_was_imported(make, form, last):
    samples = data(**form)
    settings = Settings(bits=4)
    imported = import_modules(modules(make, last=last, pool=not form), settings, data=samples)
    tuning = start_tuning(imported, settings, data=samples, recipe=RECIPE)
    assert tuning.samples == 40 and tuning.same == 1.0
    recipe = tuning.checkpoint.recipe
    assert {layer.weight_bits for layer in recipe.layers if layer.kind != "pool"} == {4}
    # Two of the three layers, at least, do spike, and neither always.
    for shares in imported.network.nodes[:2]:
        assert shares.name in tuning.layers
    exported = export_network(tuning.checkpoint.network.eval())
    firsts = [network.nodes[0].ending.neuron for network in (imported.network, exported)]
    assert firsts[0].leak == firsts[1].leak and firsts[0].reset is firsts[1].reset


@pytest.mark.parametrize("meaning", [Meaning(), Meaning(strict=False, reset=Reset.SOFT)])
def test_a_file_begins_as_it_was(tmp_path, meaning):
    samples = data()
    path = write(tmp_path / "a.nir", convolution(), if_neurons(6, 8, 8), flatten(6, 8, 8), affine(4, 384))
    imported = import_nir(path, meaning, data=samples)
    tuning = start_tuning(imported, Settings(bits=2, layer_bits={"3": 8}), data=samples, recipe=RECIPE)
    assert tuning.same == 1.0
    assert [layer.weight_bits for layer in tuning.checkpoint.recipe.layers] == [2, 8]
