"""Random networks whose weights stream in: the weight memory of a core is as small as they let it be."""

import itertools
from dataclasses import replace

import ragged_networks
import random_graphs
import residual_networks
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.place import place
from spikeplane.compiler.remedies import fits
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.schedule import Schedule
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.memory_map import Space

__all__ = ["EXTERNAL_DEPTH", "find", "find_batched", "roomy", "shrunk"]

EXTERNAL_DEPTH = 1 << 14
"""Bursts outside the chip."""


def shrunk(
    network: IntegerNetwork, config: CoreConfig, schedule: Schedule, *, products: bool = False, **options
) -> CoreConfig | None:
    """Return the configuration with the least weight memory for ``network``, or None if that holds all weights.

    The same if the network does not fit ``config`` at all, or has no products if ``products``, else some; a
    CompileError says why if nothing it has could.
    """
    whole = place(network, config, schedule, check=False, **options)
    if not fits(whole) or any(placed.products for placed in whole.layers) is not products:
        return None
    wide = replace(config, external_depth=EXTERNAL_DEPTH)
    streamed = place(network, wide, schedule, streaming=True, **options)
    depth = max(2, 1 << max(placed.stream_group for placed in streamed.layers).bit_length())
    if streamed.halves_ring:
        depth *= 2
        while any(placed.operand_end - streamed.ring > depth // 2 for placed in streamed.layers):
            depth *= 2
    taken = max(placed.operand_end for placed in whole.layers)
    return None if taken <= depth else replace(wide, weight_depth=depth)


def find(
    config: CoreConfig, schedule: Schedule, seed: int, most_bursts: int = EXTERNAL_DEPTH, *, products: bool = False
) -> tuple[IntegerNetwork, CoreConfig]:
    """Return the first random network from ``seed`` on whose weights, at most ``most_bursts``, stream in, and its core.

    With ``products`` it has some, whose operands lie beside the ring.
    """
    for number in itertools.count(seed):
        direct = number % 2 == 0
        if number % 3 == 0:
            network = random_graphs.graph(number, on_core=True)
        elif number % 3 == 1:
            network = residual_networks.network(number, direct=direct, most_terms=config.term_count)
        else:
            network = ragged_networks.network(number, direct=direct)
        try:
            found = shrunk(network, config, schedule, products=products, keep_states=True)
            if found is not None:
                placement = place(network, found, schedule, keep_states=True, check=False)
                if fits(placement) and placement.occupied_words()[Space.EXTERNAL] <= most_bursts:
                    return network, found
        except CompileError:
            continue
    raise AssertionError("there is always another network")


def roomy(config: CoreConfig, batch: int) -> CoreConfig:
    """Return the configuration with room for what a batch has of several samples."""
    return replace(
        config, logit_count=batch * 4 * config.lanes, spike_depth=4 * config.spike_depth,
        row_flag_count=4 * config.row_flag_count, pool_depth=4 * config.pool_depth,
    )


def find_batched(
    config: CoreConfig, batch: int, seed: int, most_bursts: int = EXTERNAL_DEPTH
) -> tuple[IntegerNetwork, CoreConfig]:
    """Return the first random network from ``seed`` on that a batch suits, and its core, as :func:`find`."""
    for number in itertools.count(seed):
        network, found = find(config, Schedule.REGISTERS, number, most_bursts)
        found = roomy(found, batch)
        try:
            if fits(place(network, found, keep_states=True, batch=batch, check=False)):
                return network, found
        except CompileError:  # Nowhere between its layers samples can be collected.
            continue
    raise AssertionError("there is always another network")
