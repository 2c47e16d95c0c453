import math
from dataclasses import replace

import banded_networks
import numpy as np
import piece_networks
import pytest
import ragged_networks
import random_graphs
import residual_networks
import spilled_networks
import streamed_networks
import transformer_networks
from configs import WIDE_LOGIC
from core_bench import run_image
from input_readers import READERS
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.limits import CompileError, Limit, needs
from spikeplane.compiler.parts import SplitKind
from spikeplane.compiler.place import place
from spikeplane.compiler.state_places import spillable_streams
from spikeplane.network.endings import Fire
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.model import run
from spikeplane.network.schedule import Schedule
from spikeplane.network.weights import WeightKind
from spikeplane.network.window import Window
from spikeplane_hw.config import SMALLEST
from spikeplane_hw.memory_map import EXACT_COUNTERS
from spikeplane_hw.neuron import SHIFTS, Neuron, Reset


def check(network, config, schedule, samples, **options):
    image = compile_network(network, config, schedule=schedule, **({"keep_states": True} | options))
    expected = run(network, samples, schedule=schedule, config=config, trace=True)
    for index, result in enumerate(run_image(image, samples)):
        for layer, spikes in result["spikes"].items():
            reference = expected.spikes[image.layers[layer].name][index].numpy()
            if schedule is Schedule.STORED:
                reference = reference[-1:]
            np.testing.assert_array_equal(spikes, reference, err_msg=image.layers[layer].name)
        np.testing.assert_array_equal(result["logits"], expected.sums[index].numpy())
        for layer, stream in result["streams"].items():
            reference = expected.streams[image.layers[layer].name][index].numpy()
            if schedule is Schedule.STORED:
                reference = reference[-1:]
            np.testing.assert_array_equal(stream, reference, err_msg=image.layers[layer].name)
        for layer, states in result["states"].items():
            np.testing.assert_array_equal(
                states, expected.states[image.layers[layer].name][index].numpy(), err_msg=image.layers[layer].name
            )
        for layer, counters in enumerate(expected.counters.values() if config.statistics else ()):
            for counter in EXACT_COUNTERS:
                assert result["counters"][layer, counter.value] == counters[counter][index], (
                    image.layers[layer].name, counter,
                )


@pytest.mark.parametrize("direct", [False, True], ids=["events", "direct"])
@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
@pytest.mark.parametrize("config", ragged_networks.CORES[:2], ids=lambda c: c.name)
def test_core_equals_the_integer_model(config, schedule, direct):
    # More networks, and the boards' configurations, run in Verilog: sim/ and tests/sw/device/test_driver.py.
    network = ragged_networks.network(3, direct=direct)
    check(network, config, schedule, ragged_networks.samples(network, 2))


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
@pytest.mark.parametrize("made", READERS, ids=lambda made: made.__name__)
def test_ways_to_read_the_input(made, schedule):
    network, samples, config = made()
    check(network, config, schedule, samples)


def test_a_core_without_statistics():
    network = ragged_networks.network(3)
    check(network, replace(ragged_networks.CORES[0], statistics=False), Schedule.REGISTERS,
          ragged_networks.samples(network, 2))


def test_packed_states():
    network, config = ragged_networks.network(2), ragged_networks.CORES[2]
    layers = place(network, config, Schedule.STORED).layers
    assert 1 << max(layer.state_pack for layer in layers) == config.most_packed
    check(network, config, Schedule.STORED, ragged_networks.samples(network, 2))


@pytest.mark.parametrize("direct", [False, True], ids=["events", "direct"])
@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
def test_memory_free_neurons(schedule, direct):
    network = ragged_networks.network(2 if direct else 21, direct=direct, taps=True)
    assert any(len(layer.terms[0].taps) > 2 for layer in network.nodes[1:] if layer.kind == "layer")
    check(network, ragged_networks.CORES[0], schedule, ragged_networks.samples(network, 2))


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
@pytest.mark.parametrize("networks", [residual_networks, random_graphs], ids=["residual", "streams"])
def test_layers_of_several_terms(networks, schedule):
    config = ragged_networks.CORES[1]
    network = smallest(networks.fitting(100 * seed, config, schedule) for seed in range(30))
    check(network, config, schedule, ragged_networks.samples(network, 1))


