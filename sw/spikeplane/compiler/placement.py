"""Placement: where the maps, weights, parameters and states of a network lie in a core."""

from dataclasses import dataclass

from spikeplane_hw.config import CoreConfig
from spikeplane_hw.descriptor import Job, descriptor_words, job_layout
from spikeplane_hw.memory_map import Space
from spikeplane_hw.neuron import TABLE_INDEX_WIDTH, Levels
from spikeplane_hw.weight_stream import ring_slots, slot_bursts

from ..network.graph import IntegerNetwork
from ..network.schedule import Schedule
from .parts import Split
from .placed import PlacedLayer
from .spike_map import SpikeMap

__all__ = ["Placement"]


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
