"""Fit: needs, the best way to place a network, cycles and times."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from deep_network import deep
from ragged_networks import CORES, affine, network, samples, weights
from spikeplane.boards import BOARDS
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.compiler.fit import fit, fit_all
from spikeplane.compiler.footprint import footprint
from spikeplane.compiler.limits import CompileError, Limit
from spikeplane.compiler.place import place
from spikeplane.network.checks import NetworkError
from spikeplane.network.endings import Fire, Logits
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.product import Product
from spikeplane.network.schedule import Schedule
from spikeplane.network.window import Window
from spikeplane.training.net.export import export_network
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane_hw.config import CONFIGS, SMALL, TINY
from spikeplane_hw.memory_map import Space, memory_map
from spikeplane_hw.neuron import Neuron
from transformer_networks import attention

ZOO = Path(__file__).parents[3] / "zoo"
FITTING = {
    "digits": set(CONFIGS), "mnist_tiny": set(CONFIGS),
    **{name: {"compact", "small", "large", "huge"} for name in ("mnist", "ncars", "nmnist")},
}


@pytest.mark.parametrize("name", FITTING)
def test_zoo(name):
    integers = export_network(load_checkpoint(ZOO / name / "checkpoint.safetensors").network)
    found = {each.config.name: each for each in fit_all(integers)}
    assert list(found) == list(CONFIGS)
    assert {config for config, each in found.items() if each.fits} == FITTING[name]
    for config, each in found.items():
        depths = memory_map(CONFIGS[config])
        assert each.depths == {space: depths[space].depth for space in each.words}
        assert each.fits == (not each.exceeded) == (not each.changes)
        assert each.cycles == {} and each.board_times == []
        assert each.note == ("no samples given" if each.fits else "does not fit")
        full = all(count <= each.depths[space] for space, count in each.words.items())
        assert full or not each.fits
        if each.fits:
            # The way that is found compiles.
            place(integers, each.config, each.schedule, keep_maps=each.keep_maps)
        else:
            with pytest.raises(CompileError):
                place(integers, each.config)
            assert all(need.exceeded and changes
                       for need, changes in zip(each.exceeded, each.changes, strict=True))


def test_needs_of_mnist_on_tiny():
    integers = export_network(load_checkpoint(ZOO / "mnist" / "checkpoint.safetensors").network)
    found = fit(integers, TINY)
    assert [need.kind for need in found.exceeded] == [
        Limit.SPIKES, Limit.PASSES, Limit.WEIGHTS, Limit.SUM, Limit.REFERENCE]
    assert str(found.exceeded[1]) == "layer 'classifier': passes, all layers to here: 43 needed, limit 32"
    assert found.changes[1] == ["a 2-bit input", "4-bit weights in layer 'conv1'"]
    assert found.words[Space.PASSES] == 43 and found.shares[Space.PASSES] == 43 / 32
    assert found.fullest == (Space.WEIGHTS, found.words[Space.WEIGHTS] / 8192)
    # Only the least exceeded way is told, and it overwrites maps.
    assert (found.schedule, found.keep_maps) == (Schedule.REGISTERS, False)


def ways_of(core):
    found = fit(deep(), core)
    return found.fits, found.schedule, found.keep_maps


def tightest(core, schedule):
    """Return the words of the least spike memory that holds all maps where they are overwritten."""
    words = place(deep(), core, schedule, keep_maps=False).occupied_words()[Space.SPIKES]
    while True:
        fewer = place(deep(), replace(core, spike_depth=words - 1), schedule, keep_maps=False, check=False)
        if fewer.occupied_words()[Space.SPIKES] >= words:
            return words
        words -= 1


def test_the_way_that_needs_least_of_the_user_is_found():
    base = replace(SMALL, lanes=32, most_packed=4, state_depth=512)
    kept = place(deep(), base).occupied_words()[Space.SPIKES]
    reused = tightest(base, Schedule.REGISTERS)
    stored = place(deep(), base, Schedule.STORED).occupied_words()[Space.SPIKES]
    least = tightest(base, Schedule.STORED)
    assert least < stored < reused < kept
    assert ways_of(base) == (True, Schedule.REGISTERS, True)
    assert ways_of(replace(base, spike_depth=kept)) == (True, Schedule.REGISTERS, True)
    assert ways_of(replace(base, spike_depth=kept - 1)) == (True, Schedule.REGISTERS, False)
    assert ways_of(replace(base, spike_depth=reused - 1)) == (True, Schedule.STORED, True)
    assert ways_of(replace(base, spike_depth=stored - 1)) == (True, Schedule.STORED, False)
    assert ways_of(replace(base, spike_depth=least - 1)) == (False, Schedule.STORED, False)


def test_a_given_way_is_kept_to():
    base = replace(SMALL, lanes=32, most_packed=4, state_depth=512, spike_depth=100)
    for schedule in Schedule:
        for keep in (True, False):
            found = fit(deep(), base, schedule, keep_maps=keep)
            assert (found.schedule, found.keep_maps) == (schedule, keep)
            assert found.fits == (schedule is Schedule.STORED)


@pytest.mark.parametrize("seed", range(12))
def test_words_and_cycles_are_those_of_the_footprint(seed):
    net = network(seed, direct=seed % 2 == 0)
    core = CORES[seed % len(CORES)]
    inputs = samples(net, 2)
    for schedule in Schedule:
        found = fit(net, core, schedule, keep_maps=False, inputs=inputs)
        same = footprint(net, core, schedule, inputs)
        assert found.fits
        assert found.words == same.words
        assert found.cycles == same.cycles
        predicted = predict_cycles(net, inputs, core, schedule, keep_maps=False)
        assert found.total_cycles == predicted.sum(1).mean()


def test_times_are_those_of_the_boards_that_carry_the_configuration():
    net = deep()
    boards = set()
    for config in CONFIGS.values():
        found = fit(net, config, inputs=samples(net, 1))
        assert found.board_times
        for time in found.board_times:
            board = BOARDS[time.board]
            assert board.config == config and time.clock == board.clock
            assert time.seconds == found.total_cycles / board.clock
            assert time.samples_a_second == pytest.approx(1 / time.seconds)
        boards |= {time.board for time in found.board_times}
    assert boards == set(BOARDS)
    assert fit(net, replace(SMALL, name="mine", lanes=32, most_packed=4), inputs=samples(net, 1)).board_times == []


def test_cycles_of_large_networks_are_not_predicted():
    net = deep()
    inputs = samples(net, 1)
    segments = 3 * (144 + 144 + 36 + 36 + 1 + 1)
    assert fit(net, SMALL, inputs=inputs, most_segments=segments).note == ""
    found = fit(net, SMALL, inputs=inputs, most_segments=segments - 1)
    assert found.fits and found.cycles == {} and found.total_cycles == 0
    assert found.note == "not predicted: 1,086 segments take long, limit 1,085"


def test_a_network_that_breaks_a_rule_is_an_error():
    net = deep()
    net.nodes[0].terms[0].weight[0] = 0
    with pytest.raises(NetworkError, match="layer 'a': weight"):
        fit(net, SMALL)


def test_a_network_that_fits_nothing():
    net = replace(deep(), input=replace(deep().input, steps=20_000))
    assert not any(found.fits for found in fit_all(net, np.zeros((0, *net.input.shape), np.uint8)))
    for found in fit_all(net):
        assert {Limit.STEPS, Limit.SPIKES} <= {need.kind for need in found.exceeded}


def test_ways_that_do_not_run_are_left_out():
    """Of the input no step is kept as weights where steps come one after the other."""
    random = np.random.default_rng(0)
    product = Product(source=INPUT, operand=INPUT, **affine(random, 4, 2, 5))
    net = IntegerNetwork(
        input=InputFormat(channels=2, height=2, width=2, steps=2), logit_offset=np.zeros(3, np.int64),
        nodes=[
            Layer(name="map", terms=(product,), ending=Fire(neuron=Neuron())),
            Layer(name="head", terms=(Window(source="map", **weights(random, 3, 4, (1, 1))),), ending=Logits()),
        ],
    )
    found = fit(net, SMALL)
    assert found.fits and found.runs and found.schedule is Schedule.REGISTERS
    other = fit(net, SMALL, Schedule.STORED, keep_maps=False)
    assert not other.fits and not other.runs
    assert (other.schedule, other.keep_maps, other.words, other.exceeded, other.changes, other.cycles) == (
        Schedule.STORED, False, {}, [], [], {})
    assert other.note.startswith("layer 'map': the operand of its product is the input")


def test_configurations_that_do_not_run_it_hide_no_others():
    found = {each.config.name: each for each in fit_all(attention(0, width=16, heads=2, height=4, columns=2, steps=2))}
    assert {name for name, each in found.items() if each.fits} == {"compact", "small"}
    assert {name for name, each in found.items() if not each.runs} == {"large", "huge"}
    for name in ("large", "huge"):
        assert f"{name} runs groups of a multiple of 16" in found[name].note
