"""Odd networks on the simulated board: all that is kept of a run, and the last answer of a stream, is the model's."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from narrow_core import CONFIG
from odd_networks import LARGE_OFFSET, THRESHOLDS, fitting
from ragged_networks import samples
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import Image
from spikeplane.device.comparison import compare_with_model
from spikeplane.network.endings import Fire, Logits, Store
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT
from spikeplane.network.layer import Layer
from spikeplane.network.product import Product
from spikeplane.network.schedule import Schedule
from spikeplane.network.stored import Stored
from spikeplane.network.window import Window
from spikeplane_hw.neuron import leak_limit

SEEDS = range(49, 73)
"""Each way to be odd occurs in their networks."""
LEAST_STREAMS = 4


@cache
def made(seed: int, schedule: Schedule) -> tuple[IntegerNetwork, Image]:
    """Return a network and its image, with or without what is kept of maps and states."""
    network = fitting(1000 * seed, CONFIG, schedule)
    return network, compile_network(
        network, CONFIG, schedule, keep_maps=seed % 2 == 0, keep_states=seed // 2 % 2 == 0)


def streams(image: Image) -> bool:
    """Return whether steps may come live: an image that looks back at no more of them than it holds."""
    most = max((
        taps for layer in image.layers for source, taps in zip(layer.sources, layer.taps, strict=True)
        if source == INPUT
    ), default=1)
    return image.takes_events and image.schedule.stores and most <= image.input_map.steps


def kinds(network: IntegerNetwork) -> dict[str, bool]:
    """Return which kinds of odd things a network has."""
    maps, form = network.maps(), network.input
    layers = [node for node in network.nodes if isinstance(node, Layer)]
    terms = [term for layer in layers for term in layer.terms]
    windows = [term for term in terms if isinstance(term, Window)]
    whole = [term for term in windows if term.walk(maps).fills(maps[term.source].height, maps[term.source].width)]
    scaled = [term for term in terms if getattr(term, "multiplier", None) is not None]
    neurons = [layer.ending.neuron for layer in layers if isinstance(layer.ending, Fire)]
    heads = [layer for layer in layers if isinstance(layer.ending, Logits)]
    tapped = {(term.source, len(term.taps)) for term in terms if len(getattr(term, "taps", ())) > 1}
    return {
        "a map of one pixel": any(each.height == each.width == 1 for each in maps.values()),
        "a map of one channel": any(each.channels == 1 for each in maps.values()),
        "a window as large as its map, with a great stride": any(
            term.stride > 2 and max(term.weight.shape[2:]) > 1 for term in whole),
        "groups in columns": any(term.groups > 1 and term.weight.shape[2] > 1 for term in windows),
        "several readers of the input, one of them full": (
            len(network.readers()[INPUT]) > 1 and any(term.source == INPUT for term in whole)),
        "a stream of an image alone, in several steps": form.direct and form.steps > 1 and any(
            isinstance(layer.ending, Store) and set(layer.sources) == {INPUT} for layer in layers),
        "a product into a stream": any(
            isinstance(layer.ending, Store) and isinstance(term, Product) for layer in layers for term in layer.terms),
        "a product into logits": any(isinstance(term, Product) for layer in heads for term in layer.terms),
        "the mean of a stream with itself": any(
            isinstance(term, Stored) and len(term.streams) > len(set(term.streams)) for term in terms),
        "tap lengths that differ on one map": any(
            one[0] == other[0] for one, other in pairwise(sorted(tapped))),
        "an extreme threshold": any(neuron.fire_above in (THRESHOLDS[0], THRESHOLDS[-1]) for neuron in neurons),
        "the greatest leak": any(
            neuron.state_bits and neuron.leak == leak_limit(neuron.state_bits) for neuron in neurons),
        "an extreme multiplier": any(np.abs(term.multiplier).max() >= 32767 for term in scaled),
        "an extreme offset": any(np.abs(term.offset).max() > LARGE_OFFSET for term in scaled),
        "one step": form.steps == 1,
        "nine steps": form.steps == 9,
        "an image of eight bits": form.bits == 8,
        "a classifier with an exponent": any(layer.ending.exponent for layer in heads),
        "a classifier with padding": any(getattr(term, "padding", 0) for layer in heads for term in layer.terms),
    }


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_board_runs_odd_networks_as_the_model_does(driver, seed, schedule):
    network, image = made(seed, schedule)
    inputs = samples(network, 2, seed, density=(0.1, 0.3, 0.9)[seed % 3])
    driver.load(image)
    result = compare_with_model(driver, network, inputs)
    assert result.total == 0, result.mismatches
    assert result.samples == 2 and result.compared["logits"] and result.compared["counters"]
    if streams(image):
        (*_, last) = driver.stream(inputs[0])
        assert last.sums.tolist() == driver.run(inputs[0]).sums.tolist()


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
def test_the_networks_are_odd_in_every_way(schedule):
    networks, images = zip(*(made(seed, schedule) for seed in SEEDS), strict=True)
    assert len({network.metadata["seed"] for network in networks}) == len(SEEDS)
    assert sum(map(streams, images)) >= (LEAST_STREAMS if schedule.stores else 0)
    found = [kinds(network) for network in networks]
    assert [kind for kind in found[0] if not any(each[kind] for each in found)] == []
