"""Stays: when each spike map is in the spike memory, between what makes and what reads it, and where.

A map usually stays from the layer that makes it to the last one that reads it. One that is spilled is stored outside
the chip when it is made, and loaded again where it is read later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from spikeplane_hw.config import CoreConfig

from ..network.graph import IntegerNetwork
from ..network.input import INPUT
from ..network.maps import MapFormat
from ..network.schedule import Schedule
from .allocation import allocate
from .spike_map import SpikeMap

__all__ = ["PlacedMaps", "Stay", "place_maps", "spillable"]


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
class PlacedMaps:
    """The places of all maps of spikes."""

    stays: dict[Stay, SpikeMap]
    spilled: dict[str, int]
    """The first burst of each map that is spilled, counted from those that are for spikes."""
    kept: dict[str, bool]
    """Whether a map's spikes are still there after the run."""

    def at(self, name: str, layer: int) -> SpikeMap | None:
        """Return where a map lies when the ``layer``-th one runs; None: it is no map of spikes."""
        return next((spikes for stay, spikes in self.stays.items()
                     if stay.name == name and stay.first <= layer <= stay.last), None)

    def loaded(self, layer: int) -> dict[str, SpikeMap]:
        """Return the maps that are loaded again before the ``layer``-th one runs, and where."""
        return {stay.name: spikes for stay, spikes in self.stays.items() if stay.loaded and stay.first == layer}


def _uses(network: IntegerNetwork) -> dict[str, list[int]]:
    """Return the numbers of the layers that read each map, in order; each once."""
    order = {name: index for index, name in enumerate(network.names)}
    return {name: sorted({order[node.name] for node in readers}) for name, readers in network.readers().items()}


def spillable(
    network: IntegerNetwork, rings: Mapping[str, int], steps: int, collected: set[str], config: CoreConfig,
) -> list[str]:
    """Return the maps that leave the spike memory for a while if they are spilled, those for longest first."""
    order, uses = {name: index for index, name in enumerate(network.names)}, _uses(network)
    found = {}
    for name, form in network.maps().items():
        if name == INPUT or form.signed or rings[name] > 1 or not uses[name]:
            continue
        at = [order[name], *uses[name]]
        gap = max(after - before for before, after in pairwise(at))
        if name in collected:
            # Each sample's part is loaded by itself, at whole words.
            if steps * _shape(form, steps, config).step_slots % config.word_slots == 0:
                found[name] = len(network.nodes) + gap
        elif gap > 1:
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
    keep_maps: bool,
) -> list[Stay]:
    order, uses, end = {name: index for index, name in enumerate(network.names)}, _uses(network), len(network.nodes)
    last = max(uses[INPUT], default=-1)
    found = [Stay(name=INPUT, first=-1, last=end if keep_maps else last, lasting=schedule.stores)]
    for name, form in network.maps().items():
        if name == INPUT or form.signed:
            continue
        made, readers = order[name], uses[name]
        if name not in spilled:
            last = end if keep_maps else max([made, *readers])
            lasting = keep_maps or rings[name] > 1
            found.append(Stay(name=name, first=made, last=last, lasting=lasting or name in collected))
            continue
        # What is read by the next layer stays for it, unless that is of another sample.
        first, last, loaded = made, made, False
        for reader in readers:
            if reader > last + 1 or (name in collected and not loaded):
                found.append(Stay(name=name, first=first, last=last, loaded=loaded))
                first, loaded = reader, True
            last = reader
        found.append(Stay(name=name, first=first, last=last, loaded=loaded))
    return sorted(found, key=lambda stay: stay.first)


def place_maps(
    network: IntegerNetwork, rings: Mapping[str, int], steps: Mapping[str, int], made_steps: Mapping[str, int],
    collected: set[str], input_map: SpikeMap, config: CoreConfig, schedule: Schedule, *, keep_maps: bool,
    spilled: frozenset[str],
) -> PlacedMaps:
    """Return the places of all maps of spikes.

    ``steps`` are those that each map holds where it is read, ``made_steps`` where it is made. ``collected`` ones
    hold what samples before made while others run.
    """
    formats, stays = network.maps(), _stays(network, rings, collected, schedule, spilled, keep_maps)
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
        shapes[stay] = replace(_shape(form, held[stay.name], config), flagged=not stay.loaded)
    words = allocate({stay: each.words(config) for stay, each in shapes.items()}, beside, config.spike_depth)
    flags = allocate({stay: each.rows for stay, each in shapes.items()}, beside, config.row_flag_count)
    placed = {
        stay: input_map if stay.name == INPUT else replace(
            shape, base=words[stay] * config.word_slots, flags=0 if stay.loaded else flags[stay],
        )
        for stay, shape in shapes.items()
    }
    uses, made = _uses(network), [stay for stay in stays if not stay.loaded and stay.name != INPUT]
    last_placed = max((stay.first for stay in stays), default=-1)
    kept = {
        stay.name: stay.name not in spilled and (keep_maps or max(uses[stay.name], default=-1) >= last_placed)
        for stay in made
    }
    bursts, places = 0, {}
    for stay, shape in placed.items():
        if stay.name in spilled and not stay.loaded:
            places[stay.name], bursts = bursts, bursts + shape.words(config)
    return PlacedMaps(stays=placed, spilled=places, kept=kept)
