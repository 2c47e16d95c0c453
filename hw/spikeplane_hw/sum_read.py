"""The sums of a chunk, from the lanes' snapshot to the units."""

from functools import reduce
from operator import or_

from amaranth import Module, Mux, Signal

from .config import CoreConfig
from .neuron_unit import UNITS_PER_COPY
from .synthesis import COPY

__all__ = ["read_sums"]


def read_sums(m: Module, config: CoreConfig, sums, pick) -> list:
    """Return each unit's sum, of the chunk that ``pick`` said three cycles earlier.

    Chunks are counted over the snapshots ``sums`` of all clusters. Every lane has a register of its own, which is held
    in reset while its chunk is not picked: what is left to do is to OR them, a third of the LUTs of a multiplexer.
    """
    chosen = []
    for k in range(config.updates):
        if k % UNITS_PER_COPY == 0:
            others = []
            for chunk in range(config.shared_chunks):
                other = Signal(name=f"other_{k}_{chunk}", attrs=COPY)
                m.d.sync += other.eq(pick != chunk)
                others.append(other)
        lanes = []
        for chunk, other in enumerate(others):
            value = sums[chunk * config.updates + k]
            lane = Signal.like(value, name=f"lane_{k}_{chunk}", reset_less=True)
            m.d.sync += lane.eq(Mux(other, 0, value))
            lanes.append(lane)
        picked = Signal.like(lanes[0], name=f"sum_{k}", reset_less=True)
        m.d.sync += picked.eq(reduce(or_, lanes))
        chosen.append(picked)
    return chosen
