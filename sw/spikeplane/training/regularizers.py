"""Losses and regularizers, by the names that recipes use."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

__all__ = ["INNER", "LOSSES", "REGULARIZERS", "SpikeRegulation", "mean_loss", "tet_loss"]


INNER = slice(1, -1)
"""The inner ones of a list of all layers with neurons."""


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

    def __call__(self, rates: Tensor) -> Tensor:
        """Return the penalty of the mean spike rates of all layers with neurons, in order."""
        inner = rates[INNER]
        if not len(inner):
            return rates.new_zeros(())
        return self.weight * (inner - self.target).square().mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"tet": tet_loss, "mean": mean_loss}
REGULARIZERS = {"spike_regulation": SpikeRegulation}
"""Each is created with the options of its recipe and called with the neuron layers' spike rates."""
