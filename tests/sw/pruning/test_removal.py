"""Removal of channels."""

import dataclasses
from functools import partial

import numpy as np
import pytest
import torch
from lively_networks import MEMORY_FREE
from pruned_networks import FLOAT, chain, residual
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.interpreter import interpret
from spikeplane.network import model
from spikeplane.pruning.groups import find_groups
from spikeplane.pruning.removal import PruningError, check_counts, choose, kept_count, remove
from spikeplane.training.net.export import export_network
from spikeplane.training.net.layers import NormConv
from spikeplane.training.net.neurons import NeuronRecipe
from spikeplane_hw.config import LARGE, SMALL
from training_samples import layers as sample_layers
from training_samples import recipe, samples


def silence(network, groups, kept) -> None:
    """Let all channels that are not kept never fire, and the others more."""
    modules = dict(network.named_modules())
    for group in groups:
        gone = torch.ones(group.channels, dtype=torch.bool)
        gone[kept[group.name]] = False
        for path in group.producers:
            module = modules[path]
            assert isinstance(module, NormConv)
            module.norm.bias.data += 0.5
            module.norm.bias.data[gone] = -100.0
            module.norm.weight.data[gone] = 0.0


def drawn(groups, counts, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return choose(groups, {g.name: torch.rand(g.channels, generator=generator) for g in groups}, counts)


CASES = [
    ("chain", lambda: chain(**FLOAT), {"first": 5, "inner": 7, "last": 3}),
    ("dense", lambda: chain(sample_layers(pooled=False), **FLOAT), {"first": 1, "inner": 9, "dense": 5}),
    *(
        (f"{shortcut}-{neuron.dynamics}", partial(residual, shortcut, neuron, FLOAT, **FLOAT),
         {"first": 4, "same.conv1": 5, "wide.conv1": 2, "wide": 7, "more.conv1": 3})
        for shortcut in ("pad", "conv") for neuron in (NeuronRecipe(), MEMORY_FREE)
    ),
    ("only the base", lambda: residual("pad", None, FLOAT, **FLOAT),
     {"first": 3, "same.conv1": 6, "wide.conv1": 11, "wide": 11, "more.conv1": 7}),
]


@pytest.mark.parametrize(("make", "counts"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_channels_that_never_fire_are_not_missed(make, counts):
    network, layers = make()
    free = any("rises" in name for name in network.state_dict())
    whole = dataclasses.replace(recipe(), layers=layers, neuron=MEMORY_FREE if free else NeuronRecipe())
    groups = find_groups(network, layers)
    kept = drawn(groups, counts)
    silence(network, groups, kept)
    made, smaller = remove(whole, network, 4, kept)
    assert {g.name: g.channels for g in find_groups(smaller, made.layers)} == counts
    inputs = torch.from_numpy(samples(count=24).inputs)
    with torch.no_grad():
        (logits, spikes), (found, fewer) = network(inputs), smaller(inputs)
    torch.testing.assert_close(found, logits, rtol=1e-4, atol=1e-4)
    for group in groups:
        for name in group.maps:
            assert torch.equal(fewer[name], spikes[name][:, :, kept[group.name]]), name
            assert spikes[name].sum() > 0
    with torch.no_grad():  # Other channels would be missed.
        other = remove(whole, network, 4, drawn(groups, counts, seed=2))[1](inputs)[0]
    assert not torch.allclose(other, logits, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("shortcut", ["pad", "conv"])
@pytest.mark.parametrize(("weights", "bits"), [("binary", 1), ("rescaled", 2), ("rescaled", 8)])
def test_the_pruned_network_is_exported_and_compiled_as_any_other(shortcut, weights, bits):
    network, layers = residual(shortcut, weights=weights, weight_bits=bits)
    groups = find_groups(network, layers)
    counts = {"first": 5, "same.conv1": 3, "wide.conv1": 7, "wide": 9, "more.conv1": 1}
    _, smaller = remove(dataclasses.replace(recipe(), layers=layers), network, 4, drawn(groups, counts))
    integers = export_network(smaller)
    inputs = samples(count=32, seed=3).inputs
    result = model.run(integers, inputs, trace=True)
    with torch.no_grad():
        _, spikes = smaller(torch.from_numpy(inputs))
    for name, maps in spikes.items():
        same = maps.transpose(0, 1) == result.spikes[name]
        assert maps.shape[2] == {"same": 5, "more": 9}.get(name, counts.get(name)), name
        assert same.float().mean() > 0.99, name
    image = compile_network(integers, SMALL if bits < 8 else LARGE)
    for sample, sums in zip(inputs[:3], result.sums, strict=False):
        np.testing.assert_array_equal(interpret(image, sample).sums, sums.numpy())


def test_the_channels_of_a_base_come_first():
    network, layers = residual("pad")
    groups = find_groups(network, layers)
    scores = {g.name: torch.arange(g.channels, dtype=torch.float64) for g in groups}
    kept = choose(groups, scores, {"first": 3, "same.conv1": 2, "wide.conv1": 11, "wide": 5, "more.conv1": 7})
    assert kept["first"].tolist() == [3, 4, 5]
    assert kept["wide"].tolist() == [3, 4, 5, 9, 10]


def test_of_equal_channels_the_first_are_kept():
    network, layers = chain()
    groups = find_groups(network, layers)
    kept = choose(groups, {g.name: torch.ones(g.channels) for g in groups}, {"first": 2, "inner": 3, "last": 12})
    assert kept["inner"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(("counts", "message"), [
    ({"first": 0}, "layer 'first': no channel of 6 would be left; its ratio can be 0.8333 at most, which leaves one"),
    ({"wide": 4}, "layer 'wide': 4 channels would be left, but its shortcut puts the 6 of 'first' into them: keep as "
                  "many here, or at most 4 there"),
])
def test_what_cannot_be_removed_is_named(counts, message):
    network, layers = residual("pad")
    groups = find_groups(network, layers)
    with pytest.raises(PruningError) as caught:
        check_counts(groups, {g.name: g.channels for g in groups} | counts)
    assert str(caught.value) == message


def test_ratios_round_down():
    assert [kept_count(64, 0.1), kept_count(512, 0.6), kept_count(10, 0.3), kept_count(5, 1.0)] == [57, 204, 7, 0]
