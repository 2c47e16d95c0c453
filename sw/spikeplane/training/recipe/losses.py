"""Losses, by the names that recipes use. Several of them are summed with their weights."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from ...registry import Registry
from .answers import BatchAnswers, TeacherAnswers
from .named import create_named

__all__ = [
    "LOSSES", "Distillation", "Loss", "MeanLoss", "PotentialDistillation", "SumOfLosses", "TetLoss",
    "create_losses",
]


class Loss:
    """A term of what a training lowers: created with its options, called with a batch's answers."""

    needs_spikes: ClassVar[bool] = True
    """Whether it uses ``spikes`` of the network, which are left out if no loss does."""
    needs_potentials: ClassVar[bool] = False
    """Whether it uses ``potentials`` of the network, and of its teacher if it has one."""
    needs_teacher: ClassVar[bool] = False
    """Whether there must be a ``[training.teacher]``; with potentials, one that spikes."""

    def __call__(self, answers: BatchAnswers) -> Tensor:
        """Return the loss, a scalar: the mean over the samples."""
        raise NotImplementedError(f"{type(self).__name__} computes nothing")


def _teacher(answers: BatchAnswers) -> TeacherAnswers:
    if answers.teacher is None:
        raise ValueError("this loss needs the answers of a teacher: set training.teacher")
    return answers.teacher


def _check_head(head: int | None) -> None:
    if head is not None and (type(head) is not int or head < 0):
        raise ValueError(f"head must be an integer of 0 or more, not {head!r}")


def _check_smoothing(label_smoothing: float) -> None:
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing must be 0 or more and below 1, not {label_smoothing!r}")


@dataclass(frozen=True, kw_only=True)
class TetLoss(Loss):
    """The mean over steps of each step's cross entropy (TET, arXiv 2202.11946, equation 8)."""

    needs_spikes = False
    label_smoothing: float = 0.0
    """How much of a label is spread over all classes."""
    head: int | None = None
    """Which head's logits, of a network with several; None: the mean of all."""

    def __post_init__(self):
        _check_smoothing(self.label_smoothing)
        _check_head(self.head)

    def __call__(self, answers: BatchAnswers) -> Tensor:
        logits = answers.of_head(self.head)
        targets = answers.targets
        return functional.cross_entropy(
            logits.flatten(0, 1), targets.repeat(len(logits), *[1] * (targets.ndim - 1)),
            label_smoothing=self.label_smoothing,
        )


@dataclass(frozen=True, kw_only=True)
class MeanLoss(Loss):
    """The cross entropy of the logits' mean over steps."""

    needs_spikes = False
    label_smoothing: float = 0.0
    """As in TetLoss."""
    head: int | None = None
    """As in TetLoss."""

    def __post_init__(self):
        _check_smoothing(self.label_smoothing)
        _check_head(self.head)

    def __call__(self, answers: BatchAnswers) -> Tensor:
        return functional.cross_entropy(
            answers.of_head(self.head).mean(0), answers.targets, label_smoothing=self.label_smoothing
        )


@dataclass(frozen=True, kw_only=True)
class Distillation(Loss):
    """The teacher's logits in place of labels (arXiv 1503.02531), against the mean over steps.

    ``T**2 * KL(softmax(teacher / T) || softmax(mean logits / T))``, mean over samples; ``hard``: the
    cross entropy with the class that the teacher predicts, without a temperature.
    """

    needs_spikes = False
    needs_teacher = True
    temperature: float = 4.0
    hard: bool = False
    head: int | None = None
    """As in TetLoss: one head may learn from labels, another from the teacher (BESTformer, arXiv 2501.05904)."""

    def __post_init__(self):
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature must be above 0, not {self.temperature!r}")
        if not isinstance(self.hard, bool):
            raise ValueError(f"hard must be true or false, not {self.hard!r}")
        _check_head(self.head)

    def __call__(self, answers: BatchAnswers) -> Tensor:
        logits, taught = answers.of_head(self.head).mean(0), _teacher(answers).logits
        if self.hard:
            return functional.cross_entropy(logits, taught.argmax(1))
        divergence = functional.kl_div(
            functional.log_softmax(logits / self.temperature, 1),
            functional.log_softmax(taught / self.temperature, 1), reduction="batchmean", log_target=True,
        )
        return self.temperature**2 * divergence


@dataclass(frozen=True, kw_only=True)
class PotentialDistillation(Loss):
    """The distance of membrane potentials to those of a spiking teacher (MD-SNN, arXiv 2512.04443).

    The mean over samples and layers of ``sum (u - u')**2 / sum u'**2`` over steps and neurons, u' the
    teacher's: our normalization, so that large layers and large potentials do not decide, and the
    mean does not depend on how many processes share a batch. The layers are those that both have.
    """

    needs_spikes = False
    needs_potentials = True
    needs_teacher = True

    def __call__(self, answers: BatchAnswers) -> Tensor:
        taught = _teacher(answers).potentials
        shared = [name for name in answers.potentials if name in taught]
        return torch.stack([
            _size(answers.potentials[name] - taught[name]) / _size(taught[name]).clamp(min=1e-12)
            for name in shared
        ]).mean()


def _size(maps: Tensor) -> Tensor:
    """Return the sum of squares of each sample, (batch,), of maps (steps, batch, ...)."""
    return maps.square().movedim(1, 0).flatten(1).sum(1)


LOSSES: Registry[Callable[..., Loss]] = Registry("loss", {
    "tet": TetLoss, "mean": MeanLoss, "distillation": Distillation,
    "potential_distillation": PotentialDistillation,
})
"""Each is created with the options of its recipe, but for ``weight``."""


@dataclass(frozen=True)
class SumOfLosses(Loss):
    """Losses summed with their weights."""

    losses: dict[str, tuple[float, Loss]]

    @property
    def spikes(self) -> bool:
        """Whether any of them needs spikes."""
        return any(loss.needs_spikes for _, loss in self.losses.values())

    @property
    def potentials(self) -> bool:
        """Whether any of them needs potentials."""
        return any(loss.needs_potentials for _, loss in self.losses.values())

    def __call__(self, answers: BatchAnswers) -> Tensor:
        values = [weight * loss(answers) for weight, loss in self.losses.values()]
        return torch.stack(values).sum() if len(values) > 1 else values[0]


def create_losses(recipe: dict[str, dict[str, Any]]) -> SumOfLosses:
    """Return the losses that a recipe names, with their options and weights.

    A ValueError begins with the recipe's key.
    """
    weights, options = {}, {}
    for name, table in recipe.items():
        options[name] = table
        weights[name] = 1.0
        if isinstance(table, dict) and "weight" in table:
            options[name] = {key: value for key, value in table.items() if key != "weight"}
            weights[name] = table["weight"]
    losses = create_named("training.losses", LOSSES, options)
    for name, weight in weights.items():
        if type(weight) not in (int, float) or not (math.isfinite(weight) and weight >= 0):
            raise ValueError(f"training.losses.{name}.weight must be a number of 0 or more, not {weight!r}")
    if not losses:
        raise ValueError("training.losses must name a loss")
    return SumOfLosses({name: (weights[name], loss) for name, loss in zip(recipe, losses, strict=True)})
