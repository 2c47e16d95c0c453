"""Size, operations and energy of trained networks."""

import numpy as np
import pytest
import torch
from lively_networks import MEMORY_FREE, lively, residual
from spikeplane.network import model
from spikeplane.network.input import INPUT
from spikeplane.reports.energy import BATCH, _count_spikes, checkpoint_cost, cost, energy_nj
from spikeplane.reports.probes import probe
from spikeplane.training.net.export import export_network
from spikeplane.training.net.neurons import NeuronRecipe
from spikeplane.training.run.checkpoint import Checkpoint, save_checkpoint
from training_samples import EVENTS, IMAGE, layers, offer_sample, recipe, samples
from transformer_training import settled, some_events, transformer

# Input maps, weights and outputs of the sample's layers, by hand.
WEIGHTS = {"first": 6 * 2 * 9, "inner": 10 * 6 * 9, "last": 12 * 10 * 9, "classifier": 4 * 12}
NEURONS = {"first": 6 * 4 * 4, "inner": 10 * 4 * 4, "last": 12 * 2 * 2}


def test_energy_of_horowitz():
    assert energy_nj(1000, 0) == pytest.approx(0.9)
    assert energy_nj(0, 1000) == pytest.approx(4.6)


def test_size_by_part():
    found = cost(lively(state_bits=2), samples().inputs[:2])
    bits = {"first": 8, "inner": 1, "last": 1, "classifier": 8}
    assert found.size_bits.weights == {name: WEIGHTS[name] * bits[name] for name in bits}
    assert found.float32_bits.weights == {name: WEIGHTS[name] * 32 for name in bits}
    states = {"first": 4, "inner": 2, "last": 4}
    assert found.size_bits.potentials == {name: NEURONS[name] * states[name] for name in states}
    assert found.float32_bits.potentials == {name: count * 32 for name, count in NEURONS.items()}
    assert found.size_bits.parameters == {"first": 6 * 48, "inner": 10 * 48, "last": 12 * 48,
                                          "classifier": 4 * 32}
    assert found.float32_bits.parameters["inner"] == 10 * 64
    assert not found.size_bits.input_spikes
    assert found.size_bits.total == sum(found.size_bits.parts.values())
    assert found.missing == ""


def test_memory_free_neurons_keep_input_spikes():
    found = cost(lively(neuron=MEMORY_FREE), samples().inputs[:2])
    assert not found.size_bits.potentials
    # The last layer reads the pool's map.
    assert found.size_bits.input_spikes == {
        "first": 2 * 2 * 8 * 8, "inner": 2 * NEURONS["first"], "last": 2 * 10 * 2 * 2,
    }
    assert found.float32_bits.input_spikes == found.size_bits.input_spikes


def operations_by_loop(maps, weight, stride, padding) -> int:
    """Count the additions of spikes, (steps, channels, height, width), one window at a time."""
    channels, _, rows, columns = weight.shape
    padded = np.pad(maps, [(0, 0), (0, 0), (padding,) * 2, (padding,) * 2])
    total = 0
    for y in range(0, padded.shape[2] - rows + 1, stride):
        for x in range(0, padded.shape[3] - columns + 1, stride):
            total += int(padded[:, :, y : y + rows, x : x + columns].sum()) * channels
    return total


@pytest.mark.parametrize("neuron", [None, MEMORY_FREE], ids=["leaky", "memory_free"])
@pytest.mark.parametrize("pooled", [True, False])
def test_operations_are_those_of_a_plain_loop(neuron, pooled):
    made, inputs = lively(neuron=neuron, pooled=pooled), samples(seed=2).inputs[:3]
    found = cost(made, inputs)
    integers = export_network(made)
    traced = model.run(integers, inputs, trace=True).spikes
    expected = dict.fromkeys(found.operations, 0)
    for node in integers.nodes:
        if node.kind == "or_pool":
            continue
        (window,) = node.terms
        for sample in range(len(inputs)):
            maps = inputs[sample] if window.source == INPUT else traced[window.source][sample].numpy()
            for delay in range(len(window.taps)):
                expected[node.name] += operations_by_loop(
                    maps[: len(maps) - delay].astype(int), window.weight, window.stride, window.padding
                )
    assert all(value > 0 for value in expected.values())
    for name, value in expected.items():
        assert found.operations[name].accumulates * len(inputs) == pytest.approx(value)
        assert found.operations[name].multiply_accumulates == 0
    assert found.energy_nj == pytest.approx(energy_nj(sum(expected.values()) / len(inputs), 0))
    assert found.rates == pytest.approx({name: spikes.double().mean().item() for name, spikes in traced.items()})


@pytest.mark.parametrize(
    ("form", "neuron"), [(EVENTS, None), (IMAGE, None), (EVENTS, MEMORY_FREE)],
    ids=["events", "image", "memory_free"],
)
def test_network_and_integers_count_the_same(form, neuron):
    """Where their spikes agree, and on more samples than are looked at together."""
    made, inputs = lively(form, neuron=neuron), samples(form).inputs
    integers = export_network(made)
    traced = model.run(integers, inputs, trace=True).spikes
    spikes = probe(made, torch.from_numpy(inputs))
    agree = torch.ones(len(inputs), dtype=torch.bool)
    for name, maps in traced.items():
        agree &= (spikes[name].transpose(0, 1) == maps).flatten(1).all(1)
    inputs = inputs[agree.numpy()]
    assert len(inputs) > BATCH
    operations, rates = _count_spikes(made, inputs)
    found = cost(made, inputs)
    for name in list(found.operations)[form.direct:]:
        assert operations[name] == pytest.approx(found.operations[name].accumulates)
    assert rates == pytest.approx(found.rates)


