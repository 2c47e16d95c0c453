"""The teacher of a training: its answers to the same samples, in its own input format."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...data.sets.datasets import Dataset, load_dataset
from ...data.sets.samples import SampleArray
from ..net.networks import SpikingNetwork
from ..net.teachers import load_classifier
from ..recipe.answers import TeacherAnswers
from ..recipe.recipes import Recipe
from .checkpoint import load_checkpoint
from .devices import Precision, compiled
from .evaluate import BATCH, batches
from .options import RunOptions
from .samples import Samples
from .start import file_digest

__all__ = ["Teacher", "create_teacher", "teacher_record"]

IMAGE_BITS = 8
"""Of the images that classifiers take."""


def teacher_record(recipe: Recipe) -> dict[str, str]:
    """Return what a checkpoint records of its teacher: name and SHA-256 of its file; {} without one."""
    teacher = recipe.training.teacher
    if teacher is None:
        return {}
    path = Path(teacher.checkpoint or teacher.weights or "")
    return {"file": path.name, "sha256": file_digest(path)}


@dataclass(kw_only=True, eq=False)
class Teacher:
    """A network whose answers are asked for, by the training samples' indices."""

    network: nn.Module
    samples: Samples
    """The training samples in its own format."""
    potentials: bool
    """Whether it gives potentials and spikes too."""
    device: torch.device
    precision: Precision
    known: Tensor | None = None
    """Its logits of all samples, where these never change."""

    def answers(self, part: np.ndarray, augment: Callable[[Tensor], Tensor], own: slice) -> TeacherAnswers:
        """Return the answers to the samples ``own`` of a batch, whose indices are ``part``.

        ``augment`` changes the samples of a batch as it does those that the network learns from.
        """
        return self.respond(self.question(part, augment, own))

    def question(self, part: np.ndarray, augment: Callable[[Tensor], Tensor], own: slice) -> Tensor:
        """Return what :meth:`respond` needs of these samples: inputs, or logits that are known."""
        if self.known is not None:
            return self.known[torch.from_numpy(part[own])].to(self.device)
        return augment(self.samples.take(part))[own]

    def respond(self, question: Tensor) -> TeacherAnswers:
        """Return the answers to what :meth:`question` gave."""
        return self._answer(question) if self.known is None else TeacherAnswers(logits=question)

    def learn(self) -> None:
        """Compute the logits of all samples once.

        The samples are taken in their order, by batches that do not depend on the training's: so a
        resumed training has the same numbers.
        """
        inputs = self.samples.inputs
        if isinstance(self.network, SpikingNetwork):
            parts = batches(self.network, inputs)
        else:
            parts = (inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH))
        self.known = torch.cat([self._answer(torch.from_numpy(part).to(self.device)).logits.cpu() for part in parts])

    def _answer(self, inputs: Tensor) -> TeacherAnswers:
        with torch.no_grad(), self.precision.products():
            if not isinstance(self.network, SpikingNetwork):
                return TeacherAnswers(logits=self.network(inputs).float())
            if not self.potentials:
                return TeacherAnswers(logits=self.network(inputs)[0].mean(0).float())
            with self.network.recording() as potentials:
                logits, spikes = self.network(inputs)
            return TeacherAnswers(logits=logits.mean(0), spikes=spikes, potentials=potentials)


def create_teacher(
    recipe: Recipe,
    network: SpikingNetwork,
    dataset: Dataset,
    root: Path | None,
    *,
    potentials: bool,
    device: torch.device,
    options: RunOptions | None = None,
) -> Teacher | None:
    """Return the teacher of a recipe, or None, for ``network``, which learns from ``dataset``.

    A ValueError begins with the recipe's key: another number of classes, other samples, images of
    another size; with ``potentials`` other steps, or no layer of the same name and shape.
    """
    chosen = recipe.training.teacher
    if chosen is None:
        return None
    if chosen.classifier is not None and chosen.weights is not None:
        what, data = f"training.teacher.classifier {chosen.classifier}", replace(recipe.data, bits=IMAGE_BITS)
        teacher = load_classifier(chosen.classifier, Path(chosen.weights))
        teacher.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        classes = teacher.classes
        if not dataset.input.direct or dataset.inputs.shape[1:] != teacher.shape:
            raise ValueError(
                f"{what} takes images {teacher.shape}, {dataset.name} has {dataset.inputs.shape[1:]}"
            )
    else:
        what, path = f"training.teacher.checkpoint {chosen.checkpoint}", Path(chosen.checkpoint or "")
        loaded = load_checkpoint(path)
        if not loaded.finished:
            raise ValueError(f"{what}: its training is not finished")
        teacher, classes = loaded.network.requires_grad_(False), loaded.classes
        data = replace(
            loaded.recipe.data, validation=recipe.data.validation, validation_seed=recipe.data.validation_seed
        )
        if potentials:
            _check_layers(what, network, teacher)
    if classes != dataset.classes:
        raise ValueError(f"{what} tells {classes} classes, {dataset.name} has {dataset.classes}")
    inputs = _inputs(what, recipe, data, dataset, root)
    options = options or RunOptions()
    made = Teacher(
        network=compiled(teacher.to(device)) if options.compile and chosen.classifier else teacher.to(device),
        samples=Samples(inputs, device), potentials=potentials, device=device,
        precision=Precision(options, device),
    )
    if chosen.cached or not (recipe.training.changes_samples or potentials):
        made.learn()
    return made


def _inputs(what: str, recipe: Recipe, data, dataset: Dataset, root: Path | None) -> SampleArray:
    """Return the training samples as the teacher takes them; a ValueError says if they are others."""
    if data == recipe.data:
        return dataset.inputs
    if data.name != recipe.data.name:
        raise ValueError(f"{what} learned from {data.name}, this training has {recipe.data.name}")
    other = load_dataset(data, "train", root)
    if not np.array_equal(other.labels, dataset.labels):
        raise ValueError(f"{what}: its training samples are not those of {dataset.name}")
    teacher = recipe.training.teacher
    changed = recipe.training.changes_samples and not (teacher and teacher.cached)
    if changed and other.inputs.shape[-2:] != dataset.inputs.shape[-2:]:
        raise ValueError(
            f"{what} takes maps of {other.inputs.shape[-2:]}, this network of {dataset.inputs.shape[-2:]}: "
            f"the same augmentation would change them differently; set training.teacher.cached = true, or train "
            f"without training.augmentations and training.mixup"
        )
    return other.inputs


def _check_layers(what: str, network: SpikingNetwork, teacher: SpikingNetwork) -> None:
    """Raise a ValueError if the potentials of the two cannot be compared."""
    if network.form.steps != teacher.form.steps:
        raise ValueError(
            f"{what} has {teacher.form.steps} steps, this network {network.form.steps}: potentials are "
            f"compared step by step"
        )
    shared = network.neuron_shapes.keys() & teacher.neuron_shapes.keys()
    if not shared:
        raise ValueError(
            f"{what} has neurons {', '.join(teacher.neuron_shapes)}, this network "
            f"{', '.join(network.neuron_shapes)}: none has the name of another"
        )
    for name in network.neuron_shapes:
        if name in shared and network.neuron_shapes[name] != teacher.neuron_shapes[name]:
            raise ValueError(
                f"{what}: layer {name!r} has neurons {teacher.neuron_shapes[name]}, that of this network "
                f"{network.neuron_shapes[name]}"
            )
