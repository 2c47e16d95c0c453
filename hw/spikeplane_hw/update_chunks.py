"""What the neuron update works on, cycle by cycle: chunks of neurons, and the fields of their step."""

from itertools import pairwise

from amaranth import Cat, Module, Signal
from amaranth.lib import data

from .config import CoreConfig

__all__ = ["STREAM_CYCLES", "chunk_pipeline", "step_cycles", "update_loop", "updates_neurons"]

STREAM_CYCLES = 4
"""Cycles after a chunk was issued in which no stream is issued: its potential is read in the next one."""
LOOP = 8
"""Cycles from one update of a neuron to the next: what a step takes at least."""
STEP_FIELDS = ("state", "output", "flag", "doubled", "shift", "pool", "pool_first", "pool_last")
"""Fields that are the same for all chunks of a step: registers of their own are few."""


def step_taken(config: CoreConfig) -> dict[str, tuple[int, ...]]:
    """Return the cycles in which they are taken over, with the first chunk of a step."""
    state, output = {4, 11}, {9}
    if config.step_registers:
        # With a stop in between, short steps need not wait for each other.
        state.add(9)
        output.add(4)
    if config.most_packed > 1:
        state.add(3)  # packed states are read a cycle ahead
    copied = int(config.wire_registers)  # settings are copied for a cycle
    # Spikes of a pool's window are read in cycle 7 and written in cycle 9.
    return {"state": tuple(sorted(state)), "output": tuple(sorted(output)), "flag": tuple(sorted(output)),
            "doubled": (1 - copied,), "shift": (4 - copied,),
            "pool": (4, 7, 9), "pool_first": (4, 8), "pool_last": (4, 9)}


def step_cycles(config: CoreConfig) -> int:
    """Return the cycles they have to hold at least."""
    return max(b - a for cycles in step_taken(config).values() for a, b in pairwise((-1, *cycles)))


def update_loop(config: CoreConfig) -> int:
    """Return the least cycles from a step to one that depends on it."""
    loop = max(LOOP, step_cycles(config))
    if not config.rotating_snapshot:
        return loop
    # The snapshot has to be back where it began.
    return -(-loop // config.lanes) * config.lanes


def chunk_pipeline(m: Module, config: CoreConfig, issued) -> list:
    """Return what is in each cycle of the pipeline; `valid` for logits and neurons apart.

    The fields of a step are there in the cycles ``step_taken``, and change with its first chunk.
    """
    chunk = []
    before = issued
    step: dict = dict.fromkeys(STEP_FIELDS, issued)
    taken = step_taken(config)
    for cycle in range(12):
        # Only what is valid is reset.
        valid = Signal(name=f"chunk_{cycle}_valid")
        rest = Signal(issued.shape().size - 1, name=f"chunk_{cycle}", reset_less=True)
        following = data.View(issued.shape(), Cat(valid, rest))
        m.d.sync += [
            following[name].eq(before[name])
            for name in issued.shape().members if name not in STEP_FIELDS
        ]
        with m.If(before.valid & before.first):
            for name in STEP_FIELDS:
                if cycle in taken[name]:
                    m.d.sync += following[name].eq(step[name][name])
                    step[name] = following
        chunk.append(following)
        before = following
    return chunk


def updates_neurons(config: CoreConfig, layer, chunk):
    """Return whether neurons of ``chunk`` are updated: all terms of their sum are there."""
    last = chunk.last_term if config.term_count > 1 else 1
    return chunk.valid & ~layer.logits & last
