"""Where stored potentials and streams lie in the state memory, and which streams are outside the chip meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from amaranth.utils import exact_log2
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.neuron import STATE_WIDTH

from ..network.graph import IntegerNetwork
from ..network.lowered import CoreLayer
from ..network.maps import Maps
from ..network.schedule import Schedule
from .allocation import allocate
from .groups import find_group_lanes
from .moves import stream_words
from .spike_map import SpikeMap
from .stays import Places, Stay, spilled_stays, uses

__all__ = ["PlacedStates", "StoredLayer", "place_states", "spillable_streams", "state_pack", "stored_layers"]

NOBODY = Stay(name="", first=-1, last=-1, lasting=True)
"""The first chunks, of a channel group for each cluster, which all layers without stored potentials share."""


@dataclass(frozen=True, kw_only=True)
class StoredLayer:
    """What a layer keeps in the state memory."""

    name: str
    chunks: int
    unit: int
    """The first of them is a multiple of this."""
    stream: SpikeMap | None
    """The shape of the integers that later layers read; None: they are potentials, which last from run to run."""


@dataclass(frozen=True, kw_only=True)
class PlacedStates:
    """The places of all that is stored."""

    bases: dict[str, int]
    """The first chunk of what each layer stores."""
    streams: Places
    """The streams, whose slots are channel groups of chunks."""
    kept: dict[str, bool]
    """Whether a stream is still there after the run."""
    spilled: dict[str, int]
    """The first burst of each stream that is spilled, counted from those that are for moves."""
    bursts: int
    """Of them, and of all before them."""


def spillable_streams(network: IntegerNetwork) -> list[str]:
    """Return the streams that leave the state memory for a while if they are spilled, those for longest first."""
    order, readers = {name: index for index, name in enumerate(network.names)}, uses(network)
    found = {}
    for name, form in network.maps().items():
        if form.signed and readers[name]:
            gap = max(after - before for before, after in pairwise([order[name], *readers[name]]))
            if gap > 1:
                found[name] = gap
    return sorted(found, key=lambda name: -found[name])


def place_states(
    network: IntegerNetwork, stored: Sequence[StoredLayer], config: CoreConfig, *, keep: bool,
    spilled: frozenset[str], first_burst: int, pieces: bool = False,
) -> PlacedStates:
    """Return the places of all that is stored; unless ``keep``, streams are overwritten that are no longer read.

    Outside the chip streams lie from ``first_burst`` of those for moves on. With ``pieces`` no more of them is there
    than a row of a channel group, for one layer after the other.
    """
    order, readers, end = {name: index for index, name in enumerate(network.names)}, uses(network), len(network.nodes)
    stays: dict[Stay, StoredLayer] = {}
    for each in stored:
        made = order[each.name]
        if each.stream is None or keep:
            stays[Stay(name=each.name, first=made, last=end, lasting=each.stream is None)] = each
        elif each.name not in spilled:
            stays[Stay(name=each.name, first=made, last=max([made, *readers[each.name]]))] = each
        else:
            own = spilled_stays(each.name, made, readers[each.name], lambda *_: pieces)
            stays |= dict.fromkeys(own, _piece(each) if pieces else each)
    stays = dict(sorted(stays.items(), key=lambda found: found[0].first))
    if keep or all(each.stream is None for each in stored):
        places, next_chunk = {}, config.shared_chunks
        for stay, each in stays.items():
            places[stay] = -(-next_chunk // each.unit) * each.unit
            next_chunk = places[stay] + each.chunks
    else:
        places = _overwritten(stays, config)
    streams = {
        stay: replace(each.stream, base=places[stay] // config.chunks)
        for stay, each in stays.items() if each.stream is not None
    }
    last_placed, bursts, outside = max((stay.first for stay in streams), default=-1), first_burst, {}
    whole = {each.name: each.stream for each in stored if each.stream is not None}
    for stay in streams:
        if stay.name in spilled and not stay.loaded:
            outside[stay.name], bursts = bursts, bursts + stream_words(whole[stay.name], config)
    return PlacedStates(
        bases={stay.name: places[stay] for stay in stays if not stay.loaded}, streams=Places(stays=streams),
        kept={
            stay.name: stay.name not in spilled and (keep or stay.last >= last_placed)
            for stay in streams if not stay.loaded
        },
        spilled=outside, bursts=bursts,
    )


def _piece(layer: StoredLayer) -> StoredLayer:
    """Return what is there of a stream of which no more is than a row of a channel group."""
    assert layer.stream is not None
    piece = replace(layer.stream, height=1, pixel_slots=1)
    return replace(layer, stream=piece, chunks=layer.chunks // layer.stream.slots * piece.slots)


def _overwritten(stays: Mapping[Stay, StoredLayer], config: CoreConfig) -> dict[Stay, int]:
    """Return the first chunks, those of streams that are never there at the same time alike."""
    # In channel groups, which are whole words of potentials that share them.
    sizes, beside = {NOBODY: config.clusters}, {}
    for stay, each in stays.items():
        beside[stay] = [
            other for other in sizes if stay.lasting or other.lasting or other.last >= stay.first
        ]
        sizes[stay] = -(-each.chunks // config.chunks)
    groups = allocate(sizes, beside, config.state_depth // config.chunks)
    return {stay: groups[stay] * config.chunks for stay in stays}


def stored_layers(
    lowered: list[CoreLayer], formats: Maps, config: CoreConfig, schedule: Schedule, *, live: bool, steps: int,
    batch: int, early: int, keep_states: bool,
) -> list[StoredLayer]:
    """Return what layers keep in the state memory: streams, and potentials that the schedule or the host needs."""
    found = []
    for index, layer in enumerate(lowered):
        neuron = layer.neuron
        if neuron is None or not neuron.state_bits or not (schedule.stores or keep_states or layer.stores):
            continue
        form = formats[layer.terms[0].source]
        height, width = layer.terms[0].walk.output(form.height, form.width)
        groups = -(-layer.channels // find_group_lanes(layer, formats, config, live=live))
        samples = batch if index >= early else 1
        stream = SpikeMap(
            base=0, steps=steps * samples, channels=layer.channels, height=height, width=width, pixel_slots=groups,
            flagged=False,
        ) if layer.stores else None
        unit = config.chunks >> state_pack(layer, config, schedule)
        slots = height * width * groups if stream is None else stream.slots
        found.append(StoredLayer(name=layer.name, chunks=unit * slots, unit=unit, stream=stream))
    return found


def state_pack(layer: CoreLayer, config: CoreConfig, schedule: Schedule) -> int:
    """Return the log2 of the chunks of states that can share a word of the state memory."""
    neuron = layer.neuron
    # Within a run of several steps a word would be read again before it is written.
    if neuron is None or not neuron.quantized or not schedule.stores:
        return 0
    return min(exact_log2(config.most_packed), (STATE_WIDTH // neuron.state_bits).bit_length() - 1)
