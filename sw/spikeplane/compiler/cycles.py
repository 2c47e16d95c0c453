"""Cycle model: how long each layer takes on a core, from its input spikes.

Four stages work on successive segments at the same time: the walker (a candidate row a cycle),
fetch (a word a cycle), the banks (the longest queue of every pass) and the neuron update. The work
of each stage is computed exactly from spikes and layout; what follows is how the stages wait for
each other, as recurrences over the segments. Only the constants below are fitted.
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

from ..network import model
from ..network.graph import IntegerNetwork
from ..network.input import INPUT
from ..network.lowered import TermKind
from ..network.schedule import Schedule
from .loads import load_fields
from .moves import Move
from .place import place
from .placed import PlacedLayer, PlacedTerm
from .placement import Placement
from .stream_time import BEATS_A_CYCLE, StreamTime
from .weight_places import identity_slots

__all__ = ["bank_cycles", "predict_cycles"]

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
STILL_CYCLES = 10
"""Cycles that a load waits for what is on its way to weights, where they stream in: few while the ring is full."""
JOB_SETUP = 1 + FETCH_CYCLES
"""Cycles to place a term or a load, besides those of its descriptor."""
QUEUE_STALL = 0.5
"""Stalls between fetch and banks, which a deeper queue evens out: this share of the lesser of
their work, divided by the queue's depth."""


@dataclass(frozen=True)
class _Work:
    """Cycles each stage needs for each segment, int64 (inputs, steps, height, width)."""

    fetch: np.ndarray
    banks: np.ndarray


