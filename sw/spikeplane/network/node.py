"""Nodes of a network, whatever their kind."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from spikeplane_hw.config import CoreConfig
from spikeplane_hw.memory_map import Counter

from .checks import verify_fields
from .lowered import CoreLayer, UnsupportedError
from .maps import MapFormat, Maps
from .schedule import Schedule
from .tensors import Tensor
from .term import Values

__all__ = ["Memory", "Node", "NodePlan", "Outcome"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a node gives for a batch of B inputs."""

    output: Tensor | None = None
    """Values of its map, (B, steps, channels, height, width): uint8 spikes or int32 streams."""
    logits: Tensor | None = None
    """int64 (B, classes), what it adds to the logits."""
    state: Tensor | None = None
    """(B, channels, height, width): potentials' codes after the last step."""
    counters: dict[Counter, Tensor] = field(default_factory=dict)
    """int64 (B,) each."""
    operations: Tensor | None = None
    """int64 (B,): synaptic operations."""
    term_operations: tuple[Tensor, ...] = ()
    """The same of each term with sums."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a node needs to keep, by formula, without a core's padding."""

    weight_bits: tuple[int, ...] = ()
    """Bits of a weight, for each term with weights."""
    weights: int = 0
    """Bits of all weights."""
    parameters: int = 0
    """Bits of all multipliers and offsets."""
    potential_bits: int = 0
    """Bits of a stored potential."""
    potentials: int = 0
    """Bits of all potentials."""


class NodePlan(ABC):
    """A node ready to run: its tensors, in the narrowest types in which every step is exact."""

    @abstractmethod
    def run(
        self, values: Values, schedule: Schedule, config: CoreConfig | None, counted: bool
    ) -> Outcome:
        """Return what the node gives; EVENTS and IDLE need ``config``, all counters ``counted``."""


class Node(ABC):
    """One node. A class holds all that is known of its kind: rules, shape, integers, counts, file."""

    kind: ClassVar[str]
    """The name of the class in files."""
    name: str
    """The name of the map that it makes."""

    @property
    def where(self) -> str:
        """How errors begin."""
        return f"layer {self.name!r}"

    @property
    @abstractmethod
    def sources(self) -> tuple[str, ...]:
        """The maps that it reads."""

    @abstractmethod
    def output(self, maps: Maps) -> MapFormat | None:
        """Return what its map is; None if it makes none but adds to the logits."""

    def verify_types(self) -> None:
        """Raise a NetworkError naming the first field that is not of its type."""
        verify_fields(self.where, self)

    @abstractmethod
    def verify(self, maps: Maps) -> None:
        """Raise a NetworkError naming the node, the value and the limit if a rule is broken."""

    def logit_count(self, maps: Maps) -> int:
        """Return to how many logits a node adds that makes no map."""
        raise TypeError(f"{self.where}: it makes a map")

    @abstractmethod
    def plan(self, maps: Maps, steps: int) -> NodePlan:
        """Return the node ready to run."""

    @abstractmethod
    def lower(self, maps: Maps) -> CoreLayer:
        """Return the node as a core runs it; an UnsupportedError names it and says why none does."""

    @property
    @abstractmethod
    def text(self) -> str:
        """What it is, in words."""

    @property
    def clipped(self) -> tuple[int, int]:
        """How many multipliers are at their limit, see :class:`.term.Term`, and of how many."""
        return 0, 0

    def memory(self, maps: Maps) -> Memory:
        """Return what the node needs to keep."""
        return Memory()

    def unsupported(self, why: str) -> UnsupportedError:
        """Return the error that no core runs this node."""
        return UnsupportedError(f"{self.where}: {why}")
