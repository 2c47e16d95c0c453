"""Work of the stages: the cycles that fetch and banks need for each segment, computed from spikes and layout."""

from dataclasses import dataclass

import numpy as np
from spikeplane_hw.config import CoreConfig

from .placed import PlacedLayer, PlacedTerm
from .weight_places import identity_slots

__all__ = ["SegmentWork", "input_slots", "pixel_blocks", "segment_work"]

QUEUE_STALL = 0.5
"""Stalls between fetch and banks, which a deeper queue evens out: this share of the lesser of
their work, divided by the queue's depth."""


@dataclass(frozen=True)
class SegmentWork:
    """Cycles each stage needs for each segment, int64 (inputs, steps, height, width)."""

    fetch: np.ndarray
    banks: np.ndarray


def pixel_blocks(width: int, config: CoreConfig) -> list[range]:
    """Return the columns of the output pixels that are walked together."""
    return [range(first, min(first + config.clusters, width)) for first in range(0, width, config.clusters)]


def segment_work(
    placed: PlacedTerm, layer: PlacedLayer, slots, time: int, group: int, config: CoreConfig, sample_steps: int
) -> SegmentWork:
    """Return what fetch and banks have to do for each segment of a channel group."""
    source, term = placed.source, placed.term
    if not slots.shape[3]:  # The end of a pass is all there is.
        ends = np.ones((len(slots), slots.shape[2], layer.output_height, layer.output_width), np.int64)
        return SegmentWork(ends, ends)
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
    columns = pixel_blocks(layer.output_width, config)
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
    return SegmentWork(fetch + empty, np.rint(banks + stall).astype(int) + empty)


def _reading(placed: PlacedTerm, planes: range, config: CoreConfig) -> np.ndarray:
    """Return 1 for each bank in which one of these planes beside each other lies, else 0."""
    beside, channels = placed.source.beside, placed.source.channels
    bank = np.arange(config.banks) // channels if beside > 1 else np.zeros(config.banks, int)
    return np.isin(bank, planes).astype(np.int32)


def input_slots(
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
