"""Transformers on cores that hold no more than pieces of their streams; weights and parameters stream in as well."""

from dataclasses import replace

import transformer_networks
from ragged_networks import CORES
from spikeplane.compiler.place import place
from spikeplane.compiler.placement import Placement
from spikeplane.compiler.remedies import fits
from spikeplane.network.graph import IntegerNetwork
from spikeplane_hw.config import CoreConfig

__all__ = ["SIZES", "find"]

SIZES = [
    {"width": 8, "heads": 1, "side": 2}, {"width": 16, "heads": 1, "side": 2}, {"width": 64, "heads": 2, "side": 4},
]
"""Of the transformers for each of the first cores: streams of two channel groups."""
ROOM = {
    "external_depth": 1 << 15, "layer_count": 64, "pass_count": 512, "parameter_depth": 1 << 13, "state_depth": 1 << 13,
}


def find(core: int, seed: int, *, blocks: int = 1, resident: bool = False) -> tuple[IntegerNetwork, CoreConfig]:
    """Return a transformer and the one of ``CORES`` with the least state memory that runs it.

    Weights and parameters are more than it holds too, unless they are ``resident``.
    """
    network = transformer_networks.transformer(seed, **SIZES[core], steps=2, blocks=blocks)
    config = replace(CORES[core], **ROOM)

    def placed(**options) -> Placement:
        return place(network, replace(config, **options), keep_maps=False, check=False)

    if not resident:
        streamed = place(network, config, keep_maps=False, check=False, streaming=True)
        config = replace(config, parameter_depth=1 << max(
            sum(term.parameter_groups for term in each.terms) * config.chunks - 1 for each in streamed.layers
        ).bit_length())
        depth = next(depth for depth in (1 << bits for bits in range(1, 14)) if fits(placed(weight_depth=depth)))
        config = replace(config, weight_depth=depth)
    depth = next(depth for depth in (config.chunks << bits for bits in range(1, 14)) if fits(placed(state_depth=depth)))
    return network, replace(config, state_depth=depth)
