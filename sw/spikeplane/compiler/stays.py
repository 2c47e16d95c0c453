"""Stays: when each spike map is in the spike memory, between what makes and what reads it, and where.

A map usually stays from the layer that makes it to the last one that reads it. One that is spilled is stored outside
the chip when it is made, and loaded again where it is read later. Of a spilled map no more than a piece is there while
a layer runs in parts (:mod:`.parts`) that makes or reads it: what one part needs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from spikeplane_hw.config import CoreConfig

from ..network.graph import IntegerNetwork
from ..network.input import INPUT
from ..network.lowered import CoreLayer
from ..network.maps import MapFormat
from ..network.schedule import Schedule
from .allocation import allocate
from .parts import Split, SplitKind, held_rows
from .spike_map import SpikeMap

__all__ = ["PlacedMaps", "Places", "Stay", "made_rows", "place_maps", "spillable", "spilled_stays", "uses"]


@dataclass(frozen=True, kw_only=True)
class Stay:
    """Layers, by their numbers, from the first to the last one of which a map lies at one place."""

    name: str
    first: int
    """Which makes the map, or is the first one that reads it; -1: it is the input."""
    last: int
    loaded: bool = False
    """Whether the map is loaded again for the first layer; else that makes it."""
    lasting: bool = False
    """Whether it is needed again in the next run through the program."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where maps lie in a memory, and when."""

    stays: dict[Stay, SpikeMap]

    def at(self, name: str, layer: int) -> SpikeMap | None:
        """Return where a map lies when the ``layer``-th one runs; None: it is none of this memory."""
        return next((spikes for stay, spikes in self.stays.items()
                     if stay.name == name and stay.first <= layer <= stay.last), None)

    def loaded(self, layer: int) -> dict[str, SpikeMap]:
        """Return the maps that are loaded again before the ``layer``-th one runs, and where."""
        return {stay.name: spikes for stay, spikes in self.stays.items() if stay.loaded and stay.first == layer}


@dataclass(frozen=True, kw_only=True)
class PlacedMaps(Places):
    """The places of all maps of spikes."""

    spilled: dict[str, int]
    """The first burst of each map that is spilled, counted from those that are for spikes."""
    kept: dict[str, bool]
    """Whether a map's spikes are still there after the run."""
    words: dict[Stay, int]
    """Words of the spike memory that a map takes there."""
    outside: dict[str, SpikeMap]
    """The shape of each map that is spilled, as it lies there."""
    bursts: int
    """Of all of them."""


def uses(network: IntegerNetwork) -> dict[str, list[int]]:
    """Return the numbers of the layers that read each map, in order; each once."""
    order = {name: index for index, name in enumerate(network.names)}
    return {name: sorted({order[node.name] for node in readers}) for name, readers in network.readers().items()}


def spillable(
    network: IntegerNetwork, rings: Mapping[str, int], collected: set[str], *, parts: bool = False
) -> list[str]:
    """Return the maps that leave the spike memory for a while if they are spilled, those for longest first.

    With ``parts`` every map does, which is never there as a whole.
    """
    order, used = {name: index for index, name in enumerate(network.names)}, uses(network)
    found = {}
    for name, form in network.maps().items():
        if name == INPUT or form.signed or rings[name] > 1 or not used[name]:
            continue
        at = [order[name], *used[name]]
        gap = max(after - before for before, after in pairwise(at))
        if name in collected:
            found[name] = len(network.nodes) + gap
        elif gap > 1 or parts:
            found[name] = gap
    return sorted(found, key=lambda name: -found[name])


