"""Layers and terms of a network, placed: where in a core lies what each reads, writes and keeps."""

from dataclasses import dataclass

from spikeplane_hw.config import CoreConfig
from spikeplane_hw.descriptor import program_words

from ..network.lowered import CoreLayer, CoreTerm
from .moves import Move
from .parts import Split, SplitKind
from .spike_map import SpikeMap

__all__ = ["InputPlane", "PlacedLayer", "PlacedTerm"]


@dataclass(frozen=True, kw_only=True)
class InputPlane:
    """One bit of what a layer sums up: a plane of an image, or the spikes of an earlier step; or several planes."""

    weight: int
    """It counts ``2**weight``."""
    planes: int = 1
    """As many planes beside each other, each of which counts twice the one before."""
    index: int = 0
    """Which plane of the map, or which planes beside each other."""
    delay: int = 0
    """How many steps ago."""
    column: int = 0
    """How many pixels to the right: a pool that shares weights reads a column of its windows at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacedTerm:
    """A term and the places of what it reads."""

    term: CoreTerm
    source: SpikeMap
    """Of a stream its place in the state memory, where a slot is a channel group's states."""
    groups: int
    """Groups of output channels, as of the layer."""
    full: bool
    """Fully connected: the window is one row, the whole time step of the source."""
    still: bool
    """An image: the same in every time step."""
    streamed: bool
    shares: bool
    """It is read with the weights that all shortcuts share: a shortcut, or a pool."""
    streamed_last: bool
    """Whether no later layer reads the streamed map."""
    ring: int
    """Steps that the source holds and the core walks round: 1, unless taps look back in a live map."""
    first_pass: int
    weight_base: int
    """First slot; of weights that stream in from the layer's first one on."""
    weight_size: int
    """Slots of one channel group; 0: it has no weights of its own."""
    weight_group: int
    """Slots from one channel group to the next one; 0: all groups have the same ones."""
    weight_step: int = 0
    """Of a product: slots of one time step of its operand, which lie side by side."""
    rows: range
    """Rows of its map that it reads."""
    steps: range
    """And time steps."""
    pad_rows: int
    """Rows of padding above them."""
    second: SpikeMap | None = None
    """Of a mean the other stream, as ``source``."""
    operand: SpikeMap | None = None
    operand_ring: int = 1
    """Steps that the operand's map holds, as ``ring``."""
    parameter_base: int

    @property
    def input_planes(self) -> list[InputPlane]:
        """The bits of what is summed up."""
        if len(self.term.taps) > 1:
            return [
                InputPlane(weight=self.term.taps[-1] - exponent, delay=delay)
                for delay, exponent in enumerate(self.term.taps)
            ]
        if self.shares:
            return [InputPlane(weight=0, column=column) for column in range(self.term.kernel[1])]
        return [
            InputPlane(weight=first, planes=min(beside, self.source.planes - first), index=first // beside)
            for beside in [self.source.beside] for first in range(0, self.source.planes, beside)
        ]

    def powers(self, plane: InputPlane) -> int:
        """Return how many powers of two products of an input plane count: as many passes read it."""
        return self.term.weight_bits + plane.planes - 1

    def read_at(self, plane: InputPlane, power: int) -> range:
        """Return which of the planes beside each other have products that count ``2**power`` of their lowest one's."""
        return range(max(0, power - self.term.weight_bits + 1), min(plane.planes, power + 1))

    @property
    def largest(self) -> int:
        """What one input counts at most."""
        return sum(
            ((1 << plane.planes) - 1) << plane.weight for plane in self.input_planes if not plane.column
        )

    @property
    def plane_pairs(self) -> list[list[tuple[InputPlane, int]]]:
        """For each power of two from 1 on the input planes with products of it, and how far it is above their own."""
        planes = self.input_planes
        most = max(plane.weight + self.powers(plane) for plane in planes) - 1
        return [
            [
                (plane, power - plane.weight)
                for plane in planes if 0 <= power - plane.weight < self.powers(plane)
            ]
            for power in range(most + 1)
        ]

    @property
    def input_step(self) -> int:
        """Slots from a time step to the next one."""
        return 0 if self.still else self.source.step_slots

    @property
    def pass_count(self) -> int:
        """Plane passes; a power without products takes one to double."""
        return sum(max(1, len(pairs)) for pairs in self.plane_pairs)

    @property
    def pass_end(self) -> int:
        """First pass after the term's."""
        return self.first_pass + self.pass_count

    @property
    def weight_slots(self) -> int:
        """Slots of a weight bank that only this term takes; those of operands are shared by all products."""
        return 0 if self.operand is not None else self.groups * self.weight_size

    @property
    def weight_plane(self) -> int:
        """Slots of one weight plane of one channel group."""
        return self.weight_size // self.term.weight_bits

    @property
    def parameter_groups(self) -> int:
        """Groups of parameters: only those of sums with weights of their own differ from channel to channel."""
        return self.groups if self.term.scaled and not self.shares else 1

    def group_slots(self, config: CoreConfig) -> int:
        """Return the slots of a pixel that a channel group reads."""
        if self.term.groups == 1:
            return self.source.pixel_slots
        return self.source.channels // self.term.groups // config.banks


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacedLayer:
    """A layer, or a part of one, and the places of what it reads and writes."""

    layer: CoreLayer
    node: int
    """Number of the node of the network."""
    split: Split | None
    """How it is split, if this is a part."""
    number: int
    """Of the part."""
    made: SpikeMap | None
    """The whole map that it makes, of which ``target`` is a part; None: there is none on the chip."""
    terms: list[PlacedTerm]
    target: SpikeMap | None
    """None for the classifier."""
    output_height: int
    """Of the sums; the target's is less if spikes are pooled on the way out."""
    output_width: int
    groups: int
    group_lanes: int
    """Channels of all groups but the last: all lanes, unless the layer reads groups of input channels."""
    last_lanes: int
    replay: bool
    """It sums up nothing but an image."""
    target_ring: int
    """Steps that the target holds, as ``ring`` of a term."""
    state_base: int
    """First state chunk, that is word of the state memory; a multiple of a channel group's."""
    state_pack: int
    """1 << state_pack chunks share one."""
    stored: bool
    stream: SpikeMap | None
    """Where the integers that it stores are, as ``source`` of a term; None: it stores none."""
    table: int
    stream_group: int
    """Slots of each channel group that stream in, of all terms; 0: the layer's weights stay on the chip."""
    weight_end: int
    """First slot of a weight bank after the layer's and all before it; after a group's, where weights stream in."""
    operand_end: int
    """The same after its operands, which lie behind the weights of all layers and are loaded anew for each."""
    samples: int
    """Samples for which each of its channel groups runs at once."""
    steps: int
    """Time steps of all of them that follow each other while a pixel is at hand."""
    reloads: dict[str, SpikeMap]
    """The maps that are loaded from outside the chip before it runs, and where to."""
    stream_reloads: dict[str, SpikeMap]
    """The same of streams, in the state memory."""
    before: list[Move]
    """What loads them."""
    after: list[Move]
    """What stores its spikes, or its stream, outside the chip when it has run."""
    loading: list[Move]
    """What loads its streams, where of them no more than a piece is there, a row of a channel group: again for each."""

    @property
    def owns(self) -> bool:
        """Whether passes, weights and parameters are its own; else they are those of the first part."""
        return self.number == 0 or (self.split is not None and self.split.kind is SplitKind.PLANES)

    @property
    def pass_count(self) -> int:
        """Plane passes of the layer."""
        return sum(term.pass_count for term in self.terms)

    @property
    def pass_end(self) -> int:
        """First pass after the layer's."""
        return self.terms[-1].pass_end

    @property
    def pooled(self) -> bool:
        """Whether its spikes are pooled on the way out."""
        return self.layer.pool != (1, 1)

    def pool_chunks(self, steps: int, config: CoreConfig) -> int:
        """Return the chunks of spikes that wait for the rest of their windows, of a row and ``steps`` time steps."""
        return -(-self.output_width // self.layer.pool[1]) * steps * config.chunks if self.pooled else 0

    def program_words(self, config: CoreConfig) -> int:
        """Return how many words of the program the layer, its terms and loads take."""
        return program_words(config, len(self.terms), len(self.products), len(self.moves))

    @property
    def moves(self) -> list[Move]:
        """All of its moves."""
        return [*self.before, *self.loading, *self.after]

    @property
    def in_pieces(self) -> bool:
        """Whether it runs row by row of a channel group: of its streams no more is there."""
        return any(move.piece for move in self.moves)

    @property
    def pieces(self) -> int:
        """How often its moves of pieces are done."""
        return self.groups * self.output_height

    @property
    def moved_words(self) -> int:
        """Words that go out of the chip or come back."""
        return sum(move.words * (self.pieces if move.piece else 1) for move in self.moves)

    @property
    def products(self) -> list[PlacedTerm]:
        """The terms whose operands are loaded before the layer runs."""
        return [term for term in self.terms if term.operand is not None]

    def logit_end(self, config: CoreConfig) -> int:
        """Return the first logit after those of a classifier: each sample of a batch has channel groups of its own."""
        return (self.samples - 1) * self.groups * config.lanes + self.layer.channels

    def parameter_end(self, config: CoreConfig) -> int:
        """Return the first parameter chunk after the layer's; a classifier has none."""
        last = self.terms[-1]
        return last.parameter_base + last.parameter_groups * config.chunks

    def reload_end(self, config: CoreConfig) -> int:
        """Return the first state chunk after the streams that are loaded before it runs."""
        return max((each.base + each.slots) * config.chunks for each in self.stream_reloads.values())

    def state_end(self, config: CoreConfig) -> int:
        """Return the first state chunk after the layer's; a classifier has none."""
        pixels = self.output_height * self.output_width * self.groups if self.stored else config.clusters
        if self.stream is not None:
            pixels = self.stream.slots
        return self.state_base + (config.chunks >> self.state_pack) * pixels
