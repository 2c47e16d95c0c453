"""Does it fit: everything that a network needs of a core, and how long a sample takes on it."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from spikeplane_hw.config import CONFIGS, CoreConfig
from spikeplane_hw.memory_map import Space, memory_map

from ..network.graph import IntegerNetwork
from ..network.schedule import Schedule
from .footprint import layer_cycles, memory_words
from .limits import CompileError, Limit, Need, memory_needs, needs
from .place import place
from .placement import Placement
from .remedies import changes

__all__ = ["BoardTime", "Fit", "fit", "fit_all"]


@dataclass(frozen=True)
class BoardTime:
    """How long a sample takes on a board, without the host link."""

    board: str
    clock: float
    """Hz."""
    seconds: float

    @property
    def samples_a_second(self) -> float:
        """Samples that follow each other at once."""
        return 1 / self.seconds


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What a network needs of one configuration, in the best way to place it there."""

    config: CoreConfig
    schedule: Schedule
    keep_maps: bool
    """Whether every spike map has a memory of its own, so that all spikes can be read."""
    words: dict[Space, int]
    """Words of each memory, also of more than the core has."""
    needs: list[Need]
    """None where the core does not run it, however large its memories."""
    changes: list[list[str]]
    """What would meet each need of ``exceeded``, in their order, each change by itself."""
    cycles: dict[str, float]
    """Of each layer for one sample, by the cycle model; empty where none are predicted."""
    note: str
    """Why none are, or ""; where the core does not run it, why not."""

    @property
    def exceeded(self) -> list[Need]:
        """The greatest need of each limit that is exceeded, in the order in which compiling names them."""
        return _exceeded(self.needs)

    @property
    def runs(self) -> bool:
        """Whether there is a way to place it; its needs may be exceeded."""
        return bool(self.needs)

    @property
    def fits(self) -> bool:
        """Whether it runs and no need is exceeded."""
        return self.runs and not any(need.exceeded for need in self.needs)

    @property
    def worst(self) -> dict[Limit, Need]:
        """The greatest need of each limit, relative to it."""
        return _worst(self.needs)

    @property
    def depths(self) -> dict[Space, int]:
        """Words that the core has of each memory."""
        memories = memory_map(self.config)
        return {space: memories[space].depth for space in self.words}

    @property
    def shares(self) -> dict[Space, float]:
        """Words of each memory over those that the core has."""
        return {space: count / self.depths[space] for space, count in self.words.items()}

    @property
    def fullest(self) -> tuple[Space, float]:
        """The memory of which the greatest part is taken, and that part."""
        return max(self.shares.items(), key=lambda item: item[1])

    @property
    def total_cycles(self) -> float:
        """Predicted cycles of a sample."""
        return sum(self.cycles.values())

    @property
    def board_times(self) -> list[BoardTime]:
        """Times of a sample on the boards with this configuration; none where no cycles are predicted."""
        from ..boards import BOARDS

        return [
            BoardTime(name, board.clock, self.total_cycles / board.clock)
            for name, board in BOARDS.items() if self.cycles and board.config == self.config
        ]


def fit(
    network: IntegerNetwork,
    config: CoreConfig,
    schedule: Schedule | None = None,
    *,
    keep_maps: bool | None = None,
    inputs: np.ndarray | None = None,
    most_segments: int | None = None,
) -> Fit:
    """Return whether ``network`` fits a core, how full it is, and what would help where it does not.

    Of the schedules and of maps kept or overwritten, where not given, the first is taken that fits:
    steps in registers before stored potentials, kept maps before overwritten ones. If none fits, the
    one is whose worst memory is exceeded least. Ways in which the core cannot run some layer are left out.
    ``inputs``, uint8 (n, *InputFormat.shape), are samples whose mean cycles are predicted where the network
    fits and has at most ``most_segments`` segments (output pixels, times channel groups, times steps).
    Raises a NetworkError if the network breaks a rule that no core could lift.
    """
    network.verify()
    ways = product(
        Schedule if schedule is None else [schedule], (True, False) if keep_maps is None else [keep_maps]
    )
    placements: dict[tuple[Schedule, bool], Placement] = {}
    refusals: dict[tuple[Schedule, bool], str] = {}
    for schedule, keep in ways:
        try:
            placements[schedule, keep] = place(network, config, schedule, keep_maps=keep, check=False)
        except CompileError as error:  # There may be another way.
            refusals[schedule, keep] = str(error)
    if not placements:
        (schedule, keep), why = next(iter(refusals.items()))
        return Fit(
            config=config, schedule=schedule, keep_maps=keep, words={}, needs=[], changes=[], cycles={}, note=why,
        )
    way = min(placements, key=lambda way: _overflow(placements[way]))
    placement = placements[way]
    found = needs(placement)
    cycles, note = {}, "does not fit"
    if not any(need.exceeded for need in found):
        cycles, note = _cycles(placement, inputs, most_segments)
    return Fit(
        config=config, schedule=placement.schedule, keep_maps=way[1],
        words=memory_words(placement), needs=found, cycles=cycles, note=note,
        changes=[changes(placement, need) for need in _exceeded(found)],
    )


def fit_all(
    network: IntegerNetwork, inputs: np.ndarray | None = None, most_segments: int | None = None
) -> list[Fit]:
    """Return the fit of every named configuration, for the arguments of :func:`fit`."""
    return [fit(network, config, inputs=inputs, most_segments=most_segments) for config in CONFIGS.values()]


def _worst(found: list[Need]) -> dict[Limit, Need]:
    worst: dict[Limit, Need] = {}
    for need in found:
        if need.kind not in worst or need.share > worst[need.kind].share:
            worst[need.kind] = need
    return worst


def _exceeded(found: list[Need]) -> list[Need]:
    worst = _worst(found)
    return [worst[kind] for kind in dict.fromkeys(need.kind for need in found if need.exceeded)]


def _overflow(placement: Placement) -> float:
    """Return how much too large the worst need is; 0 if all memories suffice."""
    worst = max(need.share for need in memory_needs(placement))
    return worst if worst > 1 else 0.0


def _cycles(
    placement: Placement, inputs: np.ndarray | None, most_segments: int | None
) -> tuple[dict[str, float], str]:
    """Return the predicted cycles of each layer, or why there are none."""
    if inputs is None or not len(inputs):
        return {}, "no samples given"
    steps = placement.network.input.steps
    segments = steps * sum(p.groups * p.output_height * p.output_width for p in placement.layers)
    if most_segments is not None and segments > most_segments:
        return {}, f"not predicted: {segments:,} segments take long, limit {most_segments:,}"
    return layer_cycles(placement, inputs), ""