def smallest(networks):
    """Return the network with the smallest maps: the simulator is slow."""
    return min(networks, key=lambda n: n.input.steps * sum(math.prod(each.shape) for each in n.maps().values()))


@pytest.mark.parametrize("has", [
    random_graphs.pools_on_the_way_out, random_graphs.sums_an_image_and_spikes, random_graphs.pools_over_several_groups,
])
@pytest.mark.parametrize("config", ragged_networks.CORES[:2], ids=lambda c: c.name)
def test_pools_and_images_beside_spikes(config, has):
    schedule = Schedule.STORED if config.updates > 1 else Schedule.REGISTERS
    network = smallest(random_graphs.fitting(100 * seed, config, schedule, has) for seed in range(10))
    check(network, config, schedule, ragged_networks.samples(network, 1))


@pytest.mark.parametrize("bit", range(4))
def test_ways_to_save_logic_mix(bit):
    # Any two of them differ in one of the mixtures.
    saved = {name for index, name in enumerate(SMALLEST) if index + 1 >> bit & 1}
    config = replace(ragged_networks.CORES[0], most_packed=4, **{
        name: value for name, value in WIDE_LOGIC.items() if name not in saved
    })
    schedule = list(Schedule)[bit % 2]
    network = ragged_networks.network(10)
    check(network, config, schedule, ragged_networks.samples(network, 2))


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
@pytest.mark.parametrize("core", range(3), ids=[config.name for config in ragged_networks.CORES[:3]])
def test_weights_stream_in(core, schedule):
    """The weight memory holds no more than the largest channel group, and a little."""
    network, config = streamed_networks.find(ragged_networks.CORES[core], schedule, seed=10 * core, most_bursts=200)
    check(network, config, schedule, ragged_networks.samples(network, 2))


@pytest.mark.parametrize("core", range(2), ids=[config.name for config in ragged_networks.CORES[:2]])
def test_products_beside_weights_that_stream_in(core):
    schedule = list(Schedule)[core]
    network, config = streamed_networks.find(
        ragged_networks.CORES[core], schedule, seed=0, most_bursts=200, products=True,
    )
    assert place(network, config, schedule, keep_states=True).halves_ring
    check(network, config, schedule, ragged_networks.samples(network, 2))


@pytest.mark.parametrize("core", range(3), ids=[config.name for config in ragged_networks.CORES[:3]])
def test_a_batch_reads_its_weights_once(core):
    batch = 2 + core
    network, config = streamed_networks.find_batched(
        ragged_networks.CORES[core], batch, seed=20 * core, most_bursts=200,
    )
    check_batches(network, config, batch, keep_states=True)


@pytest.mark.parametrize("core", range(3), ids=[config.name for config in ragged_networks.CORES[:3]])
def test_maps_are_spilled(core):
    """The spike memory is too small for all maps that are still needed."""
    schedule = list(Schedule)[core % 2]
    network, config, placement = spilled_networks.find(ragged_networks.CORES[core], schedule, seed=30 * core)
    assert placement.spilled
    check(network, config, schedule, ragged_networks.samples(network, 2), keep_maps=False, keep_states=False)


@pytest.mark.parametrize("core", range(3), ids=[config.name for config in ragged_networks.CORES[:3]])
def test_layers_run_in_parts(core):
    """The spike memory is too small for maps by themselves."""
    kind = SplitKind.STEPS if core == 1 else SplitKind.ROWS
    network, config, placement = banded_networks.find(ragged_networks.CORES[core], 34 if core == 1 else 17, kind)
    assert placement.moved_words
    # Of the second sample memories are full of the first one.
    check(network, config, Schedule.REGISTERS, ragged_networks.samples(network, 2), keep_maps=False,
          keep_states=core == 1)


@pytest.mark.parametrize("core", range(3))
def test_streams_are_spilled(core):
    network, config = spilled_networks.find_streams(ragged_networks.CORES[core], 3 * ragged_networks.CORES[core].lanes)
    samples = ragged_networks.samples(network, 2)
    schedule = list(Schedule)[core % 2]
    check(network, config, schedule, samples, keep_maps=False, keep_states=False,
          spilled=frozenset(spillable_streams(network)))


