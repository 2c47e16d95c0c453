"""Criteria: a number for each channel of a group; those with the least are removed first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..progress import steps
from ..training.net.networks import SpikingNetwork
from .groups import ChannelGroup

__all__ = ["CRITERIA", "Judged", "scores", "spike_ranks"]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What criteria look at."""

    network: SpikingNetwork
    groups: Sequence[ChannelGroup]
    batches: Sequence[Tensor]
    """Training samples, as :func:`.calibration_batches` gives them."""
    tolerance: float | None = None
    """See :func:`spike_ranks`."""
    seed: int = 0
    shown: bool = True
    """Whether a bar is drawn."""


Scores = dict[str, Tensor]
"""Of each group by its name, float64 (channels,)."""


def spike_ranks(spikes: Tensor, tolerance: float | None = None) -> Tensor:
    """Return the mean rank of each channel's time-averaged spike map, float64 (channels,).

    ``spikes`` are (steps, batch, channels, height, width). The rank of ``mean over t of S[t]``, height x width,
    counts its singular values above ``tolerance``; None: above ``max(height, width)`` times float32's epsilon
    times the greatest one, as the authors' code has it. (QP-SNN's SVS, arXiv 2502.05905, eq. 11-13.)
    """
    maps = spikes.mean(0)
    if min(maps.shape[2:]) == 1:  # A row or column has one singular value: its length.
        least = 0.0 if tolerance is None else tolerance
        return (torch.linalg.vector_norm(maps, dim=(2, 3)) > least).double().mean(0)
    limits = {} if tolerance is None else {"atol": tolerance, "rtol": 0.0}
    return torch.linalg.matrix_rank(maps, **limits).double().mean(0)


def _of_spikes(judged: Judged, measure: Callable[[Tensor], Tensor], title: str) -> Scores:
    """Return the mean of ``measure`` over the batches and the maps of each group."""
    network = judged.network.eval()
    device = next(network.parameters()).device
    found = {group.name: torch.zeros(group.channels, dtype=torch.float64) for group in judged.groups}
    samples = sum(map(len, judged.batches))
    with steps(len(judged.batches) * len(judged.groups), unit="layer", title=title, shown=judged.shown) as bar:
        for batch in judged.batches:
            with torch.no_grad():
                _, spikes = network(batch.to(device))
            for group in judged.groups:
                for name in group.maps:
                    share = len(batch) / samples / len(group.maps)
                    found[group.name] += share * measure(spikes[name]).cpu()
                bar.update()
    return found


def _svs(judged: Judged) -> Scores:
    return _of_spikes(judged, lambda spikes: spike_ranks(spikes, judged.tolerance), "spike ranks")


def _rate(judged: Judged) -> Scores:
    return _of_spikes(judged, lambda spikes: spikes.double().mean((0, 1, 3, 4)), "firing rates")


def _l1(judged: Judged) -> Scores:
    """Return the mean absolute weight of each channel, over the mean of its layer where several make a group."""
    modules = dict(judged.network.named_modules())

    def of(module: nn.Module) -> Tensor:
        weight = module.get_parameter("weight").detach().cpu().double()
        size = weight.abs().flatten(1).mean(1)
        return size / size.mean().clamp(min=1e-30)

    return {
        group.name: torch.stack([of(modules[path]) for path in group.producers]).mean(0) for group in judged.groups
    }


def _random(judged: Judged) -> Scores:
    generator = torch.Generator().manual_seed(judged.seed)
    return {
        group.name: torch.rand(group.channels, generator=generator, dtype=torch.float64) for group in judged.groups
    }


CRITERIA: dict[str, Callable[[Judged], Scores]] = {"svs": _svs, "l1": _l1, "rate": _rate, "random": _random}


def scores(criterion: str, judged: Judged) -> Scores:
    """Return what a criterion thinks of each channel; a ValueError lists the criteria if there is no such one."""
    if criterion not in CRITERIA:
        raise ValueError(f"criterion must be one of {', '.join(CRITERIA)}, not {criterion!r}")
    return CRITERIA[criterion](judged)
