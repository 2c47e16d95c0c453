"""Placement: where the maps, weights, parameters and states of a network lie in a core."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.descriptor import Job, descriptor_words, job_layout
from spikeplane_hw.memory_map import Space
from spikeplane_hw.neuron import TABLE_INDEX_WIDTH, Levels
from spikeplane_hw.weight_stream import ring_slots, slot_bursts

from ..network.graph import IntegerNetwork
from ..network.input import INPUT
from ..network.lowered import CoreLayer, CoreTerm, TermKind, UnsupportedError
from ..network.maps import Maps
from ..network.node import Node
from ..network.schedule import Schedule
from .batches import check_batch, collected_maps, cuts, sample_ring
from .groups import find_group_lanes
from .limits import CompileError, Limit, memory_needs, needs
from .moves import load_moves, parameter_loads, store_moves, stream_move
from .part_places import place_part
from .parts import Split, SplitKind, head_split, plane_part
from .placed import PlacedLayer
from .spike_map import SpikeMap, input_spike_map
from .splits import choose_splits
from .state_places import place_states, spillable_streams, state_pack, stored_layers
from .stays import place_maps, spillable
from .weight_places import WeightPlaces, has_product, mixes, with_operands

__all__ = ["CompileError", "Placement", "place", "spillable_maps", "spillable_streams"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Placement:
    """A network placed on a core."""

    network: IntegerNetwork
    config: CoreConfig
    schedule: Schedule
    input_map: SpikeMap
    layers: list[PlacedLayer]
    """Those of the program: of a node of the network one, or its parts."""
    tables: list[tuple[int, Levels]]
    """(bits, levels) of each quantizer table."""
    kept: list[bool]
    """Whether the spikes of each node of the network are still there after the run."""
    streaming: bool
    """Whether weights stream in from memory outside the chip while layers run, since they are more than it holds."""
    batch: int
    """Samples for which one pass through the program is made."""
    early: int
    """Nodes that run for one sample after the other; those behind them run for all of the batch at once."""
    spilled: dict[str, int]
    """The maps that are stored outside the chip while others take their place, and the first burst of each, counted
    from those that are for spikes."""
    spilled_bursts: int
    """Of all of them, in a batch of each sample."""
    loads_parameters: bool
    """Whether the parameters of each layer come from memory outside the chip ahead of it, which do not all fit."""

    @property
    def nodes(self) -> list[list[PlacedLayer]]:
        """Of each node of the network its parts."""
        found: list[list[PlacedLayer]] = [[] for _ in self.network.nodes]
        for placed in self.layers:
            found[placed.node].append(placed)
        return found

    @property
    def halves_ring(self) -> bool:
        """Whether weights stream into the lower half of the weight slots alone: operands lie in the upper one."""
        return self.streaming and any(placed.products for placed in self.layers)

    @property
    def ring(self) -> int:
        """Slots into which weights stream."""
        return ring_slots(self.config, half=self.halves_ring)

    @property
    def early_layers(self) -> int:
        """Layers of the program that run for one sample after the other."""
        return sum(placed.node < self.early for placed in self.layers)

    @property
    def splits(self) -> dict[str, Split]:
        """How the nodes are split that run in parts."""
        return {placed.layer.name: placed.split for placed in self.layers if placed.split is not None}

    @property
    def keeps_maps(self) -> bool:
        """Whether every map has its own memory, also where there are too few to overwrite any."""
        return all(kept for kept, (placed, *_) in zip(self.kept, self.nodes, strict=True) if placed.target is not None)

    @property
    def keeps_states(self) -> bool:
        """Whether the final potentials are stored though the schedule would not."""
        return self.schedule is Schedule.REGISTERS and any(
            placed.stored and placed.stream is None for placed in self.layers
        )

    @property
    def program_words(self) -> int:
        """Words of the program: the jobs of all layers, and the END."""
        jobs = [Job.END, Job.COLLECT] if self.batch > 1 else [Job.END]
        ends = sum(descriptor_words(job_layout(self.config, job)) for job in jobs)
        return ends + sum(placed.program_words(self.config) for placed in self.layers)

    @property
    def moved_words(self) -> int:
        """Words that go out of the chip or come back in a pass through the program, but for weights."""
        return sum(placed.moved_words for placed in self.streamed_layers)

    @property
    def parameter_bursts(self) -> int:
        """Bursts of parameters that layers load, which lie behind all weights."""
        return sum(move.words for placed in self.layers for move in placed.before if move.parameters)

    @property
    def in_pieces(self) -> bool:
        """Whether of streams no more is there than a row of a channel group."""
        return any(placed.in_pieces for placed in self.layers)

    @property
    def traffic(self) -> int:
        """Bursts between the core and memory outside the chip in a pass through the program."""
        return self.stream_slots * slot_bursts(self.config) + self.moved_words

    @property
    def stream_slots(self) -> int:
        """Weight slots that stream in for a pass through the program."""
        return sum(placed.groups * placed.stream_group for placed in self.streamed_layers)

    @property
    def streamed_layers(self) -> list[PlacedLayer]:
        """The layers in the order in which they run in a pass: those of one sample as often as there are samples."""
        early = self.early_layers
        return self.layers[:early] * self.batch + self.layers[early:]

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
        maps = [self.input_map, *(placed.made for placed in neurons if placed.made)]
        moves = [move for placed in self.layers for move in placed.moves if not move.states and not move.parameters]
        chunks = max((placed.parameter_end(config) for placed in neurons), default=0)
        states = max([0, *(placed.state_end(config) for placed in neurons), *(
            placed.reload_end(config) for placed in self.layers if placed.stream_reloads
        )])
        bursts = self.stream_slots * slot_bursts(config) + self.parameter_bursts
        external = {Space.EXTERNAL: bursts} if config.external_depth else {}
        return {
            Space.PROGRAM: self.program_words,
            Space.PASSES: last.pass_end,
            Space.WEIGHTS: max(placed.operand_end for placed in self.layers) * config.banks,
            Space.PARAMETERS: chunks * config.updates,
            Space.TABLES: len(self.tables) << TABLE_INDEX_WIDTH,
            Space.SPIKES: max([
                *(each.first_word(config) + each.words(config) for each in maps),
                *(move.word + move.words for move in moves),
            ]),
            Space.STATES: states * config.updates,
            Space.LOGITS: last.logit_end(config),
            **external,
        }


def place(
    network: IntegerNetwork,
    config: CoreConfig,
    schedule: Schedule = Schedule.REGISTERS,
    *,
    keep_maps: bool = True,
    keep_states: bool = False,
    check: bool = True,
    streaming: bool | None = None,
    batch: int = 1,
    early: int | None = None,
    spilled: frozenset[str] | None = None,
    splits: dict[str, Split] | None = None,
    pieces: bool = False,
) -> Placement:
    """Return ``network`` placed on a core.

    ``keep_maps`` gives every map its own memory, so that all spikes can be read after a run;
    without, maps that are no longer needed are overwritten. ``keep_states`` stores the final
    potentials of every layer that has a state also with the schedule REGISTERS. Without ``check``
    the network is one that was verified before, and may need more than the core has. ``streaming``
    says whether weights stay outside the chip; by default they do if they are more than it holds. ``batch`` samples
    share one pass of them through the core; the first ``early`` layers run for one sample after the other, by
    default as few as let all maps fit. The maps and streams ``spilled`` are stored outside the chip while they are not
    read; by default, where maps are overwritten, and with them streams, as few as let all fit. ``splits`` says of which
    nodes rows or steps are split; by default, where maps fit no other way, those of which as few go between the chip
    and memory as can be. ``pieces`` says that no more is there of streams than a row of a channel group; by default,
    where they are spilled and do not fit as a whole.
    """
    check_batch(batch, config, schedule)
    if streaming is None:
        resident = place(network, config, schedule, keep_maps=keep_maps, keep_states=keep_states, check=False,
                         streaming=False, spilled=frozenset(), splits={}) if config.external_depth else None
        streaming = resident is not None and not any(mixes(placed.layer, config) for placed in resident.layers) and (
            max(placed.operand_end for placed in resident.layers) > config.weight_depth
        )
    if batch == 1:
        early = 0
    elif not streaming:
        raise CompileError(f"a batch of {batch} samples was asked for, but all weights stay on the chip: limit 1")
    elif early is None:
        early = _choose_early(
            network, config, schedule, keep_maps=keep_maps, keep_states=keep_states, streaming=True, batch=batch,
        )
    if spilled is None:
        spilled, splits, pieces = (frozenset(), splits, False) if keep_maps or not config.external_depth else (
            _choose_spilled(
                network, config, schedule, splits, keep_states=keep_states, streaming=streaming, batch=batch,
                early=early,
            )
        )
    splits = splits or {}
    if check:
        network.verify()
    form, formats = network.input, network.maps()
    lowered = [_lower(node, formats) for node in network.nodes]
    mixed = [layer.name for layer in lowered if mixes(layer, config)]
    if streaming and mixed:
        raise CompileError(f"layer {mixed[0]!r}: it has a product beside terms with weights, which cannot stream in; "
                           f"to make it fit: a layer of its own for the product")
    ring = ring_slots(config, half=streaming and any(map(has_product, lowered)))
    input_map = input_spike_map(form, config)
    rings = _rings(lowered, formats, schedule)
    steps, live = schedule.inner_steps(form.steps), schedule.stores and not form.direct
    collected = collected_maps(network, early)
    several = {*network.names[early:], *collected}  # of all samples
    map_steps = {
        name: max(steps * (batch if name in several else 1), rings[name]) for name in formats
    }
    made_steps = map_steps | dict.fromkeys(collected & spilled, steps)
    maps = place_maps(
        network, rings, map_steps, made_steps, collected, input_map, config, schedule, keep_maps=keep_maps,
        spilled=spilled, lowered=lowered, splits=splits,
    )

    def banded(name: str) -> bool:
        """Whether a map is made in bands of rows, each of which has row flags of its own."""
        return name in splits and splits[name].kind is SplitKind.ROWS

    states = place_states(
        network, stored_layers(
            lowered, formats, config, schedule, live=live, steps=steps, batch=batch, early=early,
            keep_states=keep_states,
        ), config, keep=keep_maps, spilled=spilled, first_burst=maps.bursts, pieces=pieces,
    )
    tables: list[tuple[int, Levels]] = []
    layers: list[PlacedLayer] = []
    shortcuts = any(term.shares_weights(config) for layer in lowered for term in layer.terms)
    used = WeightPlaces(config, steps, shortcuts=shortcuts, streaming=streaming)
    loads_parameters = streaming and _parameter_chunks(lowered, formats, config, live=live) > config.parameter_depth
    readers = [index for index, layer in enumerate(lowered) if any(INPUT in term.sources for term in layer.terms)]
    for index, layer in enumerate(lowered):
        def found(name: str, index: int = index) -> SpikeMap:
            spikes = maps.at(name, index) or states.streams.at(name, index)
            assert spikes is not None, f"{name} is nowhere"
            return _unflagged(spikes) if banded(name) else spikes

        neuron = layer.neuron
        form_in = formats[layer.terms[0].source]
        height, width = layer.terms[0].walk.output(form_in.height, form_in.width)
        group_lanes = find_group_lanes(layer, formats, config, live=live)
        groups = -(-layer.channels // group_lanes)
        table = 0
        if neuron is not None and neuron.quantized:
            key = (neuron.state_bits, neuron.levels)
            if key not in tables:
                tables.append(key)
            table = tables.index(key)
        stored, samples = layer.name in states.bases, batch if index >= early else 1
        target, stream = maps.at(layer.name, index), states.streams.at(layer.name, index)
        reloads, stream_reloads = maps.loaded(index), states.streams.loaded(index)
        stream_loads = [
            stream_move(each, states.spilled[name], config, store=False, piece=pieces)
            for name, each in stream_reloads.items()
        ]
        split = splits.get(layer.name)
        if split is None:
            pixel_slots = found(layer.terms[0].source).pixel_slots
            split = head_split(layer, pixel_slots, config, ring=ring if streaming else None)
        own_layers = [layer]
        if split is not None and split.kind is SplitKind.PLANES:
            own_layers = [plane_part(layer, each) for each in split.ranges]
        for number, own in enumerate(own_layers):
            terms = _ordered(own)
            if loads_parameters:
                used.parameter = 0
            if streaming:
                used.restart(shortcuts=any(term.shares_weights(config) for term in terms))
            placed_terms = [
                used.place(
                    term, found(term.source), groups, scaled=neuron is not None, samples=samples,
                    second=None if term.second is None else found(term.second),
                    operand=None if term.operand is None else found(term.operand),
                    operand_ring=rings.get(term.operand or "", 1),
                    still=formats[term.source].replayed,
                    shares=term.shares_weights(config),
                    full=term.kind is TermKind.WINDOW and term.groups == 1 and not term.shares_weights(config)
                    and term.walk.fills(formats[term.source].height, formats[term.source].width),
                    streamed=live and term.source == INPUT,
                    streamed_last=live and term is terms[-1] and term.source == INPUT and index == readers[-1],
                    ring=1 if term.source == INPUT else rings[term.source],
                    rows=range(formats[term.source].height), steps=range(form.steps), pad_rows=term.padding,
                )
                for term in terms
            ]
            if streaming:
                placed_terms = [
                    each if each.operand is not None else
                    replace(each, weight_group=used.weight if each.shares or each.weight_size else 0)
                    for each in placed_terms
                ]
            placed = PlacedLayer(
                layer=own,
                node=index,
                split=split,
                number=number,
                terms=placed_terms,
                target=target,
                made=target if target is None or not banded(layer.name) else _unflagged(target),
                output_height=height,
                output_width=width,
                groups=groups,
                group_lanes=group_lanes,
                last_lanes=layer.channels - (groups - 1) * group_lanes,
                replay=all(formats[term.source].replayed for term in layer.terms),
                target_ring=(
                    sample_ring(batch) if layer.name in collected - spilled else rings.get(layer.name, 1)
                ),
                state_base=states.bases.get(layer.name, 0),
                state_pack=state_pack(layer, config, schedule) if stored else 0,
                stored=stored,
                stream=stream,
                table=table,
                stream_group=used.weight if streaming else 0,
                weight_end=used.weight,
                operand_end=used.weight,
                samples=samples,
                steps=steps * samples,
                reloads=reloads,
                stream_reloads=stream_reloads,
                before=[
                    move for name, each in reloads.items() for move in load_moves(
                        each, maps.spilled[name], config, samples=batch if name in collected else 1,
                    )
                ] + ([] if pieces else stream_loads),
                loading=stream_loads if pieces else [],
                after=store_moves(
                    target, maps.spilled[layer.name], config, sampled=layer.name in collected
                ) if target is not None and layer.name in spilled else [
                    stream_move(stream, states.spilled[layer.name], config, store=True, piece=pieces)
                ] if stream is not None and layer.name in spilled else [],
            )
            if split is None or split.kind is SplitKind.PLANES:
                layers.append(placed)
            else:
                layers += [place_part(placed, each, maps, formats, config) for each in range(len(split.ranges))]
    layers = [with_operands(placed, ring if streaming else used.weight) for placed in layers]
    if loads_parameters:
        layers = _with_parameters(layers, batch, early, config)
    placement = Placement(
        network=network, config=config, schedule=schedule, input_map=input_map, layers=layers,
        tables=tables, kept=[(maps.kept | states.kept).get(layer.name, False) for layer in lowered],
        streaming=streaming, batch=batch, early=early, spilled=maps.spilled | states.spilled,
        spilled_bursts=states.bursts, loads_parameters=loads_parameters,
    )
    if check:
        placement.verify()
    return placement


def _choose_early(network: IntegerNetwork, config: CoreConfig, schedule: Schedule, **options) -> int:
    """Return with how many layers for one sample after the other all maps of a batch fit; if with none, the most.

    Of those that fit, the one with which least goes between the core and memory outside the chip: fewer such layers
    have fewer weights to be read for each sample, but may have to spill larger maps.
    """
    found = cuts(network)
    if not found:
        raise CompileError(f"a batch of {options['batch']} samples was asked for, but there is no place between two "
                           f"layers that nothing crosses but maps of spikes which are read behind it only: limit 1")
    best, least = found[-1], None
    for early in found:
        placement = place(network, config, schedule, check=False, early=early, **options)
        if any(need.exceeded for need in memory_needs(placement)):
            continue
        if least is None or placement.traffic < least:
            best, least = early, placement.traffic
        if not placement.spilled:  # From here on it only grows.
            break
    return best


def spillable_maps(network: IntegerNetwork, config: CoreConfig, schedule: Schedule, early: int = 0) -> list[str]:
    """Return the maps that may be spilled, those that are not needed for longest first; ``early`` as in `Placement`."""
    maps = network.maps()
    rings = _rings([_lower(node, maps) for node in network.nodes], maps, schedule)
    return spillable(network, rings, collected_maps(network, early))


def _choose_spilled(
    network: IntegerNetwork, config: CoreConfig, schedule: Schedule, splits: dict[str, Split] | None, *, early: int,
    **options,
) -> tuple[frozenset[str], dict[str, Split], bool]:
    """Return what must be spilled of maps and streams for all of them to fit, how layers are split, and whether streams
    are in pieces.

    None of a memory are if all fit so, or do not fit anyway. Layers are split only if maps do not fit otherwise, and
    not if ``splits`` says how.
    """
    def placed(spilled: frozenset[str], splits: dict[str, Split], pieces: bool) -> Placement:
        return place(
            network, config, schedule, keep_maps=False, check=False, early=early, spilled=spilled, splits=splits,
            pieces=pieces, **options,
        )

    def fits(names: list[str], kinds: tuple[Limit, ...], pieces: bool) -> bool:
        found = memory_needs(placed(frozenset(names), splits or {}, pieces))
        return not any(need.exceeded for need in found if need.kind in kinds)

    def enough(names: list[str], *kinds: Limit) -> frozenset[str] | None:
        """Return as few of the first ones as let all fit; None: they do not."""
        count = next((count for count in range(len(names) + 1) if fits(names[:count], kinds, False)), None)
        return None if count is None else frozenset(names[:count])

    # Spikes and states lie in memories of their own, so neither choice changes the other one.
    single = not schedule.stores and options["batch"] == 1
    streams, pieces = enough(spillable_streams(network), Limit.STATES), False
    if streams is None:
        whole = [name for name, form in network.maps().items() if form.signed]
        pieces = single and fits(whole, (Limit.STATES,), True)
        streams = frozenset(whole if pieces else [])
    maps = enough(spillable_maps(network, config, schedule, early), Limit.SPIKES, Limit.ROW_FLAGS)
    if maps is not None:
        return maps | streams, splits or {}, pieces
    if splits is not None or not single:
        return streams, splits or {}, pieces
    maps, found = _choose_splits(
        network, config, schedule, lambda maps, splits: placed(maps | streams, splits, pieces),
    )
    return maps | streams, found, pieces


def _choose_splits(
    network: IntegerNetwork, config: CoreConfig, schedule: Schedule,
    placed: Callable[[frozenset[str], dict[str, Split]], Placement],
) -> tuple[frozenset[str], dict[str, Split]]:
    """Return the maps that are spilled and how layers are split, with which least goes between chip and memory.

    Where none fits, that which needs least too much; nothing if maps fit in no way.
    """
    formats = network.maps()
    lowered = [_lower(node, formats) for node in network.nodes]
    rings, input_map = _rings(lowered, formats, schedule), input_spike_map(network.input, config)
    steps = {name: max(network.input.steps, rings[name]) for name in formats}
    best: tuple[frozenset[str], dict[str, Split]] = frozenset(), {}
    least: tuple[float, int] | None = None
    spilled: frozenset[str] = frozenset()
    sizes = {name: form.channels * form.height * form.width for name, form in formats.items()}
    for name in sorted(spillable(network, rings, set(), parts=True), key=lambda name: -sizes[name]):
        spilled |= {name}
        outside = spilled
        splits = choose_splits(network, lowered, config, outside, lambda splits, outside=outside: place_maps(
            network, rings, steps, steps, set(), input_map, config, schedule, keep_maps=False, spilled=outside,
            lowered=lowered, splits=splits,
        ))
        if splits is None:
            continue
        placement = placed(spilled, splits)
        worst = max(need.share for need in memory_needs(placement))
        rank = worst if worst > 1 else 0.0, placement.traffic
        if least is None or rank < least:
            best, least = (spilled, splits), rank
    return best


def _parameter_chunks(lowered: list[CoreLayer], formats: Maps, config: CoreConfig, *, live: bool) -> int:
    """Return the chunks of parameters of all layers."""
    groups = 0
    for layer in lowered:
        if layer.neuron is None:
            continue
        own = -(-layer.channels // find_group_lanes(layer, formats, config, live=live))
        groups += sum(
            own if term.scaled and not term.shares_weights(config) else 1 for term in _ordered(layer)
        )
    return groups * config.chunks


def _with_parameters(layers: list[PlacedLayer], batch: int, early: int, config: CoreConfig) -> list[PlacedLayer]:
    """Return layers whose parameters are loaded ahead of each, from behind the weights of all of them."""
    passes = [batch if placed.node < early else 1 for placed in layers]
    burst = slot_bursts(config) * sum(
        count * placed.groups * placed.stream_group for count, placed in zip(passes, layers, strict=True)
    )
    found = []
    for placed in layers:
        if placed.layer.neuron is not None and placed.owns:
            move = parameter_loads(placed.parameter_end(config), burst, config)
            burst += move.words
            placed = replace(placed, before=[move, *placed.before])
        found.append(placed)
    return found


def _unflagged(spikes: SpikeMap) -> SpikeMap:
    return replace(spikes, flagged=False, flags=0)


def _ordered(layer: CoreLayer) -> list[CoreTerm]:
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


def _lower(node: Node, maps: Maps) -> CoreLayer:
    try:
        return node.lower(maps)
    except UnsupportedError as error:
        raise CompileError(str(error)) from error


def _rings(layers: list[CoreLayer], maps: Maps, schedule: Schedule) -> dict[str, int]:
    """Return how many steps of each map its readers look back on, as a power of two."""
    return {
        name: max((_ring(term, schedule) for layer in layers for term in layer.terms if term.source == name), default=1)
        for name in maps
    }


def _ring(reader: CoreTerm, schedule: Schedule) -> int:
    """Return how many steps the map holds that ``reader`` reads one step at a time."""
    return 1 << (len(reader.taps) - 1).bit_length() if schedule.stores else 1
