"""Time of a walk over a layer: how its four stages wait for each other.

They work on successive segments at the same time: the walker (a candidate row a cycle), fetch (a word a cycle), the
banks (the longest queue of every pass) and the neuron update. The work of each stage is exact (:mod:`.segment_work`);
recurrences over the segments say when it is done. Only the constants below are fitted.
"""

from dataclasses import dataclass

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.descriptor import descriptor_words, move_layout
from spikeplane_hw.lanes import lanes_latency
from spikeplane_hw.memories import spike_read_latency
from spikeplane_hw.memory_map import Counter
from spikeplane_hw.mover import move_cycles
from spikeplane_hw.operand import load_cycles
from spikeplane_hw.sequencer import FETCH_CYCLES
from spikeplane_hw.update_chunks import STREAM_CYCLES, step_cycles, update_loop

from ..network.lowered import TermKind
from .loads import load_fields
from .moves import Move
from .placed import PlacedLayer
from .segment_work import pixel_blocks, segment_work
from .stream_time import BEATS_A_CYCLE

__all__ = ["DRAIN_LATENCY", "Walk", "moved_cycles", "walk_layer"]

FETCH_LATENCY = 2
"""Cycles from a row request to its first word at the banks, besides those of the spike memory."""
BANK_LATENCY = 3
"""Cycles from a word at the banks to its beat."""
UPDATE_LATENCY = 3
"""Cycles besides those of the lanes from a segment's last beat to its first neuron, and of the way
back: the snapshot is free for the next segment that long before the last neuron, but not before the
first one."""
DRAIN_LATENCY = 21
"""Cycles from a layer's last neuron to the layer's end."""
SETUP = 1 + 2 * FETCH_CYCLES
"""Cycles of a layer before its walk, besides those of its descriptors and flags."""
PAUSE_LATENCY = 26
"""Cycles from a piece's last neuron to the next one's begin, besides those of moves and of their jobs."""
JOB_SETUP = 1 + FETCH_CYCLES
"""Cycles to place a term or a load, besides those of its descriptor."""


@dataclass(frozen=True)
class Walk:
    """Cycles of a walk over a layer, without those in which it waits for weights and those it takes to end."""

    setup: int
    """Ahead of it, without loads."""
    loads: int
    """Of the operands of products."""
    groups: list[np.ndarray]
    """Of each channel group where they wait for each other, else of all together, (inputs / samples at once,)."""


