"""The compiled words, executed slot for slot, give what the integer model gives."""

from dataclasses import replace

import numpy as np
import odd_networks
import pytest
import random_graphs
import residual_networks
import streamed_networks
import transformer_networks
from input_readers import READERS
from ragged_networks import CORES, network, samples
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.interpreter import interpret
from spikeplane.network import model
from spikeplane.network.schedule import Schedule
from spikeplane_hw.memory_map import Counter


def check(net, config, schedule, count=2):
    image = compile_network(
        net, config, schedule, keep_states=True, samples=samples(net, count)
    )
    inputs = np.stack([vector.sample for vector in image.vectors])
    expected = model.run(net, inputs, schedule=schedule, config=config, trace=True)
    for index, vector in enumerate(image.vectors):
        outcome = interpret(image, vector.sample)
        assert outcome.sums.tolist() == expected.sums[index].tolist()
        assert outcome.sums.tolist() == vector.sums.tolist()
        for number, info in enumerate(image.layers):
            names = [c.name for c in Counter]
            found = dict(zip(names, outcome.counters[number].tolist(), strict=True))
            wanted = dict(zip(names, vector.counters[number].tolist(), strict=True))
            assert found == wanted, info.name
            if info.stream_steps:
                address, length = image.stream_place(number)
                stream = image.decode_stream(number, outcome.states[address:address + length])
                wanted = expected.streams[info.name][index].numpy()
                assert np.array_equal(stream, wanted[-1:] if schedule is Schedule.STORED else wanted), info.name
            if info.spikes is None:
                continue
            address, length = image.map_place(number)
            spikes = image.decode_map(number, outcome.spikes[address:address + length])
            wanted = expected.spikes[info.name][index].numpy()
            assert np.array_equal(spikes, wanted[-1:] if schedule is Schedule.STORED else wanted)
            if info.state_base is not None:
                address, length = image.state_place(number)
                states = image.decode_states(number, outcome.states[address:address + length])
                assert np.array_equal(states, expected.states[info.name][index].numpy()), info.name


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
@pytest.mark.parametrize("direct", [False, True], ids=["spikes", "image"])
@pytest.mark.parametrize("taps", [False, True], ids=["", "taps"])
@pytest.mark.parametrize("seed", range(12))
def test_words_give_what_the_model_gives(seed, taps, direct, schedule):
    check(network(seed, direct=direct, taps=taps), CORES[seed % len(CORES)], schedule)


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
@pytest.mark.parametrize("made", READERS, ids=lambda made: made.__name__)
def test_words_of_ways_to_read_the_input(made, schedule):
    net, inputs, config = made()
    check(net, config, schedule)
    image = compile_network(net, config, schedule, samples=inputs)
    image.verify()
    expected = model.run(net, inputs, schedule=schedule).sums
    assert [interpret(image, sample).sums.tolist() for sample in inputs] == expected.tolist()


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
@pytest.mark.parametrize("direct", [False, True], ids=["spikes", "image"])
@pytest.mark.parametrize("seed", range(12))
def test_words_of_layers_of_several_terms(seed, direct, schedule):
    config = CORES[seed % len(CORES)]
    check(residual_networks.fitting(1000 * seed, config, schedule, direct=direct), config, schedule)


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
@pytest.mark.parametrize("seed", range(12))
def test_words_of_graphs(seed, schedule):
    """Streams, blocks and several heads: graphs of which a core runs all."""
    config = CORES[seed % len(CORES)]
    check(random_graphs.fitting(1000 * seed, config, schedule), config, schedule)


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
@pytest.mark.parametrize("has", [
    random_graphs.pools_on_the_way_out, random_graphs.sums_an_image_and_spikes, random_graphs.pools_over_several_groups,
])
@pytest.mark.parametrize("config", CORES, ids=lambda c: c.name)
def test_words_of_pools_and_of_images_beside_spikes(config, has, schedule):
    check(random_graphs.fitting(0, config, schedule, has), config, schedule)


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
@pytest.mark.parametrize(("config", "heads", "width", "height", "columns"), [
    (CORES[0], 1, 3, 3, 3),   # ragged, pixels and channels in several channel groups
    (CORES[1], 2, 16, 2, 4),
    (CORES[1], 1, 7, 3, 5),
    (CORES[2], 4, 32, 4, 4),
    (CORES[3], 1, 5, 2, 3),
], ids=str)
def test_words_of_attention(config, heads, width, height, columns, schedule):
    net = transformer_networks.attention(2, width=width, heads=heads, height=height, columns=columns, steps=3)
    check(net, config, schedule, 1)


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
@pytest.mark.parametrize("seed", range(3))
def test_words_of_products_beside_weights_that_stream_in(seed, schedule):
    net, core = streamed_networks.find(CORES[seed], schedule, 20 * seed, products=True)
    check(net, core, schedule)


def test_words_of_products_of_a_batch():
    """Operands of all samples lie side by side."""
    net = transformer_networks.transformer(2, width=16, heads=2, side=4, steps=2, blocks=1)
    core = replace(CORES[2], layer_count=24, external_depth=1 << 14, weight_depth=64, logit_count=128)
    inputs = samples(net, 2)
    image = compile_network(net, core, keep_states=True, batch=2, samples=inputs)
    assert image.halves_ring
    assert interpret(image, inputs).sums.tolist() == model.run(net, inputs).sums.tolist()


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
def test_words_of_a_transformer(schedule):
    """Attention of heads, streams and their means."""
    core = replace(CORES[2], layer_count=24)
    check(transformer_networks.transformer(3, width=16, heads=2, side=4, steps=2, blocks=1), core, schedule, 1)


@pytest.mark.parametrize("seed", range(40))
def test_words_of_odd_networks(seed):
    config, schedule = CORES[seed % len(CORES)], list(Schedule)[seed // len(CORES) % len(Schedule)]
    net = odd_networks.fitting(1000 * seed, config, schedule)
    check(net, config, schedule)
    compile_network(net, config, schedule, keep_maps=False).verify()
