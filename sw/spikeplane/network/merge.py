"""Pools merged into the layers whose spikes they read: what cores with a pool in their spike writer run faster."""

from dataclasses import replace

from spikeplane_hw.descriptor import POOL_LIMIT

from .endings import Fire
from .graph import IntegerNetwork
from .layer import Layer
from .maps import Maps
from .node import Node
from .pool import OrPool

__all__ = ["merge_pools"]


def merge_pools(network: IntegerNetwork) -> IntegerNetwork:
    """Return a network of the same logits in which layers pool their spikes on the way out.

    A pool is merged where nothing else reads the layer's map, and where its windows lie side by side
    and have at most POOL_LIMIT pixels a side. What is left has the pool's name, since its map is the
    pool's; the layer's own map is gone.
    """
    maps, readers = network.maps(), network.readers()
    nodes: dict[str, Node] = {}
    for node in network.nodes:
        layer = nodes.get(node.source) if isinstance(node, OrPool) else None
        if isinstance(node, OrPool) and isinstance(layer, Layer) and len(readers[layer.name]) == 1:
            merged = _merged(layer, node, maps)
            if merged is not None:
                del nodes[layer.name]
                node = merged
        nodes[node.name] = node
    return replace(network, nodes=list(nodes.values()))


def _merged(layer: Layer, pool: OrPool, maps: Maps) -> Layer | None:
    """Return the layer with the pool on its way out, or None if cores cannot pool so."""
    ending, pooling = layer.ending, pool.pooling
    if not isinstance(ending, Fire) or ending.pooling is not None:
        return None
    if max(pooling.kernel) > POOL_LIMIT or not pooling.side_by_side(maps[layer.name].shape):
        return None
    return replace(layer, name=pool.name, ending=replace(ending, pooling=pooling))