def walk_layer(
    placed: PlacedLayer, slots: list, time: int, steps: int, config: CoreConfig, *, sample_steps: int, streaming: bool
) -> Walk:
    """Return one layer's cycles for one walk over ``steps`` time steps, ``sample_steps`` of each sample.

    ``slots`` are of each term as from :func:`input_slots`; ``time`` steps came before. Where weights are ``streaming``
    a channel group waits until the one before is over.
    """
    padding = max(term.pad_rows for term in placed.terms)
    setup = (placed.program_words(config) + SETUP + JOB_SETUP * (len(placed.terms) + len(placed.products)) + padding
             + 2 * len(Counter) * config.statistics)
    setup += (JOB_SETUP - 1) * len(placed.moves)
    loads = sum(load_cycles(config, load_fields(term, placed, steps, config)) for term in placed.products)
    if placed.target is not None:
        setup += steps * placed.target.height
    # In the order of the walk: as many pixels as there are clusters, all steps of each, all terms of each step.
    count = len(slots[0])
    terms = len(placed.terms)
    blocks = pixel_blocks(placed.output_width, config)
    repeats = (1 if placed.replay else steps) * terms
    pixels = np.tile(np.repeat([len(block) for block in blocks], repeats), placed.output_height)
    rows = np.array([
        term.pass_count * (1 if term.full else term.term.kernel[0]) for term in placed.terms
    ])
    rows = np.tile(rows, len(pixels) // terms)
    walk = _walk_cycles(rows, pixels, config)
    back = max(1, config.row_queue_depth // int(rows.min()))
    latency = lanes_latency(config) + UPDATE_LATENCY
    first_beat = FETCH_LATENCY + spike_read_latency(config) + BANK_LATENCY
    ahead = config.clusters * config.segment_queue_depth + 1  # one more is in the update
    zero: np.ndarray = np.zeros(count, np.int64)
    walked = fetched = updated = zero
    fetches, starts = [zero] * back, [zero] * ahead
    summed, started, ended = ([zero] * config.clusters for _ in range(3))
    begun, groups = zero, []
    fetch, banks = np.zeros((len(pixels), count), np.int64), np.zeros((len(pixels), config.clusters, count), np.int64)
    piece = len(pixels) // placed.output_height if placed.in_pieces else 0
    between = PAUSE_LATENCY + moved_cycles(placed.moves, pieces=True) + sum(
        JOB_SETUP - 1 + descriptor_words(move_layout(config)) for move in placed.moves if move.piece
    )
    for group in range(placed.groups):
        if group == 0 or any(term.shares or term.term.groups > 1 for term in placed.terms):
            works = [
                segment_work(term, placed, each, time, group, config, sample_steps)
                for term, each in zip(placed.terms, slots, strict=True)
            ]
            fetch, banks = (_in_blocks(stages, config) for stages in (
                [work.fetch for work in works], [work.banks for work in works],
            ))
            fetch = fetch[:, 0]  # for all pixels at once
        last = group == placed.groups - 1
        lanes = placed.last_lanes if last else placed.group_lanes
        updates = {
            alone: [_update_cycles(placed, number, lanes, steps, config, alone=alone) for number in range(terms)]
            for alone in (False, True)
        }
        for index, together in enumerate(pixels):
            walked = np.maximum(np.maximum(walked, starts[together - 1 - ahead]) + walk[index], fetches[-back])
            fetched = np.maximum(
                np.maximum(fetched, walked - rows[index] + 1) + fetch[index], walked + 1
            )
            if together > 1:  # All get the same words, for which the last one has to have room.
                fetched = np.maximum(fetched, np.max(summed, axis=0) + fetch[index] - config.queue_depth)
            for q in range(together):
                summed[q] = np.maximum(
                    np.maximum(summed[q] + banks[index, q], fetched + first_beat),
                    np.maximum(ended[q] - latency, started[q]),
                )
                started[q] = np.maximum(updated, summed[q] + latency)
                ended[q] = updated = started[q] + updates[together == 1][index % terms]
                starts = [*starts[1:], started[q]]
            fetches = [*fetches[1:], fetched]
            if piece and (index + 1) % piece == 0:
                # The next row begins when this one is over, and its moves.
                walked = fetched = updated = updated + between
                fetches, starts = [updated] * back, [updated] * ahead
                summed, started, ended = ([updated] * config.clusters for _ in range(3))
        walked = walked + 1
        if streaming and not last:
            # The next group begins when this one is over.
            groups.append(updated - begun + DRAIN_LATENCY)
            begun = walked = fetched = updated
            fetches, starts = [updated] * back, [updated] * ahead
            summed, started, ended = ([updated] * config.clusters for _ in range(3))
    return Walk(setup, loads, [*groups, updated - begun])


def _in_blocks(stages: list[np.ndarray], config: CoreConfig) -> np.ndarray:
    """Return a stage's work for each term in the order of the walk, (segments, clusters, inputs), of no pixel 0."""
    work = np.stack([stage.transpose(2, 3, 1, 0) for stage in stages], 3)  # (height, width, steps, terms, inputs)
    height, width, *rest = work.shape
    columns = len(pixel_blocks(width, config)) * config.clusters
    whole = np.zeros((height, columns, *rest), work.dtype)
    whole[:, :width] = work
    blocks = whole.reshape(height, -1, config.clusters, *rest)
    return np.moveaxis(blocks, 2, 4).reshape(-1, config.clusters, rest[-1])


def _walk_cycles(rows: np.ndarray, pixels: np.ndarray, config: CoreConfig) -> np.ndarray:
    """Return the cycles that windows of so many rows, over all passes, and so many pixels take."""
    several = int(config.term_count > 1)
    find, walk = 4 + several + (pixels if config.clusters > 1 else 0), rows + 1 + several
    return np.maximum(find, walk) if config.window_queue_depth else find + walk


def _update_cycles(
    placed: PlacedLayer, number: int, lanes: int, steps: int, config: CoreConfig, *, alone: bool
) -> int:
    """Return the cycles from the start of a term's update, the ``number``-th one, to that of the following one.

    ``alone`` says that it is of the same pixel.
    """
    loop = update_loop(config)
    if placed.layer.neuron is None:
        return max(lanes, loop)
    following = (number + 1) % len(placed.terms)
    issued = -(-lanes // config.updates) * (1 + (placed.terms[number].second is not None))
    # A neuron that is updated again at once waits for its own state.
    dependent = placed.replay or (alone and (not placed.stored or steps > 1))
    each = max(issued, loop) if dependent else issued
    if not alone:
        each = max(each, step_cycles(config))
    if placed.terms[following].term.kind is TermKind.STREAM:
        each = max(each, issued + STREAM_CYCLES + 1)  # it waits for the potentials of these chunks
    return each * (steps if placed.replay and not following else 1)


def moved_cycles(moves: list[Move], *, pieces: bool = False) -> float:
    """Return the cycles of moves: of those of a piece, or of the others."""
    return sum(move_cycles(move.words, BEATS_A_CYCLE) for move in moves if move.piece == pieces)
