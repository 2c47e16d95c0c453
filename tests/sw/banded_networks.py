"""Random networks that run in parts: the spike memory of a core is smaller than their maps are by themselves."""

import itertools
from dataclasses import replace
from functools import cache

import ragged_networks
import residual_networks
from spikeplane.compiler.limits import CompileError, memory_needs
from spikeplane.compiler.parts import SplitKind
from spikeplane.compiler.place import place
from spikeplane.compiler.placement import Placement
from spikeplane.compiler.remedies import fits
from spikeplane.network.graph import IntegerNetwork
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.memory_map import Space
from spilled_networks import MOST_SPIKES
from streamed_networks import EXTERNAL_DEPTH

__all__ = ["find", "shrunk"]

LAYERS = 96
"""Layers of a program: parts count as such."""


def shrunk(network: IntegerNetwork, config: CoreConfig) -> CoreConfig | None:
    """Return the configuration with the least spike memory that runs ``network`` in parts, or None if none does."""
    roomy = replace(config, external_depth=EXTERNAL_DEPTH, layer_count=LAYERS)
    whole = place(network, roomy, keep_maps=False, spilled=frozenset(), splits={}, check=False)
    if not fits(whole):
        return None
    found, depth = None, whole.occupied_words()[Space.SPIKES]
    while depth > 1:
        depth -= -(-depth // 6)
        less = replace(roomy, spike_depth=depth)
        placement = place(network, less, keep_maps=False, check=False)
        if any(need.exceeded for need in memory_needs(placement)):
            break
        found = less if placement.splits else found
    return found


@cache
def find(
    config: CoreConfig, seed: int, kind: SplitKind = SplitKind.ROWS, most: int = MOST_SPIKES
) -> tuple[IntegerNetwork, CoreConfig, Placement]:
    """Return the first random network from ``seed`` on of which a layer is split so, its core and its placement."""
    for number in itertools.count(seed):
        direct = number % 4 == 0
        network = residual_networks.network(number, direct=direct, most_terms=config.term_count) if number % 2 else (
            ragged_networks.network(number, direct=direct)
        )
        pixels = sum(form.channels * form.height * form.width for form in network.maps().values())
        if pixels * network.input.steps > most:
            continue
        try:
            found = shrunk(network, config)
        except CompileError:
            continue
        if found is not None:
            placement = place(network, found, keep_maps=False)
            if any(split.kind is kind for split in placement.splits.values()):
                return network, found, placement
    raise AssertionError("there is always another network")
