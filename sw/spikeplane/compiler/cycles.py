"""Cycle model: how long each layer takes on a core, from its input spikes."""

import numpy as np
from spikeplane_hw.config import CoreConfig

from ..network import model
from ..network.graph import IntegerNetwork
from ..network.input import INPUT
from ..network.schedule import Schedule
from .place import place
from .placed import PlacedLayer, PlacedTerm
from .placement import Placement
from .segment_work import input_slots, segment_work
from .stream_time import StreamTime
from .walk_time import DRAIN_LATENCY, Walk, moved_cycles, walk_layer

__all__ = ["bank_cycles", "predict_cycles"]

STILL_CYCLES = 10
"""Cycles that a load waits for what is on its way to weights, where they stream in: few while the ring is full."""


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
                input_slots(
                    term, _read(term, maps.get(term.term.source)), len(inputs), len(term.steps), placed.replay, config
                ),
                samples,
            )
            for term in placed.terms
        ]
        if not schedule.stores:
            walks.append([walk_layer(
                placed, slots, 0, placed.steps, config, sample_steps=placed.steps // samples,
                streaming=placement.streaming,
            )])
        else:
            at = [slots if placed.replay else [each[:, :, step:step + 1] for each in slots] for step in range(steps)]
            walks.append([
                walk_layer(placed, now, step, 1, config, sample_steps=1, streaming=placement.streaming)
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
    slots = input_slots(term, spikes, count, steps, False, config)
    return layer.groups * int(segment_work(term, layer, slots, 0, 0, config, steps).banks.sum())


def _together(slots: np.ndarray, samples: int) -> np.ndarray:
    """Return what :func:`input_slots` does with the steps of so many inputs one behind the other."""
    count, planes, steps, *rest = slots.shape
    parts = slots.reshape(count // samples, samples, planes, steps, *rest)
    return np.moveaxis(parts, 1, 2).reshape(count // samples, planes, samples * steps, *rest)


def _in_time(placement: Placement, walks: list[list[Walk]], count: int) -> np.ndarray:
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
                moved = moved_cycles([move for move in placed.moves if not move.piece])
                if moved:
                    now = now + moved
                    stream.pause(moved)
                for group in walk.groups:
                    if placed.stream_group:
                        now = np.maximum(now, stream.arrival(placed.stream_group))
                    if placed.in_pieces:  # What the walk waits for is part of its own cycles.
                        stream.pause(placed.output_height * moved_cycles(placed.moves, pieces=True))
                    now = now + group[of]
                    stream.free(placed.stream_group, now)
                now = now + DRAIN_LATENCY
                cycles[:, index] += now - begin
    return np.rint(cycles).astype(np.int64)