def predict_cycles(
    network: IntegerNetwork,
    inputs: np.ndarray,
    config: CoreConfig,
    schedule: Schedule = Schedule.REGISTERS,
    *,
    keep_maps: bool = True,
    batch: int = 1,
) -> np.ndarray:
    """Return the predicted cycles of every layer, int64 (inputs / batch, layers).

    ``inputs`` are what :func:`.model.run` takes, whole batches. The result is meant to be within 10 % of
    ``Counter.CYCLES``.
    """
    placement = place(network, config, schedule, keep_maps=keep_maps, batch=batch)
    inputs = np.asarray(inputs)
    if len(inputs) % batch:
        raise ValueError(f"{len(inputs)} inputs are not batches of {batch}")
    trace = model.run(network, inputs, schedule=schedule, counters=False, trace=True)
    maps = {INPUT: inputs[:, None] if network.input.direct else inputs}
    maps |= {name: spikes.numpy() for name, spikes in trace.spikes.items()}
    steps = network.input.steps
    walks = []  # of each layer, of each outer step
    for placed in placement.layers:
        samples = placed.samples
        slots = [
            _together(
                _slots(term, _read(term, maps.get(term.term.source)), len(inputs), len(term.steps), placed.replay,
                       config),
                samples,
            )
            for term in placed.terms
        ]
        if not schedule.stores:
            walks.append([_layer(
                placed, slots, 0, placed.steps, config, sample_steps=placed.steps // samples,
                streaming=placement.streaming,
            )])
        else:
            at = [slots if placed.replay else [each[:, :, step:step + 1] for each in slots] for step in range(steps)]
            walks.append([
                _layer(placed, now, step, 1, config, sample_steps=1, streaming=placement.streaming)
                for step, now in enumerate(at)
            ])
    cycles = _in_time(placement, walks, len(inputs) // batch)
    return np.stack([
        cycles[:, [placed.node == node for placed in placement.layers]].sum(1) for node in range(len(network.nodes))
    ], 1)


def _read(term: PlacedTerm, values: np.ndarray | None) -> np.ndarray | None:
    """Return of the values of a map, (inputs, steps, channels, height, width), those that a term reads."""
    if values is None:
        return None
    if not term.still:
        values = values[:, term.steps.start:term.steps.stop]
    return values[..., term.rows.start:term.rows.stop, :]


def bank_cycles(term: PlacedTerm, layer: PlacedLayer, spikes: np.ndarray, config: CoreConfig) -> int:
    """Return the cycles that the banks take for ``spikes`` (inputs, steps, channels, height, width) of a term.

    They are of all inputs, steps, pixels and channel groups, with no stage before or behind that the banks wait for.
    """
    count, steps = spikes.shape[:2]
    slots = _slots(term, spikes, count, steps, False, config)
    return layer.groups * int(_work(term, layer, slots, 0, 0, config, steps).banks.sum())


def _together(slots: np.ndarray, samples: int) -> np.ndarray:
    """Return what :func:`_slots` does with the steps of so many inputs one behind the other."""
    count, planes, steps, *rest = slots.shape
    parts = slots.reshape(count // samples, samples, planes, steps, *rest)
    return np.moveaxis(parts, 1, 2).reshape(count // samples, planes, samples * steps, *rest)


def _in_time(placement: Placement, walks: list[list["_Walk"]], count: int) -> np.ndarray:
    """Return the cycles of every layer, int64 (batches, layers), of which some may wait for their weights."""
    cycles, now = np.zeros((count, len(walks))), np.zeros(count)
    stream = StreamTime(placement.config, placement.ring, count)
    batch, early = placement.batch, placement.early_layers
    runs = [(sample, 0, early) for sample in range(batch)] if early else []
    for sample, first, last in [*runs, (0, early, len(walks))]:
        if sample:  # While the host gives the next sample, the ring fills.
            now = now + placement.ring * stream.slot_cycles
        for step in range(len(walks[0])):
            for index in range(first, last):
                placed, walk, begin = placement.layers[index], walks[index][step], now
                of = slice(sample, None, batch // placed.samples)
                now = now + walk.setup + walk.loads
                if walk.loads and placement.halves_ring:  # Nothing streams in meanwhile.
                    still = STILL_CYCLES * len(placed.products)
                    now = now + still
                    stream.pause(walk.loads + still)
                moved = _moved([move for move in placed.moves if not move.piece])
                if moved:
                    now = now + moved
                    stream.pause(moved)
                for group in walk.groups:
                    if placed.stream_group:
                        now = np.maximum(now, stream.arrival(placed.stream_group))
                    if placed.in_pieces:  # What the walk waits for is part of its own cycles.
                        stream.pause(placed.output_height * _moved(placed.moves, pieces=True))
                    now = now + group[of]
                    stream.free(placed.stream_group, now)
                now = now + DRAIN_LATENCY
                cycles[:, index] += now - begin
    return np.rint(cycles).astype(np.int64)


def _moved(moves: list[Move], *, pieces: bool = False) -> float:
    """Return the cycles of moves: of those of a piece, or of the others."""
    return sum(move_cycles(move.words, BEATS_A_CYCLE) for move in moves if move.piece == pieces)


@dataclass(frozen=True)
class _Walk:
    """Cycles of a walk over a layer, without those in which it waits for weights and those it takes to end."""

    setup: int
    """Ahead of it, without loads."""
    loads: int
    """Of the operands of products."""
    groups: list[np.ndarray]
    """Of each channel group where they wait for each other, else of all together, (inputs / samples at once,)."""


def _layer(
    placed: PlacedLayer, slots: list, time: int, steps: int, config: CoreConfig, *, sample_steps: int, streaming: bool
) -> _Walk:
    """Return one layer's cycles for one walk over ``steps`` time steps, ``sample_steps`` of each sample.

    ``slots`` are of each term as from :func:`_slots`; ``time`` steps came before. Where weights are ``streaming`` a
    channel group waits until the one before is over.
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
    blocks = _blocks(placed.output_width, config)
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
    between = PAUSE_LATENCY + _moved(placed.moves, pieces=True) + sum(
        JOB_SETUP - 1 + descriptor_words(move_layout(config)) for move in placed.moves if move.piece
    )
    for group in range(placed.groups):
        if group == 0 or any(term.shares or term.term.groups > 1 for term in placed.terms):
            works = [
                _work(term, placed, each, time, group, config, sample_steps)
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
    return _Walk(setup, loads, [*groups, updated - begun])


def _blocks(width: int, config: CoreConfig) -> list[range]:
    """Return the columns of the output pixels that are walked together."""
    return [range(first, min(first + config.clusters, width)) for first in range(0, width, config.clusters)]


def _in_blocks(stages: list[np.ndarray], config: CoreConfig) -> np.ndarray:
    """Return a stage's work for each term in the order of the walk, (segments, clusters, inputs), of no pixel 0."""
    work = np.stack([stage.transpose(2, 3, 1, 0) for stage in stages], 3)  # (height, width, steps, terms, inputs)
    height, width, *rest = work.shape
    columns = len(_blocks(width, config)) * config.clusters
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


def _work(
    placed: PlacedTerm, layer: PlacedLayer, slots, time: int, group: int, config: CoreConfig, sample_steps: int
) -> _Work:
    """Return what fetch and banks have to do for each segment of a channel group."""
    source, term = placed.source, placed.term
    if not slots.shape[3]:  # The end of a pass is all there is.
        ends = np.ones((len(slots), slots.shape[2], layer.output_height, layer.output_width), np.int64)
        return _Work(ends, ends)
    first_step = time if placed.streamed else 0
    count, _, steps, rows, row_slots, _ = slots.shape
    sums = np.zeros((*slots.shape[:4], row_slots + 1, config.banks), np.int32)
    np.cumsum(slots, axis=4, out=sums[..., 1:, :])
    silent_read = not source.flagged or (placed.full and source.height > 1)
    busy: np.ndarray = np.ones(slots.shape[:4], bool)
    if not silent_read:
        busy = np.any(slots, axis=(4, 5))
    stride = term.stride * source.pixel_slots
    left = np.arange(layer.output_width) * stride - term.padding * source.pixel_slots
    if term.groups > 1:
        left += group * placed.group_slots(config)
    kernel_rows = 1 if placed.full else term.kernel[0]
    kernel_slots = row_slots if placed.full else term.kernel[1] * placed.group_slots(config)
    if placed.shares:
        first = min(group * identity_slots(config), source.pixel_slots)
        left, kernel_slots = left + first, min(identity_slots(config), source.pixel_slots - first)
    left_edge, right_edge = left, left + kernel_slots
    # What is fetched for a pixel is fetched for those that are walked with it as well.
    columns = _blocks(layer.output_width, config)
    first_column, last_column = (np.repeat([ends(each) for each in columns], [len(each) for each in columns])
                                 for ends in (min, max))
    step = np.arange(steps)[:, None, None]
    shape = (count, steps, layer.output_height, layer.output_width)
    fetch, banks = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for index, plane in enumerate(placed.input_planes):
        shift, passes = plane.column * source.pixel_slots, placed.powers(plane)
        low, high = np.maximum(left_edge + shift, 0), np.minimum(right_edge + shift, row_slots)
        fetched_low, fetched_high = low[first_column], high[last_column]
        reads = np.zeros((*shape, config.banks), np.int32)
        rest = reads
        for kernel_row in range(kernel_rows):
            row = np.arange(layer.output_height) * term.stride + kernel_row - placed.pad_rows
            inside = np.logical_and(row >= 0, row < rows)
            row = row.clip(0, rows - 1)
            # Earlier steps are read whether silent or not.
            read = busy[:, index, :, row].transpose(1, 2, 0) | (plane.delay > 0)
            inside = inside & (plane.delay <= time + step[..., 0] % sample_steps)
            read_here = (read & inside)[..., None]
            present = read_here & (high > low)
            origin = (source.base + plane.index * source.plane_slots + row[:, None] * row_slots
                      + (first_step + step - plane.delay) * placed.input_step)
            end_word = (origin + fetched_high - 1) // config.word_slots
            words = end_word - (origin + fetched_low) // config.word_slots + 1
            fetch += passes * np.where(
                read_here & (fetched_high > fetched_low), words, int(kernel_row == kernel_rows - 1)
            )
            table = sums[:, index][:, :, row]  # (inputs, steps, height, row slots + 1, banks)
            upto = table[:, :, :, high]
            reads = reads + (upto - table[:, :, :, low]) * present[..., None]
            if kernel_row == kernel_rows - 1:
                # A bank without an event in the pass's last word takes a cycle for its end.
                cut = np.clip(end_word * config.word_slots - origin, low, np.maximum(low, high))
                step_index, row_index = np.indices(cut.shape)[:2]
                rest = (upto - table[:, step_index, row_index, cut]) * present[..., None]
        for power in range(passes):
            reading = _reading(placed, placed.read_at(plane, power), config)
            banks += (reads * reading + (rest * reading == 0)).max(-1)
    stall = np.minimum(fetch, banks) * QUEUE_STALL / config.queue_depth
    empty = placed.pass_count - sum(map(placed.powers, placed.input_planes))  # passes that only double
    return _Work(fetch + empty, np.rint(banks + stall).astype(int) + empty)


def _reading(placed: PlacedTerm, planes: range, config: CoreConfig) -> np.ndarray:
    """Return 1 for each bank in which one of these planes beside each other lies, else 0."""
    beside, channels = placed.source.beside, placed.source.channels
    bank = np.arange(config.banks) // channels if beside > 1 else np.zeros(config.banks, int)
    return np.isin(bank, planes).astype(np.int32)


def _slots(
    placed: PlacedTerm, values: np.ndarray | None, count: int, steps: int, replay: bool, config: CoreConfig
) -> np.ndarray:
    """Return the input map as bits (inputs, planes, steps, rows, slots of a row, banks); nothing of a stream.

    An image is there in every step, with ``replay`` in one.
    """
    if values is None:
        return np.zeros((count, 1, steps, 0, 0, config.banks), np.uint8)
    values = np.broadcast_to(values, (count, values.shape[1] if replay else steps, *values.shape[2:]))
    count, steps, channels, height, width = values.shape
    planes = placed.input_planes
    bits = np.zeros(
        (count, len(planes), steps, height, width, placed.source.pixel_slots * config.banks), "u1"
    )
    for index, plane in enumerate(planes):
        earlier = np.moveaxis(values[:, :max(0, steps - plane.delay)], 2, 4)
        for beside in range(plane.planes):
            read = earlier >> plane.index * placed.source.beside + beside & 1
            bits[:, index, plane.delay:, ..., beside * channels:(beside + 1) * channels] = read
    rows = 1 if placed.full else height
    return bits.reshape(count, len(planes), steps, rows, -1, config.banks)
