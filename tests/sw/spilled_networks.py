"""Random networks whose maps are spilled: the spike memory of a core is as small as they let it be."""

import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import random_graphs
import residual_networks
import streamed_networks
from ragged_networks import CORES, affine, weights
from spikeplane.compiler.choices import spillable_maps
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import Image
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.place import place
from spikeplane.compiler.placement import Placement
from spikeplane.compiler.remedies import fits
from spikeplane.compiler.state_places import spillable_streams
from spikeplane.network.endings import Fire, Logits, Store
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.schedule import Schedule
from spikeplane.network.stored import Stored
from spikeplane.network.window import Window
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.memory_map import Space
from spikeplane_hw.neuron import Neuron

__all__ = ["compile_spilled", "find", "find_streams", "shrunk", "three_streams"]


MOST_SPIKES = 400
"""Of all maps and steps of a network: cores are simulated cycle by cycle."""


def shrunk(network: IntegerNetwork, config: CoreConfig, schedule: Schedule, batch: int = 1) -> CoreConfig | None:
    """Return the configuration with too few words of spikes to hold all maps of ``network``, or None if all it takes
    is what any two layers need.
    """
    options = {"keep_maps": False, "batch": batch, "check": False}
    whole = place(network, config, schedule, spilled=frozenset(), **options)
    if not fits(whole):
        return None
    # Moves of whole maps are tried with less and less memory.
    found = None
    depth = whole.occupied_words()[Space.SPIKES]
    while depth > 1:
        depth -= -(-depth // 6)
        less = replace(config, spike_depth=depth)
        placed = place(network, less, schedule, splits={}, **options)
        if not fits(placed):
            break
        found = less if placed.spilled else found
    return found


@cache
def find(
    config: CoreConfig, schedule: Schedule, seed: int, batch: int = 1,
    most_bursts: int = streamed_networks.EXTERNAL_DEPTH,
) -> tuple[IntegerNetwork, CoreConfig, Placement]:
    """Return the first random network from ``seed`` on of which maps are spilled, its core and its placement there."""
    for number in itertools.count(seed):
        if batch > 1:
            network, roomy = streamed_networks.find_batched(config, batch, number, most_bursts)
        else:
            roomy = replace(config, external_depth=streamed_networks.EXTERNAL_DEPTH)
            network = random_graphs.graph(number, on_core=True) if number % 2 else (
                residual_networks.network(number, direct=number % 4 == 0, most_terms=config.term_count)
            )
        pixels = sum(form.channels * form.height * form.width for form in network.maps().values())
        if pixels * network.input.steps > MOST_SPIKES:
            continue
        try:
            found = shrunk(network, roomy, schedule, batch)
            if found is not None:
                return network, found, place(network, found, schedule, keep_maps=False, batch=batch)
        except CompileError:
            continue
    raise AssertionError("there is always another network")


@cache
def find_streams(config: CoreConfig, seed: int) -> tuple[IntegerNetwork, CoreConfig]:
    """Return the first random graph from ``seed`` on of which streams can be spilled, and a core that holds it."""
    roomy = replace(
        config, external_depth=streamed_networks.EXTERNAL_DEPTH, layer_count=64, table_count=8, pass_count=512,
        parameter_depth=4 * config.parameter_depth,
    )
    for number in itertools.count(seed):
        network = random_graphs.graph(number, on_core=True)
        pixels = sum(form.channels * form.height * form.width for form in network.maps().values())
        if pixels * network.input.steps > MOST_SPIKES or not spillable_streams(network):
            continue
        try:
            place(network, roomy, keep_maps=False)
        except CompileError:
            continue
        return network, roomy
    raise AssertionError("there is always another network")


def three_streams() -> tuple[IntegerNetwork, CoreConfig]:
    """Return a network of three streams, one of which is read only when the others have been, and a core for it."""
    def fire(name: str, stream: str) -> Layer:
        return Layer(name=name, terms=(Stored(streams=(stream,), exponent=2),), ending=Fire(neuron=Neuron()))

    random, store = np.random.default_rng(3), Store(fraction_bits=10)

    def window(source: str, channels: int, *, scaled: bool = True) -> Window:
        scale = affine(random, channels, 4, 5) if scaled else {}
        return Window(source=source, **weights(random, channels, 4, (1, 1)), **scale)

    nodes = [
        Layer(name="a", terms=(window(INPUT, 4),), ending=store),
        Layer(name="b", terms=(window(INPUT, 4),), ending=store),
        fire("of b", "b"),
        Layer(name="c", terms=(Stored(streams=("b",)), window("of b", 4)), ending=store),
        fire("of c", "c"),
        fire("of a", "a"),
        Layer(name="c head", terms=(window("of c", 3, scaled=False),), ending=Logits()),
        Layer(name="a head", terms=(window("of a", 3, scaled=False),), ending=Logits()),
    ]
    network = IntegerNetwork(
        input=InputFormat(channels=4, height=3, width=2, steps=2), nodes=nodes, logit_offset=np.zeros(3, np.int64),
    )
    return network, replace(CORES[0], external_depth=streamed_networks.EXTERNAL_DEPTH)


def compile_spilled(
    network: IntegerNetwork, config: CoreConfig, schedule: Schedule = Schedule.REGISTERS, *, batch: int = 1, **options
) -> Image:
    """Return an image that spills all that can be, as on a core that holds no more than it must."""
    early = place(network, config, schedule, keep_maps=False, batch=batch, **options).early
    spilled = frozenset([*spillable_maps(network, config, schedule, early), *spillable_streams(network)])
    return compile_network(network, config, schedule, keep_maps=False, batch=batch, spilled=spilled, **options)
