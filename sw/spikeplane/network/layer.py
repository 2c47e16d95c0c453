"""The layer: a sum of terms for each output pixel, channel and step, and what becomes of it."""

import math
from dataclasses import dataclass, replace

from spikeplane_hw.config import CoreConfig

from .checks import NetworkError, verify_fields
from .counting import add_reads
from .endings import Ending
from .lowered import CoreLayer
from .maps import MapFormat, Maps
from .node import Memory, Node, NodePlan, Outcome
from .schedule import Schedule
from .term import Term, Values

__all__ = ["Layer"]


@dataclass(frozen=True, kw_only=True)
class Layer(Node):
    """``sat(sum of terms)``, then neurons, a stream or logits.

    Each term is rounded once; their sum is exact and saturates once, which is counted.
    """

    kind = "layer"

    name: str
    terms: tuple[Term, ...]
    ending: Ending

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(source for term in self.terms for source in term.sources))

    def _shape(self, maps: Maps) -> tuple[int, int, int]:
        return next(iter(self.terms)).shape(self.where, maps)

    def output(self, maps: Maps) -> MapFormat | None:
        return self.ending.output(self._shape(maps))

    def logit_count(self, maps: Maps) -> int:
        return self._shape(maps)[0]

    def verify_types(self) -> None:
        super().verify_types()
        if not self.terms:
            raise NetworkError(f"{self.where}: it has no terms to sum up")
        for index, term in enumerate(self.terms):
            verify_fields(self._term(index), term)
        verify_fields(self.where, self.ending)

    def verify(self, maps: Maps) -> None:
        scale = self.ending.scale
        for index, term in enumerate(self.terms):
            where = self._term(index)
            term.verify(where, maps, scale)
            shape = term.shape(where, maps)
            if min(shape) < 1:
                raise NetworkError(f"{where}: its output map is empty: {shape}")
            if shape != self._shape(maps):
                raise NetworkError(f"{where}: it adds a map of {shape}, the terms before it {self._shape(maps)}")
        self.ending.verify(self.where, self._shape(maps), [getattr(term, "taps", (0,)) for term in list(self.terms)])

    def _term(self, index: int) -> str:
        """Return how errors of a term begin: its number is named where there are several."""
        return self.where if len(self.terms) == 1 else f"{self.where}, term {index}"

    def plan(self, maps: Maps, steps: int) -> "LayerPlan":
        return LayerPlan(self, maps, steps)

    def lower(self, maps: Maps) -> CoreLayer:
        terms = tuple(term.lower(self._term(index), maps, self.ending.scale) for index, term in enumerate(self.terms))
        return replace(self.ending.lower(self.where, CoreLayer(terms=terms), self._shape(maps)), name=self.name)

    @property
    def clipped(self) -> tuple[int, int]:
        counts, channels = zip(*(term.clipped for term in self.terms), strict=True)
        return sum(counts), sum(channels)

    def memory(self, maps: Maps) -> Memory:
        needs = [term.memory(maps) for term in self.terms]
        potential_bits = self.ending.potential_bits
        return Memory(
            weight_bits=tuple(bits for need in needs for bits in need.weight_bits),
            weights=sum(need.weights for need in needs),
            parameters=sum(need.parameters for need in needs),
            potential_bits=potential_bits,
            potentials=potential_bits * math.prod(self._shape(maps)),
        )

    @property
    def text(self) -> str:
        return f"{' + '.join(term.text for term in self.terms)}, {self.ending.text}"


class LayerPlan(NodePlan):
    """A layer ready to run."""

    def __init__(self, node: Layer, maps: Maps, steps: int):
        self.node, self.steps = node, steps
        self.terms = [term.plan(maps, node.ending.scale) for term in node.terms]
        self.wide = sum(term.reach for term in self.terms) >= 1 << 31
        self.replays = node.ending.replays and all(term.replays(maps) for term in node.terms)

    def run(
        self, values: Values, schedule: Schedule, config: CoreConfig | None, counted: bool
    ) -> Outcome:
        x = self.terms[0].add(values)
        x = x.long() if self.wide else x
        for term in self.terms[1:]:
            x = x + term.add(values)
        outcome = self.node.ending.end(x, self.steps, counted)
        if not counted:
            return outcome
        # Beside spikes an image is summed up in every step.
        times = schedule.accumulations(self.steps) if self.replays else self.steps
        found = [term.count(values, config, times) for term in self.terms]
        reads = [each for each in found if each is not None]
        total = add_reads(len(x), config, reads)
        return replace(
            outcome, counters=total.counters | outcome.counters, operations=total.operations,
            term_operations=tuple(each.operations for each in reads if each.synaptic),
        )