def test_streams_come_in_pieces():
    """Parameters and weights come from outside the chip as well."""
    network, config = piece_networks.find(0, 0)
    placement = place(network, config, keep_maps=False)
    assert placement.in_pieces and placement.loads_parameters and placement.halves_ring
    check(network, config, Schedule.REGISTERS, ragged_networks.samples(network, 1), keep_maps=False, keep_states=False)


def test_what_a_batch_collects_is_spilled():
    batch = 3
    network, config, placement = spilled_networks.find(
        ragged_networks.CORES[1], Schedule.REGISTERS, 40, batch, most_bursts=200,
    )
    assert any(move.sampled for placed in placement.layers for move in placed.after)
    check_batches(network, config, batch, keep_maps=False)


def check_batches(network, config, batch, **options):
    """Run two batches on a core, and compare all that is to be had with the integer model's."""
    samples = ragged_networks.samples(network, 2 * batch)
    image = compile_network(network, config, batch=batch, **options)
    expected = run(network, samples, config=config, trace=True)
    for result, first in zip(run_image(image, samples), range(0, len(samples), batch), strict=True):
        own = slice(first, first + batch)
        np.testing.assert_array_equal(result["logits"], expected.sums[own].numpy())
        for layer, info in enumerate(image.layers):
            for counter in EXACT_COUNTERS:
                counts = expected.counters[info.name][counter][own]
                assert result["counters"][layer, counter.value] == int(counts.sum()), (info.name, counter)
            if layer in result["spikes"]:
                spikes = np.concatenate(list(expected.spikes[info.name][own]))
                held = result["spikes"][layer]
                np.testing.assert_array_equal(held, spikes[-len(held):], err_msg=info.name)
            if layer in result["states"]:
                last = expected.states[info.name][own][-1].numpy()
                np.testing.assert_array_equal(result["states"][layer], last, err_msg=info.name)


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
def test_attention(schedule):
    network = transformer_networks.attention(1, width=16, heads=2, height=2, columns=4, steps=2)
    check(network, ragged_networks.CORES[1], schedule, ragged_networks.samples(network, 1))


def test_a_transformer():
    """Heads, streams and their means."""
    network = transformer_networks.transformer(1, width=8, heads=1, side=2, steps=2, blocks=1)
    config = replace(ragged_networks.CORES[0], layer_count=32)
    check(network, config, Schedule.REGISTERS, ragged_networks.samples(network, 1))


def test_wide_accumulators_hold_large_sums():
    """Sums of codes of 20 bits are exact, and refused where an accumulator has 16."""
    width, channels, side = 20, 2, 4
    config = replace(ragged_networks.CORES[1], accumulator_width=width)
    random = np.random.default_rng(width)
    # Two's complement around 0: codes are about 128, while what is left of their sums fits a state.
    weight = random.permuted(np.resize([-1, 0, 1, 0], (6, channels * side * side)), axis=1)
    window = Window(
        source=INPUT, weight=weight.reshape(6, channels, side, side), weight_bits=8, weight_kind=WeightKind.TWOS,
        multiplier=np.full(6, 1), offset=random.integers(-500, 500, 6), shift=SHIFTS[0],
    )
    network = IntegerNetwork(
        input=InputFormat(channels=channels, height=side, width=side, steps=2, bits=8, direct=True),
        nodes=[
            Layer(name="first", terms=(window,), ending=Fire(neuron=Neuron(state_bits=16, reset=Reset.NONE))),
            ragged_networks.layer(random, "out", 3, 6, (1, 1), source="first"),
        ],
        logit_offset=np.zeros(3, np.int64),
    )
    need = max(need.need for need in needs(place(network, config)) if need.kind is Limit.SUM)
    assert 1 << (width - 1) <= need < 1 << width
    with pytest.raises(CompileError, match=f"layer 'first': largest sum of channel .: {need} needed, limit 65535.*; to "
                                           f"make it fit: at most . inputs of a sum"):
        place(network, replace(config, accumulator_width=16))
    image = np.full((1, *network.input.shape), 255, np.uint8)
    image[0, 0, 0] = random.integers(0, 256, side)
    check(network, config, Schedule.REGISTERS, image)
