"""When weights are there that stream in from memory outside the chip, by a model of the stream."""

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.external_bus import BURST_BEATS
from spikeplane_hw.weight_stream import slot_bursts

__all__ = ["BEATS_A_CYCLE", "StreamTime", "slot_cycles"]

BEATS_A_CYCLE = 0.965
"""Beats in a cycle that the model counts on: a little fewer than bench/memory.py measures."""


def slot_cycles(config: CoreConfig) -> float:
    """Return the cycles in which a weight slot comes, while the memory does nothing else."""
    return slot_bursts(config) * BURST_BEATS / BEATS_A_CYCLE


class StreamTime:
    """The ring of weight slots, ``ring`` of them, seen in time; it is full when a run begins."""

    def __init__(self, config: CoreConfig, ring: int, inputs: int):
        self.depth = ring
        self.slot_cycles = slot_cycles(config)
        self.freed = np.zeros((0, inputs))  # when each slot was free again, all of the stream one behind the other
        self.asked = 0
        self.last = np.zeros(inputs)  # when the slot before the next one came

    def arrival(self, slots: int) -> np.ndarray:
        """Return the cycle, float64 (inputs,), in which the last of the next ``slots`` slots is there."""
        first, self.asked = max(self.depth, self.asked), self.asked + slots
        freed = self.freed[first - self.depth:max(first, self.asked) - self.depth]
        if len(freed):
            ahead = freed - np.arange(len(freed))[:, None] * self.slot_cycles
            self.last = np.maximum(self.last, ahead.max(0)) + len(freed) * self.slot_cycles
        return self.last

    def pause(self, cycles: float) -> None:
        """Note that for so many cycles from now on the memory does something else."""
        self.last = self.last + cycles

    def free(self, slots: int, time: np.ndarray) -> None:
        """Note that the next ``slots`` slots are free from the cycles ``time`` on, (inputs,)."""
        self.freed = np.concatenate([self.freed, np.broadcast_to(time, (slots, len(self.last)))])
