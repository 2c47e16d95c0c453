"""Resuming: from where a training goes on, and what must be the same as before."""

import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ...data.sets.datasets import Dataset
from ..net.networks import SpikingNetwork
from ..recipe.recipes import Recipe
from .batches import bounds_of_batches
from .checkpoint import Checkpoint, CheckpointError, load_checkpoint, versions
from .options import RunOptions
from .start import take_over
from .start_classifier import take_over_classifier
from .teacher import teacher_record

__all__ = ["resume"]


def resume(path: Path, recipe: Recipe, dataset: Dataset, options: RunOptions) -> Checkpoint:
    """Return the checkpoint at ``path``, or the beginning of a training if there is none.

    A CheckpointError says that it is of another recipe, of other data, of another teacher, or cannot
    go on as ``options`` say.
    """
    checksums = {"train": dataset.checksum}
    if not path.exists():
        checkpoint = Checkpoint.start(recipe, dataset.input, dataset.classes, dataset.class_names)
        checkpoint.checksums = checksums
        checkpoint.teacher = teacher_record(recipe)
        checkpoint.begun = _begin(checkpoint.network, recipe, dataset)
        return checkpoint
    checkpoint = load_checkpoint(path)
    if checkpoint.recipe != recipe:
        raise CheckpointError(f"{path}: the checkpoint is of another recipe; remove it to restart")
    if checkpoint.checksums != checksums:
        raise CheckpointError(
            f"{path}: trained on other data: checksums {checkpoint.checksums}, found {checksums}"
        )
    if not checkpoint.finished:
        _check_unfinished(path, checkpoint, dataset, options)
    return checkpoint


def _begin(network: SpikingNetwork, recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """Give a network the weights that its recipe names, and return what a checkpoint records of them."""
    start = recipe.training.start
    if start is None:
        return {}
    if start.checkpoint is not None:
        return take_over(network, Path(start.checkpoint))
    assert start.classifier is not None and start.weights is not None
    return take_over_classifier(network, start.classifier, Path(start.weights), dataset.inputs)


def _check_unfinished(path: Path, checkpoint: Checkpoint, dataset: Dataset, options: RunOptions) -> None:
    """Raise a CheckpointError if the training cannot go on from here; note versions that changed."""
    amp, begun = options.amp or "no", checkpoint.run.get("amp", "no")
    if begun != amp:
        raise CheckpointError(f"{path}: begun with amp {begun}, must go on with it, not with {amp}")
    teacher = teacher_record(checkpoint.recipe)
    if checkpoint.teacher != teacher:
        raise CheckpointError(
            f"{path}: begun with another teacher: SHA-256 {checkpoint.teacher.get('sha256')}, "
            f"{teacher.get('file')} has {teacher.get('sha256')}"
        )
    batches = len(bounds_of_batches(
        len(dataset.labels), checkpoint.recipe.training.batch_size, checkpoint.network
    ))
    if not 0 <= checkpoint.batch < batches:
        raise CheckpointError(f"{path}: {checkpoint.batch} batches are done of an epoch of {batches}")
    for name, version in versions().items():
        before = checkpoint.versions.get(name, version).split(", then ")
        if version != before[-1]:
            tqdm.write(f"{path}: begun with {name} {before[-1]}, goes on with {version}", sys.stderr)
            checkpoint.versions[name] = ", then ".join([*before, version])
