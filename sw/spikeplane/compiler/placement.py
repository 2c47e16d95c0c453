"""Placement: where the maps, weights, parameters and states of a network lie in a core."""

import math
from dataclasses import dataclass, replace

from amaranth.utils import exact_log2
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.descriptor import descriptor_words
from spikeplane_hw.memory_map import Space
from spikeplane_hw.neuron import STATE_WIDTH, TABLE_INDEX_WIDTH, Levels, Neuron

from ..network.graph import IntegerNetwork
from ..network.input import INPUT
from ..network.lowered import CoreLayer, UnsupportedError
from ..network.maps import Maps
from ..network.node import Node
from ..network.schedule import Schedule
from .limits import CompileError, needs
from .spike_map import SpikeMap, input_spike_map

__all__ = ["CompileError", "PlacedLayer", "Placement", "place"]


@dataclass(frozen=True, kw_only=True)
class InputPlane:
    """One bit of what a layer sums up: a plane of an image, or the spikes of an earlier step."""

    weight: int
    """It counts ``2**weight``."""
    index: int = 0
    """Which plane of the map."""
    delay: int = 0
    """How many steps ago."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacedLayer:
    """A layer and the places of what it reads and writes."""

    layer: CoreLayer
    source: SpikeMap
    target: SpikeMap | None
    """None for the classifier."""
    output_height: int
    output_width: int
    groups: int
    last_lanes: int
    full: bool
    """Fully connected: the window is one row, the whole time step of the source."""
    replay: bool
    streamed: bool
    source_ring: int
    """Steps that the source holds and the core walks round: 1, unless taps look back in a live map."""
    target_ring: int
    """The same of the target."""
    first_pass: int
    weight_base: int
    weight_group: int
    """Slots of one channel group."""
    parameter_base: int
    state_base: int
    """First state chunk, that is word of the state memory; a multiple of a channel group's."""
    state_pack: int
    """1 << state_pack chunks share one."""
    stored: bool
    table: int

    @property
    def input_planes(self) -> list[InputPlane]:
        """The bits of what is summed up."""
        if len(self.layer.taps) > 1:
            return [
                InputPlane(weight=self.layer.taps[-1] - exponent, delay=delay)
                for delay, exponent in enumerate(self.layer.taps)
            ]
        return [InputPlane(weight=index, index=index) for index in range(self.source.planes)]

    @property
    def plane_pairs(self) -> list[list[tuple[InputPlane, int]]]:
        """For each power of two from 1 on the (input plane, weight plane) whose products count it."""
        planes, bits = self.input_planes, self.layer.weight_bits
        most = max(plane.weight for plane in planes) + bits - 1
        return [
            [
                (plane, power - plane.weight)
                for plane in planes if 0 <= power - plane.weight < bits
            ]
            for power in range(most + 1)
        ]

    @property
    def pass_count(self) -> int:
        """Plane passes of the layer; a power without products takes one to double."""
        return sum(max(1, len(pairs)) for pairs in self.plane_pairs)

    @property
    def weight_end(self) -> int:
        """First slot of a weight bank after the layer's."""
        return self.weight_base + self.groups * self.weight_group

    @property
    def pass_end(self) -> int:
        """First pass after the layer's."""
        return self.first_pass + self.pass_count

    def parameter_end(self, config: CoreConfig) -> int:
        """Return the first parameter chunk after the layer's; a classifier has none."""
        return self.parameter_base + self.groups * config.chunks

    def state_end(self, config: CoreConfig) -> int:
        """Return the first state chunk after the layer's; a classifier has none."""
        pixels = self.output_height * self.output_width * self.groups if self.stored else 1
        return self.state_base + (config.chunks >> self.state_pack) * pixels

    @property
    def weight_plane(self) -> int:
        """Slots of one weight plane of one channel group."""
        return self.weight_group // self.layer.weight_bits


