"""Moves: where maps and streams lie outside the chip that are spilled, and the jobs that store and load them."""

from dataclasses import dataclass

from spikeplane_hw.config import CoreConfig
from spikeplane_hw.descriptor import Job, parameter_bursts, sample_bursts, state_bursts

from .spike_map import SpikeMap

__all__ = ["Move", "burst_limit", "load_moves", "parameter_loads", "row_moves", "spill_base", "step_moves",
           "store_moves", "stream_move", "stream_words"]


@dataclass(frozen=True, kw_only=True)
class Move:
    """Words of a memory that are stored in as many bursts outside the chip, or loaded from there."""

    store: bool
    states: bool = False
    """Whether they are of the state memory, each as large as a burst or less."""
    parameters: bool = False
    """Whether they are of the parameter memory, which are only loaded; neither: of the spike memory."""
    piece: bool = False
    """Whether the bursts are those of a layer's first piece, behind which those of all others lie."""
    word: int
    words: int
    burst: int
    sampled: bool = False
    """Whether each sample of a batch has bursts of its own, ``sample_bursts`` behind those of the one before."""

    def fields(self, *, last: bool) -> dict[str, int]:
        """Return the descriptor; ``last`` says that the layer ends with it."""
        return {
            "job": Job.MOVE.value, "store": int(self.store), "states": int(self.states),
            "parameters": int(self.parameters), "piece": int(self.piece),
            "sampled": int(self.sampled), "last": int(last),
            "word": self.word, "words": self.words - 1, "burst": self.burst,
        }


def spill_base(config: CoreConfig) -> int:
    """Return the first burst of those that are for moves; weights lie before it."""
    return config.external_depth // 2


def burst_limit(config: CoreConfig, *, sampled: bool) -> int:
    """Return how many bursts all that a network spills may take, those of one sample if it is one of a batch."""
    return sample_bursts(config) if sampled else config.external_depth - spill_base(config)


def stream_words(stream: SpikeMap, config: CoreConfig) -> int:
    """Return the words of a stream in the state memory, and so its bursts."""
    return stream.slots * config.chunks * state_bursts(config)


def stream_move(stream: SpikeMap, burst: int, config: CoreConfig, *, store: bool, piece: bool = False) -> Move:
    """Return what stores a stream from the ``burst``-th one of those for moves on, or loads it again.

    It is the ``piece`` of it that is there for a row of a channel group, or all of it.
    """
    words = stream_words(stream, config)
    return Move(store=store, states=True, piece=piece, word=stream.base * words // stream.slots, words=words,
                burst=spill_base(config) + burst)


def parameter_loads(chunks: int, burst: int, config: CoreConfig) -> Move:
    """Return what loads so many chunks of parameters, from the first one of the chip on."""
    return Move(store=False, parameters=True, word=0, words=chunks * parameter_bursts(config), burst=burst)


def store_moves(spikes: SpikeMap, burst: int, config: CoreConfig, *, sampled: bool) -> list[Move]:
    """Return what stores a map from the ``burst``-th one of those for spikes on."""
    return [Move(store=True, word=spikes.first_word(config), words=spikes.words(config),
                 burst=spill_base(config) + burst, sampled=sampled)]


def load_moves(spikes: SpikeMap, burst: int, config: CoreConfig, *, samples: int) -> list[Move]:
    """Return what loads a map again, of so many samples that were stored one by one."""
    words = spikes.words(config) // samples
    return [
        Move(store=False, word=spikes.first_word(config) + sample * words, words=words,
             burst=spill_base(config) + burst + sample * sample_bursts(config))
        for sample in range(samples)
    ]


def row_moves(
    part: SpikeMap, rows: range, outside: SpikeMap, burst: int, config: CoreConfig, *, store: bool
) -> list[Move]:
    """Return what stores ``rows`` of a map, or loads them: ``part`` of the spike memory, from whole words on.

    ``outside`` is the map as it lies from the ``burst``-th of those for spikes on. Each time step takes a move, unless
    all of the map moves at once.
    """
    first, words = divmod(rows.start * part.row_slots, config.word_slots)
    words = -(-(words + len(rows) * part.row_slots) // config.word_slots)
    pitch, burst = outside.step_words(config), spill_base(config) + burst
    if words == part.step_words(config) == pitch:
        return step_moves(part, range(part.steps), outside, burst - spill_base(config), config, store=store)
    return [
        Move(store=store, word=part.first_word(config) + step * part.step_words(config), words=words,
             burst=burst + step * pitch + first)
        for step in range(part.steps)
    ]


def step_moves(
    part: SpikeMap, steps: range, outside: SpikeMap, burst: int, config: CoreConfig, *, store: bool
) -> list[Move]:
    """Return what stores some time steps of a map, or loads them, as :func:`row_moves`."""
    pitch = outside.step_words(config)
    return [Move(store=store, word=part.first_word(config), words=len(steps) * pitch,
                 burst=spill_base(config) + burst + steps.start * pitch)]
