"""Histograms of weights and potentials."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lively_networks import MEMORY_FREE, lively, residual
from spikeplane.network import model
from spikeplane.reports.distributions import BATCH, BINS, distributions
from spikeplane.training.net.export import export_network
from spikeplane.training.net.neurons import NeuronRecipe
from training_samples import EVENTS, IMAGE, network, samples


def test_weights_in_bins_and_in_integers():
    made = lively(inner="odd", bits=2)
    found = distributions(made, samples().inputs[:2])
    assert set(found.latent) == set(found.quantized) == {"first", "inner", "last", "classifier"}
    integers = {node.name: node.terms[0].weight for node in export_network(made).nodes if node.kind == "layer"}
    for name, histogram in found.quantized.items():
        values, counts = np.unique(integers[name], return_counts=True)
        expected = np.zeros(len(histogram.counts), int)
        expected[(values - (histogram.left + 0.5)).astype(int)] = counts
        assert histogram.counts == expected.tolist()
    assert found.quantized["inner"].left == -3.5 and len(found.quantized["inner"].counts) == 7
    inner = found.latent["inner"]
    weight = made.layers["inner"].get_parameter("weight").detach().numpy()
    assert len(inner.counts) == BINS and sum(inner.counts) == weight.size
    assert inner.left == pytest.approx(weight.min())
    assert inner.left + BINS * inner.width == pytest.approx(weight.max())
    assert inner.counts[-1] >= 1


@pytest.mark.parametrize("form", [EVENTS, IMAGE], ids=["events", "image"])
def test_stored_potentials_end_as_those_of_the_integer_model(form):
    """With one step all that is stored is the state after it."""
    form = replace(form, steps=1)
    made, inputs = lively(form), samples(form).inputs[: BATCH + 5]
    found = distributions(made, inputs)
    states = model.run(export_network(made), inputs, trace=True).states["first"]
    counts = np.bincount(states.numpy().ravel() + 7, minlength=15)
    assert np.abs(np.array(found.stored["first"].counts) - counts).sum() <= counts.sum() // 100
    assert found.stored["first"].left == pytest.approx(-7.5 / 7)
    assert found.stored["first"].width == pytest.approx(1 / 7)


def test_potentials_above_the_threshold_are_the_spikes():
    made, inputs = lively(neuron=NeuronRecipe(state_bits=16, reset="soft")), samples().inputs
    found = distributions(made, inputs)
    with torch.no_grad():
        spikes = made(torch.from_numpy(inputs))[1]
    for name, histogram in found.before.items():
        fired = BINS // 2 + round(1 / histogram.width)
        assert histogram.left + fired * histogram.width == pytest.approx(1.0)
        total = int(spikes[name].sum())
        assert sum(histogram.counts[fired:]) == pytest.approx(total, rel=0.01)
        assert sum(histogram.counts) == spikes[name].numel() == sum(found.stored[name].counts)


def test_memory_free_neurons_store_nothing():
    made, inputs = lively(neuron=MEMORY_FREE), samples().inputs[:4]
    found = distributions(made, inputs)
    assert set(found.before) == {"first", "inner", "last"} and not found.stored
    assert sum(found.before["inner"].counts) == 4 * EVENTS.steps * 10 * 4 * 4


def test_blocks_and_float_weights():
    found = distributions(residual("conv", NeuronRecipe()), samples().inputs[:2])
    assert "other.shortcut" in found.quantized
    assert set(found.before) == {"first", "same.conv1", "same", "other.conv1", "other"}
    twin = network(inner="float", bits=32).eval()
    found = distributions(twin, samples().inputs[:2])
    assert "inner" in found.latent and set(found.quantized) == {"first", "classifier"}