def test_an_image_is_multiplied_once():
    found = cost(lively(IMAGE), samples(IMAGE).inputs[:4])
    # 8x8 pixels, stride 2, padding 1: in each direction one of 4 windows reads 2 pixels, 3 read 3.
    dense = 11 * 11 * 1 * 6
    first = found.operations["first"]
    assert (first.dense, first.multiply_accumulates, first.accumulates) == (dense, dense, 0)
    assert found.multiply_accumulates == dense
    inner = found.operations["inner"]
    assert inner.multiply_accumulates == 0 and inner.dense == 10 * 10 * 6 * 10
    assert found.operations["classifier"].dense == WEIGHTS["classifier"]
    assert found.dense_energy_nj == pytest.approx(0.0046 * found.dense)


def test_a_float32_twin_is_counted_in_floats(tmp_path, monkeypatch):
    offer_sample(monkeypatch, lambda recipe, root, part: samples(seed=1))
    data = samples(seed=1)
    path = tmp_path / "twin.safetensors"
    save_checkpoint(Checkpoint.start(recipe().float32(), data.input, data.classes), path)
    found = checkpoint_cost(path, samples=7)
    assert found.samples == 7 and found.core_operations is None
    assert "FloatWeight weights have no integer form" in found.missing
    assert found.size_bits == found.float32_bits
    assert found.operations["first"].accumulates > 0
    assert set(found.rates) == {"first", "inner", "pool", "last"}


@pytest.mark.parametrize("shortcut", ["conv", "pad"])
@pytest.mark.parametrize("neuron", [NeuronRecipe(state_bits=2), MEMORY_FREE], ids=["leaky", "memory_free"])
def test_blocks_are_counted_term_by_term(shortcut, neuron):
    made, inputs = residual(shortcut, neuron), samples().inputs[:3]
    found = cost(made, inputs)
    assert not found.missing
    traced = model.run(export_network(made), inputs, trace=True).spikes
    spikes = {name: maps.transpose(0, 1) for name, maps in traced.items()}
    assert set(found.rates) == {"first", "same.conv1", "same", "other.conv1", "other"}
    for name, maps in spikes.items():
        assert found.rates[name] == pytest.approx(maps.double().mean().item())
    weighted = {"first", "same.conv1", "same.conv2", "other.conv1", "other.conv2", "classifier"}
    sources = {"first": None, "same.conv1": "first", "same.conv2": "same.conv1", "other.conv1": "same",
               "other.conv2": "other.conv1", "classifier": "other"}
    if shortcut == "conv":
        weighted |= {"other.shortcut"}
        sources["other.shortcut"] = "same"
        assert found.size_bits.weights["other.shortcut"] == 9 * 6
        assert found.size_bits.parameters["other.shortcut"] == 9 * 48
        assert found.operations["other.shortcut"].dense == 9 * 6 * 16
    assert set(found.operations) == set(found.size_bits.weights) == weighted
    modules = dict(made.layers.named_modules())
    for name, source in sources.items():
        maps = inputs.swapaxes(0, 1) if source is None else spikes[source].numpy()
        delays = 1 if name == "classifier" or neuron is not MEMORY_FREE else 3
        expected = sum(
            operations_by_loop(maps[: len(maps) - delay, sample].astype(int), modules[name].weight,
                               getattr(modules[name], "stride", 1), getattr(modules[name], "padding", 0))
            for delay in range(delays) for sample in range(len(inputs))
        )
        assert expected > 0
        assert found.operations[name].accumulates * len(inputs) == pytest.approx(expected), name
    counts = {"first": 6 * 64, "same.conv1": 6 * 64, "same": 6 * 64, "other.conv1": 9 * 16, "other": 9 * 16}
    if neuron is MEMORY_FREE:
        # Convolution and shortcut read the same map, which is kept once.
        assert sum(found.size_bits.input_spikes.values()) == 2 * (
            2 * 64 + counts["first"] + counts["same.conv1"] + counts["same"] + counts["other.conv1"]
        )
    else:
        assert found.size_bits.potentials == {name: 2 * count for name, count in counts.items()}


def test_no_samples_is_an_error():
    with pytest.raises(ValueError, match="at least one sample"):
        cost(lively(), samples().inputs[:0])


def test_neurons_of_one_layer_may_differ():
    mixed = layers(dynamics="memory_free", taps=2)
    assert mixed[1].neuron["taps"] == 2
    found = cost(lively(dynamics="memory_free", taps=2), samples().inputs[:2])
    assert set(found.size_bits.potentials) == {"first", "last"}
    assert set(found.size_bits.input_spikes) == {"inner"}


def test_a_transformer_has_products_and_heads_too():
    made = settled(transformer())
    inputs = some_events(8)
    found = cost(made, inputs.numpy())
    with torch.no_grad():
        _, spikes = made(inputs)
    # A spike of the query meets each of 16 keys; one of the map all 8 channels of its head.
    for index in (1, 2):
        for part, source, reached in (("map", "query", 16), ("picked", "map", 8)):
            active = float(spikes[f"block{index}.{source}"].sum()) / len(inputs)
            assert found.operations[f"block{index}.{part}"].accumulates == pytest.approx(reached * active, rel=0.02)
        assert found.operations[f"block{index}.map"].dense == 16 * 16 * 16
    assert found.operations["heads"].accumulates > 0
    assert set(found.size_bits.potentials) == set(made.neuron_shapes)
    assert sum(found.size_bits.potentials.values()) == 16 * made.neuron_count
    assert sum(found.size_bits.weights.values()) == 8 * (2 * 8 * 9 + 8 * 16) + 9 * 8 * 16 + 2 * 16 * 16 * 8
    twin = cost(settled(transformer(weights="float")), inputs.numpy())
    assert twin.missing and twin.accumulates > 0 and "block1.map" not in twin.operations
