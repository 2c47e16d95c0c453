"""Activity: what fires and what saturates, layer by layer, over some samples."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Activity", "ActivityCounter"]


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Of each layer with neurons or a pool, by its name."""

    samples: int
    """On which all of it rests."""
    rates: dict[str, float]
    """The share of (step, pixel, channel) that spike, 0 to 1."""
    channels: dict[str, tuple[int, int]]
    """Channels that never fired, and all."""
    saturated: dict[str, float]
    """The share of updates whose current or potential saturated, 0 to 1; nothing of a network without
    integers."""


class ActivityCounter:
    """Counts spikes batch by batch."""

    def __init__(self):
        self._samples = 0
        self._fired: dict[str, Tensor] = {}
        self._saturations: dict[str, int] = {}
        self._updates: dict[str, int] = {}

    def add(self, spikes: Mapping[str, Tensor], saturations: Mapping[str, Tensor]) -> None:
        """Count a batch: spikes of layers, (batch, steps, channels, height, width), and saturated updates, (batch,)."""
        self._samples += len(next(iter(spikes.values())))
        for name, maps in spikes.items():
            fired = maps.sum((0, 1, 3, 4), dtype=torch.int64)
            self._fired[name] = self._fired.get(name, 0) + fired
            self._updates[name] = self._updates.get(name, 0) + maps.numel()
        for name, counts in saturations.items():
            self._saturations[name] = self._saturations.get(name, 0) + int(counts.sum())

    def result(self) -> Activity:
        """Return what was counted so far."""
        return Activity(
            samples=self._samples,
            rates={name: float(fired.sum()) / self._updates[name] for name, fired in self._fired.items()},
            channels={name: (int((fired == 0).sum()), len(fired)) for name, fired in self._fired.items()},
            saturated={name: count / self._updates[name] for name, count in self._saturations.items()},
        )