@dataclass(frozen=True, kw_only=True, eq=False)
class Placement:
    """A network placed on a core."""

    network: IntegerNetwork
    config: CoreConfig
    schedule: Schedule
    input_map: SpikeMap
    layers: list[PlacedLayer]
    tables: list[tuple[int, Levels]]
    """(bits, levels) of each quantizer table."""
    kept: list[bool]
    """Whether a layer's spikes are still there after the run."""

    @property
    def keeps_maps(self) -> bool:
        """Whether every map has its own memory, also where there are too few to overwrite any."""
        return all(self.kept[:-1])

    @property
    def keeps_states(self) -> bool:
        """Whether the final potentials are stored though the schedule would not."""
        return self.schedule is Schedule.REGISTERS and any(placed.stored for placed in self.layers)

    def verify(self) -> None:
        """Raise a CompileError naming layer, need, limit and remedy of the first need that is exceeded."""
        exceeded = [need for need in needs(self) if need.exceeded]
        if exceeded:
            from .remedies import error  # Remedies are tried by placing the network again.

            raise error(self, exceeded)

    def occupied_words(self) -> dict[Space, int]:
        """Return how many words of each memory, from its first one on, the network takes."""
        config, last = self.config, self.layers[-1]
        neurons = [placed for placed in self.layers if placed.layer.neuron is not None]
        maps = [self.input_map, *(placed.target for placed in neurons if placed.target)]
        chunks = max((placed.parameter_end(config) for placed in neurons), default=0)
        states = max((placed.state_end(config) for placed in neurons), default=0)
        return {
            Space.PROGRAM: len(self.layers) * descriptor_words(config),
            Space.PASSES: last.pass_end,
            Space.WEIGHTS: last.weight_end * config.banks,
            Space.PARAMETERS: chunks * config.updates,
            Space.TABLES: len(self.tables) << TABLE_INDEX_WIDTH,
            Space.SPIKES: max(each.first_word(config) + each.words(config) for each in maps),
            Space.STATES: states * config.updates,
            Space.LOGITS: len(self.network.logit_offset),
        }


