"""The layers that a core runs for the nodes of a network, and what of each follows before anything is placed."""

import numpy as np
from spikeplane_hw.config import CoreConfig

from ..network.graph import IntegerNetwork
from ..network.input import INPUT
from ..network.lowered import CoreLayer, CoreTerm, TermKind, UnsupportedError
from ..network.maps import Maps
from ..network.schedule import Schedule
from .groups import find_group_lanes
from .limits import CompileError

__all__ = ["find_rings", "lower_network", "ordered_terms", "parameter_chunks"]


def lower_network(network: IntegerNetwork) -> list[CoreLayer]:
    """Return the layer of each node; a CompileError names a node that no core runs."""
    maps = network.maps()
    try:
        return [node.lower(maps) for node in network.nodes]
    except UnsupportedError as error:
        raise CompileError(str(error)) from error


def ordered_terms(layer: CoreLayer) -> list[CoreTerm]:
    """Return the terms in the order in which the core sums them up.

    The streamed map moves on with the last term of its last reader; a stream is never the last term.
    """
    terms = sorted(layer.terms, key=lambda term: (term.kind is not TermKind.STREAM, term.source == INPUT))
    if terms[-1].kind is TermKind.STREAM:
        nothing = np.zeros(1, np.int64)
        terms.append(CoreTerm(
            source=terms[-1].source, channels=layer.channels, kind=TermKind.NOTHING, multiplier=nothing,
            offset=nothing,
        ))
    return terms


def find_rings(layers: list[CoreLayer], maps: Maps, schedule: Schedule) -> dict[str, int]:
    """Return how many steps of each map its readers look back on, as a power of two."""
    terms = [term for layer in layers for term in layer.terms]
    return {
        name: max((_held_steps(term, schedule) for term in terms if term.source == name), default=1) for name in maps
    }


def _held_steps(reader: CoreTerm, schedule: Schedule) -> int:
    """Return how many steps the map holds that ``reader`` reads one step at a time."""
    return 1 << (len(reader.taps) - 1).bit_length() if schedule.stores else 1


def parameter_chunks(lowered: list[CoreLayer], formats: Maps, config: CoreConfig, *, live: bool) -> int:
    """Return the chunks of parameters of all layers."""
    groups = 0
    for layer in lowered:
        if layer.neuron is None:
            continue
        own = -(-layer.channels // find_group_lanes(layer, formats, config, live=live))
        groups += sum(
            own if term.scaled and not term.shares_weights(config) else 1 for term in ordered_terms(layer)
        )
    return groups * config.chunks
