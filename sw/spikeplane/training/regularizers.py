"""Losses and regularizers, by the names that recipes use."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["LOSSES", "REGULARIZERS", "SpikeRegulation", "mean_loss", "tet_loss"]


def tet_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over steps of each step's cross entropy (TET, equation 8).

    ``logits`` is (steps, batch, classes), ``labels`` int64 (batch,).
    """
    return functional.cross_entropy(logits.flatten(0, 1), labels.repeat(len(logits)))


def mean_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross entropy of the logits' mean over steps."""
    return functional.cross_entropy(logits.mean(0), labels)


@dataclass(frozen=True, kw_only=True)
class SpikeRegulation:
    """Push the mean spike rate of inner layers to ``target`` (Q-SNN's spike regulation).

    ``weight * mean over layers of (rate - target)**2``, without the first and the last layer.
    A rate of 0.5 gives the most information; it also gives the most events.
    """

    weight: float = 5e-3
    target: float = 0.5

    def __call__(self, spikes: list[Tensor]) -> Tensor:
        inner = spikes[1:-1]
        if not inner:
            return torch.zeros(())
        rates = torch.stack([spike.mean() for spike in inner])
        return self.weight * (rates - self.target).square().mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"tet": tet_loss, "mean": mean_loss}
REGULARIZERS = {"spike_regulation": SpikeRegulation}
"""Each is created with the options of its recipe and called with the neuron layers' spikes."""