def place(
    network: IntegerNetwork,
    config: CoreConfig,
    schedule: Schedule = Schedule.REGISTERS,
    *,
    keep_maps: bool = True,
    keep_states: bool = False,
    check: bool = True,
) -> Placement:
    """Return ``network`` placed on a core.

    ``keep_maps`` gives every map its own memory, so that all spikes can be read after a run;
    without, maps that are no longer needed are overwritten. ``keep_states`` stores the final
    potentials of every layer that has a state also with the schedule REGISTERS. Without ``check``
    the network is one that was verified before, and may need more than the core has.
    """
    if check:
        network.verify()
    form, formats = network.input, network.maps()
    lowered = [_lower(node, formats) for node in network.nodes]
    _, *others = network.heads
    for head in others:
        raise CompileError(f"{head.where}: a second layer that adds to the logits; the core has one yet, the "
                           f"integer model runs several")
    input_map = input_spike_map(form, config)
    rings = {
        name: max((_ring(layer, schedule) for layer in lowered if layer.source == name), default=1)
        for name in formats
    }
    maps, kept = _place_maps(network, rings, input_map, config, schedule, keep_maps)
    tables: list[tuple[int, Levels]] = []
    layers: list[PlacedLayer] = []
    weight, parameter, passes = 1, 0, 0  # weight slot 0 of every bank is the zero row
    state = config.chunks  # all layers without stored states share the first chunks
    for layer in lowered:
        neuron, source, form_in = layer.neuron, maps[layer.source], formats[layer.source]
        walk = layer.walk
        height, width = walk.output(form_in.height, form_in.width)
        groups = -(-walk.channels // config.lanes)
        stored = (
            neuron is not None and neuron.state_bits > 0 and (schedule.stores or keep_states)
        )
        table = 0
        if neuron is not None and neuron.quantized:
            key = (neuron.state_bits, neuron.levels)
            if key not in tables:
                tables.append(key)
            table = tables.index(key)
        # Within a run of several steps a word would be read again before it is written.
        state_pack = _state_pack(neuron, config) if stored and schedule.stores else 0
        group_states = config.chunks >> state_pack
        read_input = layer.source == INPUT
        placed = PlacedLayer(
            layer=layer,
            source=source,
            target=maps.get(layer.name),
            output_height=height,
            output_width=width,
            groups=groups,
            last_lanes=walk.channels - (groups - 1) * config.lanes,
            full=walk.fills(form_in.height, form_in.width),
            replay=form_in.replayed,
            streamed=read_input and schedule.stores and not form.direct,
            source_ring=1 if read_input else rings[layer.source],
            target_ring=rings.get(layer.name, 1),
            first_pass=passes,
            weight_base=weight,
            weight_group=layer.weight_bits * math.prod(walk.kernel) * source.pixel_slots,
            parameter_base=parameter if neuron is not None else 0,
            state_base=-(-state // group_states) * group_states if stored else 0,
            state_pack=state_pack,
            stored=stored,
            table=table,
        )
        layers.append(placed)
        weight += groups * placed.weight_group
        passes += placed.pass_count
        if neuron is not None:
            parameter += groups * config.chunks
        if stored:
            state = placed.state_end(config)
    placement = Placement(
        network=network, config=config, schedule=schedule, input_map=input_map, layers=layers,
        tables=tables, kept=[kept.get(layer.name, False) for layer in lowered],
    )
    if check:
        placement.verify()
    return placement


def _lower(node: Node, maps: Maps) -> CoreLayer:
    try:
        return node.lower(maps)
    except UnsupportedError as error:
        raise CompileError(str(error)) from error


def _state_pack(neuron: Neuron | None, config: CoreConfig) -> int:
    """Return the log2 of the chunks of states that can share a word of the state memory."""
    if neuron is None or not neuron.quantized:
        return 0
    return min(exact_log2(config.most_packed), (STATE_WIDTH // neuron.state_bits).bit_length() - 1)


def _ring(reader: CoreLayer, schedule: Schedule) -> int:
    """Return how many steps the map holds that ``reader`` reads one step at a time."""
    return 1 << (len(reader.taps) - 1).bit_length() if schedule.stores else 1


def _place_maps(
    network: IntegerNetwork, rings: dict[str, int], input_map: SpikeMap, config: CoreConfig,
    schedule: Schedule, keep_maps: bool,
) -> tuple[dict[str, SpikeMap], dict[str, bool]]:
    """Return the place of every map by name, and whether its spikes are still there after the run."""
    order = {name: index for index, name in enumerate(network.names)}
    last_read = {
        name: max((order[node.name] for node in readers), default=-1)
        for name, readers in network.readers().items()
    }
    maps, steps = {INPUT: input_map}, schedule.inner_steps(network.input.steps)
    formats = {name: each for name, each in network.maps().items() if name != INPUT}
    for name, form in formats.items():
        slots = -(-form.channels // config.banks)
        live = list(maps.values())
        if not keep_maps and rings[name] == 1:
            # The input map and maps of several steps are read again in the next outer step.
            live = [
                maps[other] for other in maps if last_read[other] >= order[name]
                or rings[other] > 1 or (other == INPUT and schedule.stores)
            ]
        shape = SpikeMap(
            base=0, steps=max(steps, rings[name]), channels=form.channels, height=form.height,
            width=form.width, pixel_slots=-(-slots // config.chunk_slots) * config.chunk_slots,
        )
        word = _first_fit(
            [(m.first_word(config), m.words(config)) for m in live], shape.words(config)
        )
        flag = _first_fit([(m.flags, m.rows) for m in live], shape.rows)
        maps[name] = replace(shape, base=word * config.word_slots, flags=flag)
    last_made = max((order[name] for name in formats), default=-1)
    return maps, {name: keep_maps or last_read[name] >= last_made for name in formats}


def _first_fit(taken: list[tuple[int, int]], size: int) -> int:
    """Return the lowest start of ``size`` free places beside the (start, size) ``taken``."""
    start = 0
    for other, length in sorted(taken):
        if start + size <= other:
            break
        start = max(start, other + length)
    return start
