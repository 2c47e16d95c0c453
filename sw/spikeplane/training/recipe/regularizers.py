"""Regularizers, by the names that recipes use."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...registry import Registry
from .named import create_named

__all__ = ["INNER", "REGULARIZERS", "SpikeLimit", "SpikeRegulation", "create_regularizers"]

INNER = slice(1, -1)
"""The inner ones of a list of all layers with neurons."""


@dataclass(frozen=True, kw_only=True)
class SpikeRegulation:
    """Push the mean spike rate of inner layers to ``target`` (Q-SNN's spike regulation).

    ``weight * mean over layers of (rate - target)**2``, without the first and the last layer.
    A rate of 0.5 gives the most information; it also gives the most events.
    """

    weight: float = 5e-3
    target: float = 0.5

    def __post_init__(self):
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise ValueError(f"weight must be 0 or more, not {self.weight!r}")
        if not 0 <= self.target <= 1:
            raise ValueError(f"target must be in 0..1, not {self.target!r}")

    def __call__(self, rates: Tensor) -> Tensor:
        """Return the penalty of the mean spike rates of all layers with neurons, in order."""
        inner = rates[INNER]
        if not len(inner):
            return rates.new_zeros(())
        return self.weight * (inner - self.target).square().mean()


@dataclass(frozen=True, kw_only=True)
class SpikeLimit:
    """Keep the mean spike rates of the first ``layers`` below ``limit``.

    ``weight * sum over these layers of max(rate - limit, 0)**2``. Spikes on the largest maps are what most of
    a core's time goes to.
    """

    limit: float
    layers: int = 1
    weight: float = 100.0

    def __post_init__(self):
        if not 0 <= self.limit <= 1:
            raise ValueError(f"limit must be in 0..1, not {self.limit}")
        if not isinstance(self.layers, int) or self.layers < 1:
            raise ValueError(f"layers must be an integer of 1 or more, not {self.layers!r}")
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise ValueError(f"weight must be 0 or more, not {self.weight!r}")

    def __call__(self, rates: Tensor) -> Tensor:
        """Return the penalty of the mean spike rates of all layers with neurons, in order."""
        return self.weight * (rates[:self.layers] - self.limit).clamp(min=0).square().sum()


Regularizer = Callable[[Tensor], Tensor]
REGULARIZERS: Registry[Callable[..., Regularizer]] = Registry("regularizer", {
    "spike_limit": SpikeLimit, "spike_regulation": SpikeRegulation,
})
"""Each is created with the options of its recipe and called with the neuron layers' spike rates."""


def create_regularizers(recipe: dict[str, dict[str, Any]]) -> list[Regularizer]:
    """Return the regularizers that a recipe names, in its order, with their options."""
    return create_named("training.regularizers", REGULARIZERS, recipe)