def _shape(form: MapFormat, steps: int, config: CoreConfig) -> SpikeMap:
    """Return the shape of a map that a layer makes."""
    slots = -(-form.channels // config.banks)
    return SpikeMap(
        base=0, steps=steps, channels=form.channels, height=form.height, width=form.width,
        pixel_slots=-(-slots // config.chunk_slots) * config.chunk_slots,
    )


def _stays(
    network: IntegerNetwork, rings: Mapping[str, int], collected: set[str], schedule: Schedule, spilled: frozenset[str],
    keep_maps: bool, splits: Mapping[str, Split],
) -> list[Stay]:
    order, used, end = {name: index for index, name in enumerate(network.names)}, uses(network), len(network.nodes)
    last = max(used[INPUT], default=-1)
    found = [Stay(name=INPUT, first=-1, last=end if keep_maps else last, lasting=schedule.stores)]
    for name, form in network.maps().items():
        if name == INPUT or form.signed:
            continue
        made, readers = order[name], used[name]
        if name not in spilled:
            last = end if keep_maps else max([made, *readers])
            lasting = keep_maps or rings[name] > 1
            found.append(Stay(name=name, first=made, last=last, lasting=lasting or name in collected))
            continue

        def apart(first: int, reader: int, loaded: bool, name: str = name) -> bool:
            """Return whether the next layer is of another sample, or either has pieces of the map."""
            pieces = any(network.names[index] in splits for index in (first, reader))
            return pieces or (name in collected and not loaded)

        found += spilled_stays(name, made, readers, apart)
    return sorted(found, key=lambda stay: stay.first)


def spilled_stays(
    name: str, made: int, readers: Sequence[int],
    apart: Callable[[int, int, bool], bool] = lambda first, reader, loaded: False,
) -> list[Stay]:
    """Return the stays of a map that is spilled: what the next layer reads stays for it.

    Unless ``apart`` says of the first layer of a stay, of the next one and whether the map was loaded for the former
    that it does not.
    """
    found = []
    first, last, loaded = made, made, False
    for reader in readers:
        if reader > last + 1 or apart(first, reader, loaded):
            found.append(Stay(name=name, first=first, last=last, loaded=loaded))
            first, loaded = reader, True
        last = reader
    return [*found, Stay(name=name, first=first, last=last, loaded=loaded)]


def place_maps(
    network: IntegerNetwork, rings: Mapping[str, int], steps: Mapping[str, int], made_steps: Mapping[str, int],
    collected: set[str], input_map: SpikeMap, config: CoreConfig, schedule: Schedule, *, keep_maps: bool,
    spilled: frozenset[str], lowered: Sequence[CoreLayer], splits: Mapping[str, Split],
) -> PlacedMaps:
    """Return the places of all maps of spikes.

    ``steps`` are those that each map holds where it is read, ``made_steps`` where it is made. ``collected`` ones
    hold what samples before made while others run. ``splits`` are those of rows and steps.
    """
    formats, stays = network.maps(), _stays(network, rings, collected, schedule, spilled, keep_maps, splits)
    shapes: dict[Stay, SpikeMap] = {}
    beside: dict[Stay, list[Stay]] = {}
    for stay in stays:
        form = formats[stay.name]
        # Maps that last are there from the begin of the next run on, so they lie beside all before them.
        # Those that a batch collects last only until they are read.
        beside[stay] = [
            other for other in shapes if stay.lasting or other.last >= stay.first
            or (other.lasting and (keep_maps or other.name not in collected))
        ]
        if stay.name == INPUT:
            shapes[stay] = input_map
            continue
        held = steps if stay.loaded or stay.name not in spilled else made_steps
        shape = replace(_shape(form, held[stay.name], config), flagged=not stay.loaded)
        if stay.name in spilled:
            layer = lowered[stay.first]
            shape = _piece(shape.padded(config), stay, layer, splits.get(layer.name), config)
        shapes[stay] = shape
    sizes = {
        stay: each.steps * each.step_words(config) if stay.name in spilled else each.words(config)
        for stay, each in shapes.items()
    }
    words = allocate(sizes, beside, config.spike_depth)
    flags = allocate({stay: each.rows for stay, each in shapes.items()}, beside, config.row_flag_count)
    placed = {
        stay: input_map if stay.name == INPUT else replace(
            shape, base=words[stay] * config.word_slots, flags=0 if stay.loaded else flags[stay],
        )
        for stay, shape in shapes.items()
    }
    used, made = uses(network), [stay for stay in stays if not stay.loaded and stay.name != INPUT]
    last_placed = max((stay.first for stay in stays), default=-1)
    kept = {
        stay.name: stay.name not in spilled and (keep_maps or max(used[stay.name], default=-1) >= last_placed)
        for stay in made
    }
    bursts, places, outside = 0, {}, {}
    for stay in placed:
        if stay.name in spilled and not stay.loaded:
            whole = _shape(formats[stay.name], made_steps[stay.name], config).padded(config)
            outside[stay.name], places[stay.name], bursts = whole, bursts, bursts + whole.words(config)
    return PlacedMaps(stays=placed, spilled=places, kept=kept, words=sizes, outside=outside, bursts=bursts)


def made_rows(layer: CoreLayer, rows: range, height: int) -> range:
    """Return the rows of a layer's map of ``height`` that its sums ``rows`` make, pooled on the way out."""
    return range(rows.start // layer.pool[0], min(height, rows.stop // layer.pool[0]))


def _piece(whole: SpikeMap, stay: Stay, layer: CoreLayer, split: Split | None, config: CoreConfig) -> SpikeMap:
    """Return the shape of what is there of a spilled map while a layer runs that makes or reads it."""
    if split is None:
        return whole
    if split.kind is SplitKind.STEPS:
        return replace(whole, steps=max(map(len, split.ranges)))
    parts = [
        held_rows(layer, rows, stay.name, whole.height) if stay.loaded else made_rows(layer, rows, whole.height)
        for rows in split.ranges
    ]
    # Words that come in hold the end of the row before, too.
    words = max(
        -(-(rows.start * whole.row_slots % config.word_slots + len(rows) * whole.row_slots) // config.word_slots)
        for rows in parts
    )
    piece = replace(whole, height=max(map(len, parts)))
    return replace(piece, gap=words * config.word_slots - piece.frame_slots)
