"""Random networks whose maps are spilled: the spike memory of a core is as small as they let it be."""

import itertools
from dataclasses import replace
from functools import cache

import random_graphs
import residual_networks
import streamed_networks
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import Image
from spikeplane.compiler.placement import CompileError, Placement, place, spillable_maps
from spikeplane.compiler.remedies import fits
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.schedule import Schedule
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.memory_map import Space

__all__ = ["compile_spilled", "find", "shrunk"]


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


def compile_spilled(
    network: IntegerNetwork, config: CoreConfig, schedule: Schedule = Schedule.REGISTERS, *, batch: int = 1, **options
) -> Image:
    """Return an image that spills all maps that can be, as on a core that holds no more than it must."""
    early = place(network, config, schedule, keep_maps=False, batch=batch, **options).early
    spilled = frozenset(spillable_maps(network, config, schedule, early))
    return compile_network(network, config, schedule, keep_maps=False, batch=batch, spilled=spilled, **options)
