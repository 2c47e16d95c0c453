"""Arrangement: a network in the memories of a core, once it is chosen what lies outside and how layers are split."""

from dataclasses import dataclass, replace

from spikeplane_hw.config import CoreConfig
from spikeplane_hw.neuron import Levels, Neuron
from spikeplane_hw.weight_stream import ring_slots, slot_bursts

from ..network.graph import IntegerNetwork
from ..network.input import INPUT
from ..network.lowered import CoreLayer, CoreTerm, TermKind
from ..network.schedule import Schedule
from .batches import collected_maps, sample_ring
from .groups import find_group_lanes
from .limits import CompileError
from .lowered_layers import find_rings, lower_network, ordered_terms, parameter_chunks
from .moves import Move, load_moves, parameter_loads, store_moves, stream_move
from .part_places import place_part
from .parts import Split, SplitKind, head_split, plane_part
from .placed import PlacedLayer, PlacedTerm
from .placement import Placement
from .spike_map import SpikeMap, input_spike_map
from .state_places import place_states, state_pack, stored_layers
from .stays import place_maps
from .weight_places import WeightPlaces, has_product, mixes, with_operands

__all__ = ["Choices", "arrange"]


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What :func:`.place` was told or chose; its arguments have the same names."""

    schedule: Schedule
    keep_maps: bool
    keep_states: bool
    streaming: bool
    batch: int
    early: int
    spilled: frozenset[str]
    splits: dict[str, Split]
    pieces: bool


def arrange(network: IntegerNetwork, config: CoreConfig, choices: Choices) -> Placement:
    """Return a network placed on a core, which may need more than the core has."""
    return Arrangement(network, config, choices).placement()


class Arrangement:
    """The memories of a core while the nodes of a network take their places in them, one after the other."""

    def __init__(self, network: IntegerNetwork, config: CoreConfig, choices: Choices):
        self.network, self.config, self.choices = network, config, choices
        form, batch, streaming = network.input, choices.batch, choices.streaming
        self.formats, self.lowered = network.maps(), lower_network(network)
        mixed = [layer.name for layer in self.lowered if mixes(layer, config)]
        if streaming and mixed:
            raise CompileError(f"layer {mixed[0]!r}: it has a product beside terms with weights, which cannot stream "
                               f"in; to make it fit: a layer of its own for the product")
        self.weight_ring = ring_slots(config, half=streaming and any(map(has_product, self.lowered)))
        self.input_map = input_spike_map(form, config)
        self.rings = find_rings(self.lowered, self.formats, choices.schedule)
        self.steps = choices.schedule.inner_steps(form.steps)
        self.live = choices.schedule.stores and not form.direct
        self.collected = collected_maps(network, choices.early)
        of_all_samples = {*network.names[choices.early:], *self.collected}
        map_steps = {
            name: max(self.steps * (batch if name in of_all_samples else 1), self.rings[name])
            for name in self.formats
        }
        self.maps = place_maps(
            network, self.rings, map_steps, map_steps | dict.fromkeys(self.collected & choices.spilled, self.steps),
            self.collected, self.input_map, config, choices.schedule, keep_maps=choices.keep_maps,
            spilled=choices.spilled, lowered=self.lowered, splits=choices.splits,
        )
        self.states = place_states(
            network, stored_layers(
                self.lowered, self.formats, config, choices.schedule, live=self.live, steps=self.steps, batch=batch,
                early=choices.early, keep_states=choices.keep_states,
            ), config, keep=choices.keep_maps, spilled=choices.spilled, first_burst=self.maps.bursts,
            pieces=choices.pieces,
        )
        self.tables: list[tuple[int, Levels]] = []
        self.used = WeightPlaces(
            config, self.steps, streaming=streaming,
            shortcuts=any(term.shares_weights(config) for layer in self.lowered for term in layer.terms),
        )
        self.loads_parameters = streaming and (
            parameter_chunks(self.lowered, self.formats, config, live=self.live) > config.parameter_depth
        )
        self.last_reader = max((
            index for index, layer in enumerate(self.lowered) if any(INPUT in term.sources for term in layer.terms)
        ), default=-1)
        # The events' row flags move on by the rows of the last term that reads them, one where it reads a step whole.
        self.flags_stay = self.live and self.input_map.height > 1 and self._reads_whole(
            ordered_terms(self.lowered[self.last_reader])[-1]
        )

    def placement(self) -> Placement:
        """Return the whole."""
        choices = self.choices
        layers = [placed for index in range(len(self.lowered)) for placed in self._node(index)]
        ring = self.weight_ring if choices.streaming else self.used.weight
        layers = [with_operands(placed, ring) for placed in layers]
        if self.loads_parameters:
            layers = self._with_parameters(layers)
        return Placement(
            network=self.network, config=self.config, schedule=choices.schedule, input_map=self.input_map,
            layers=layers, tables=self.tables,
            kept=[(self.maps.kept | self.states.kept).get(layer.name, False) for layer in self.lowered],
            streaming=choices.streaming, batch=choices.batch, early=choices.early,
            spilled=self.maps.spilled | self.states.spilled, spilled_bursts=self.states.bursts,
            loads_parameters=self.loads_parameters,
        )

    def _node(self, index: int) -> list[PlacedLayer]:
        """Return the layers of the program that are of one node."""
        layer, ring = self.lowered[index], self.weight_ring if self.choices.streaming else None
        split = self.choices.splits.get(layer.name)
        if split is None:
            pixel_slots = self._found(layer.terms[0].source, index).pixel_slots
            split = head_split(layer, pixel_slots, self.config, ring=ring)
        if split is None:
            return [self._layer(index, layer, None, 0)]
        if split.kind is SplitKind.PLANES:
            return [
                self._layer(index, plane_part(layer, each), split, number) for number, each in enumerate(split.ranges)
            ]
        placed = self._layer(index, layer, split, 0)
        return [
            place_part(placed, each, self.maps, self.formats, self.config) for each in range(len(split.ranges))
        ]

    def _layer(self, index: int, own: CoreLayer, split: Split | None, number: int) -> PlacedLayer:
        """Return a node as one layer of the program, or the ``number``-th of its parts."""
        choices, config, layer = self.choices, self.config, self.lowered[index]
        first = layer.terms[0]
        height, width = first.walk.output(self.formats[first.source].height, self.formats[first.source].width)
        group_lanes = find_group_lanes(layer, self.formats, config, live=self.live)
        groups, samples = -(-layer.channels // group_lanes), choices.batch if index >= choices.early else 1
        stored = layer.name in self.states.bases
        target = self.maps.at(layer.name, index)
        loads = self._stream_loads(index)
        last = split is None or split.kind is not SplitKind.PLANES or number == len(split.ranges) - 1
        terms = self._terms(index, own, groups, samples, last=last)
        return PlacedLayer(
            layer=own, node=index, split=split, number=number, terms=terms, target=target,
            made=_unflagged(target) if target is not None and self._banded(layer.name) else target,
            output_height=height, output_width=width, groups=groups, group_lanes=group_lanes,
            last_lanes=layer.channels - (groups - 1) * group_lanes,
            # A stream's steps have places of their own, which a replay does not reach.
            replay=not layer.stores and all(self.formats[term.source].replayed for term in layer.terms),
            target_ring=(
                sample_ring(choices.batch) if layer.name in self.collected - choices.spilled
                else self.rings.get(layer.name, 1)
            ),
            state_base=self.states.bases.get(layer.name, 0),
            state_pack=state_pack(layer, config, choices.schedule) if stored else 0,
            stored=stored, stream=self.states.streams.at(layer.name, index), table=self._table(layer.neuron),
            stream_group=self.used.weight if choices.streaming else 0,
            weight_end=self.used.weight, operand_end=self.used.weight,
            samples=samples, steps=self.steps * samples,
            reloads=self.maps.loaded(index), stream_reloads=self.states.streams.loaded(index),
            before=[*self._map_loads(index), *([] if choices.pieces else loads)],
            loading=loads if choices.pieces else [],
            after=self._stores(index),
        )

    def _terms(self, index: int, own: CoreLayer, groups: int, samples: int, *, last: bool) -> list[PlacedTerm]:
        """Return the terms of a layer, whose weights and parameters come behind those that have their places.

        ``last`` says that no other part of the node comes behind it.
        """
        config, formats, used, form = self.config, self.formats, self.used, self.network.input
        terms, scaled = ordered_terms(own), self.lowered[index].neuron is not None
        if self.loads_parameters:
            used.parameter = 0
        if self.choices.streaming:
            used.restart(shortcuts=any(term.shares_weights(config) for term in terms))
        placed = []
        for term in terms:
            source, shares = formats[term.source], term.shares_weights(config)
            streamed = self.live and term.source == INPUT
            placed.append(used.place(
                term, self._found(term.source, index), groups, scaled=scaled, samples=samples,
                second=self._optional(term.second, index), operand=self._optional(term.operand, index),
                operand_ring=self.rings.get(term.operand or "", 1),
                still=source.replayed, shares=shares, full=self._reads_whole(term), streamed=streamed,
                streamed_last=streamed and last and term is terms[-1] and index == self.last_reader,
                ring=1 if term.source == INPUT else self.rings[term.source],
                rows=range(source.height), steps=range(form.steps), pad_rows=term.padding,
            ))
        if not self.choices.streaming:
            return placed
        return [
            each if each.operand is not None else
            replace(each, weight_group=used.weight if each.shares or each.weight_size else 0)
            for each in placed
        ]

    def _found(self, name: str, index: int) -> SpikeMap:
        """Return where a map or a stream lies when a node runs."""
        spikes = self.maps.at(name, index) or self.states.streams.at(name, index)
        assert spikes is not None, f"{name} is nowhere"
        stay = name == INPUT and self.flags_stay
        return _unflagged(spikes) if stay or self._banded(name) else spikes

    def _reads_whole(self, term: CoreTerm) -> bool:
        """Return whether a term reads all of its map for each output pixel."""
        source = self.formats[term.source]
        return (
            term.kind is TermKind.WINDOW and term.groups == 1 and not term.shares_weights(self.config)
            and term.walk.fills(source.height, source.width)
        )

    def _optional(self, name: str | None, index: int) -> SpikeMap | None:
        return None if name is None else self._found(name, index)

    def _banded(self, name: str) -> bool:
        """Return whether a map is made in bands of rows, each of which has row flags of its own."""
        split = self.choices.splits.get(name)
        return split is not None and split.kind is SplitKind.ROWS

    def _table(self, neuron: Neuron | None) -> int:
        """Return the number of a neuron's quantizer table, 0 if it has none."""
        if neuron is None or not neuron.quantized:
            return 0
        key = (neuron.state_bits, neuron.levels)
        if key not in self.tables:
            self.tables.append(key)
        return self.tables.index(key)

    def _map_loads(self, index: int) -> list[Move]:
        """Return the moves that bring maps back ahead of a node."""
        return [
            move for name, each in self.maps.loaded(index).items()
            for move in load_moves(
                each, self.maps.spilled[name], self.config,
                samples=self.choices.batch if name in self.collected else 1,
            )
        ]

    def _stream_loads(self, index: int) -> list[Move]:
        """Return the moves that bring streams back, ahead of a node or of each of its pieces."""
        return [
            stream_move(each, self.states.spilled[name], self.config, store=False, piece=self.choices.pieces)
            for name, each in self.states.streams.loaded(index).items()
        ]

    def _stores(self, index: int) -> list[Move]:
        """Return the moves that store what a node made outside the chip."""
        name = self.lowered[index].name
        target, stream = self.maps.at(name, index), self.states.streams.at(name, index)
        if name not in self.choices.spilled:
            return []
        if target is not None:
            return store_moves(target, self.maps.spilled[name], self.config, sampled=name in self.collected)
        if stream is not None:
            return [stream_move(stream, self.states.spilled[name], self.config, store=True, piece=self.choices.pieces)]
        return []

    def _with_parameters(self, layers: list[PlacedLayer]) -> list[PlacedLayer]:
        """Return layers whose parameters are loaded ahead of each, from behind the weights of all of them."""
        passes = [self.choices.batch if placed.node < self.choices.early else 1 for placed in layers]
        burst = slot_bursts(self.config) * sum(
            count * placed.groups * placed.stream_group for count, placed in zip(passes, layers, strict=True)
        )
        found = []
        for placed in layers:
            if placed.layer.neuron is not None and placed.owns:
                move = parameter_loads(placed.parameter_end(self.config), burst, self.config)
                burst += move.words
                placed = replace(placed, before=[move, *placed.before])
            found.append(placed)
        return found


def _unflagged(spikes: SpikeMap) -> SpikeMap:
    return replace(spikes, flagged=False, flags=0)
