"""The health of a training: what is wrong with it, from a checkpoint's history and from what was counted."""

import math
from collections.abc import Collection

import numpy as np

from ...findings import (
    Finding,
    dead_channels,
    exploded_loss,
    no_better_than_guessing,
    saturated_potentials,
    silent_layers,
    unfinished,
    without_repeats,
)
from ..recipe.recipes import Recipe
from ..recipe.regularizers import SpikeRegulation, create_regularizers
from .activity import Activity
from .checkpoint import Checkpoint

__all__ = [
    "activity_findings", "checkpoint_findings", "final_findings", "guessing_findings", "guessing_loss",
    "new_findings", "unfinished_findings",
]

CROSS_ENTROPIES = ("tet", "mean")
"""Losses that are ln(classes) for a network that thinks all classes equally likely."""


def guessing_loss(recipe: Recipe, classes: int) -> float | None:
    """Return the greatest loss, penalties included, of a network that thinks all classes equally likely.

    It is None where there are losses or regularizers of which nothing is known.
    """
    losses = recipe.training.losses
    regularizers = create_regularizers(recipe.training.regularizers)
    penalties = [each.weight for each in regularizers if isinstance(each, SpikeRegulation)]
    if any(name not in CROSS_ENTROPIES for name in losses) or len(penalties) < len(regularizers):
        return None
    return math.log(classes) * sum(options.get("weight", 1.0) for options in losses.values()) + sum(penalties)


def unfinished_findings(checkpoint: Checkpoint) -> list[Finding]:
    """Return a finding if the training was stopped."""
    return unfinished(checkpoint.epoch, checkpoint.recipe.training.epochs, checkpoint.batch)


def checkpoint_findings(checkpoint: Checkpoint) -> list[Finding]:
    """Return what a checkpoint tells without data: whether it is finished, and how its last epoch was."""
    found = unfinished_findings(checkpoint)
    if not checkpoint.epoch:
        return found
    found += _epoch_findings(checkpoint, checkpoint.epoch)
    last = checkpoint.history[-1]
    part, key = next((
        (part, key) for part in ("test", "validation") if (key := f"{part}_accuracy") in last
    ), ("training", "accuracy"))
    return found + no_better_than_guessing(
        last[key], 1 / checkpoint.classes, None, f"on the {part} data in epoch {checkpoint.epoch}"
    )


def final_findings(checkpoint: Checkpoint, accuracy: float, labels: np.ndarray) -> list[Finding]:
    """Return what is wrong at the end of a training, with its accuracy on test samples of these ``labels``."""
    return without_repeats([
        *guessing_findings(accuracy, labels, f"on {len(labels):,} test samples"), *checkpoint_findings(checkpoint),
    ])


def new_findings(checkpoint: Checkpoint) -> list[Finding]:
    """Return what is wrong with layers and loss in the last epoch, and was in no earlier one."""
    before = [
        finding for epoch in range(1, checkpoint.epoch) for finding in _epoch_findings(checkpoint, epoch)
    ]
    return without_repeats(_epoch_findings(checkpoint, checkpoint.epoch), known=before)


def _epoch_findings(checkpoint: Checkpoint, epoch: int) -> list[Finding]:
    """Return what is wrong with layers and loss in an epoch; the first is 1."""
    entry, basis = checkpoint.history[epoch - 1], f"in epoch {epoch}"
    return silent_layers(entry.get("rates", {}), basis) + exploded_loss(
        entry["loss"], checkpoint.history[0]["loss"], guessing_loss(checkpoint.recipe, checkpoint.classes), basis
    )


def guessing_findings(accuracy: float, labels: np.ndarray, basis: str) -> list[Finding]:
    """Return a finding if an accuracy on samples with these ``labels`` is that of always naming one class."""
    guess = np.bincount(labels).max() / len(labels)
    return no_better_than_guessing(accuracy, float(guess), len(labels), basis)


def activity_findings(activity: Activity, neurons: Collection[str]) -> list[Finding]:
    """Return what is wrong with the layers ``neurons``, those with neurons of their own."""
    basis = f"on {activity.samples:,} samples"
    silent = silent_layers({name: activity.rates[name] for name in neurons}, basis)
    channels = {name: activity.channels[name] for name in neurons}
    # Of a layer that never fires this is said already.
    alive = {name: (dead, count) for name, (dead, count) in channels.items() if dead < count}
    return [*silent, *dead_channels(alive, basis), *saturated_potentials(activity.saturated, basis)]
