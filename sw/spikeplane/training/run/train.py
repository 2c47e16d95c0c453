"""Training: from a recipe to a checkpoint, batch by batch, resumable after each."""

import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ...data.sets.datasets import Dataset, load_dataset, load_parts
from ...data.sets.samples import select
from ...notices import note_findings
from ...progress import steps
from ...writing import check_folder, check_writable
from ..net.inversion import check_invertible
from ..net.transformer import TransformerBlock
from ..recipe.augmentations import active, create_augmentations
from ..recipe.losses import create_losses
from ..recipe.recipes import Recipe
from ..recipe.regularizers import INNER, create_regularizers
from .allocator import keep_freed_memory
from .batches import bounds_of_batches, check_shares
from .checkpoint import Checkpoint, EpochSums, save_checkpoint
from .curves import Curves
from .devices import Precision
from .evaluate import predict
from .graphs import Graphs, Reading
from .health import final_findings, new_findings
from .interrupts import StopSignals, TrainingStopped
from .norms import use_norms
from .optimizer import create_optimizer, optimizer_state, restore_optimizer, set_learning_rate
from .options import RunOptions
from .processes import Processes, join
from .resume import resume
from .samples import Samples
from .start import start_table
from .step import Batch, Step
from .teacher import create_teacher

__all__ = ["CHECKPOINT", "DivergedError", "train"]

CHECKPOINT = "checkpoint.safetensors"
MIXING = 1
"""What of a batch is drawn, beside its augmentations: which samples are mixed."""


class DivergedError(ValueError):
    """Weights became infinite or NaN in a training; the message names the recipe, the epoch and the learning rate."""


def train(
    recipe: Recipe,
    out: Path,
    data_root: Path | None = None,
    progress: bool = True,
    options: RunOptions | None = None,
) -> Path:
    """Train a network and return its checkpoint, a file in the folder ``out``.

    The checkpoint is written after every epoch, now and then within one, and at Ctrl-C, which
    raises :class:`.TrainingStopped`. If one of the same recipe is there already, the training goes
    on from it, and ends as if it had never been interrupted; a finished one is left alone. One of
    another recipe, other data, another teacher or another ``options.amp`` is an error.

    The validation part, if the recipe has one, is measured at the end and every
    ``options.validate_every`` epochs, the test data at the end alone.

    With ``progress``, findings (:mod:`spikeplane.findings`) are written to standard error: a layer that
    falls silent and a loss that explodes after the epoch in which they first do, all of them at the end.
    """
    keep_freed_memory()
    options = options or RunOptions()
    if options.validate_every and not recipe.data.validation:
        raise ValueError(
            f"recipe {recipe.name} has no validation part to measure every {options.validate_every} epochs: "
            f"set data.validation to how many training samples to hold out"
        )
    path = Path(out) / CHECKPOINT
    check_folder(out)
    check_writable(path)
    with ExitStack() as stack:
        processes = stack.enter_context(join(options.device))
        dataset, validation = load_parts(recipe.data, data_root)
        test = load_dataset(recipe.data, "test", data_root)
        if (test.input, test.class_names) != (dataset.input, dataset.class_names):
            raise ValueError(f"{test.name}: its samples are {test.input} of classes {test.class_names}, those of "
                             f"{dataset.name} {dataset.input} of {dataset.class_names}")
        checkpoint = resume(path, recipe, dataset, options)
        processes.check_same(
            f"{path}: epochs and batches done", (checkpoint.epoch, checkpoint.batch)
        )
        if checkpoint.finished:
            return path
        bounds = bounds_of_batches(len(dataset.labels), recipe.training.batch_size, checkpoint.network)
        check_shares(bounds, recipe.training.batch_size, processes.count)
        checkpoint.run = {
            "device": processes.device.type, "amp": options.amp or "no",
            "processes": str(processes.count),
        }
        if checkpoint.begun and not checkpoint.epoch and not checkpoint.batch and processes.first and progress:
            for line in start_table(checkpoint.begun):
                tqdm.write(line, sys.stderr)
        training = _Training(
            checkpoint, path, dataset, test, options, processes, validation, bounds,
        )
        training.notes = progress and processes.first
        training.step.teacher = create_teacher(
            recipe, checkpoint.network, dataset, data_root,
            potentials=training.losses.potentials, device=processes.device, options=options,
        )
        if processes.first and options.tensorboard:
            training.curves = Curves(path.parent, training.done)
            stack.callback(training.curves.close)
        bar = stack.enter_context(steps(
            recipe.training.epochs * len(training.bounds), done=training.done, shown=progress and processes.first,
            title=recipe.name, unit="batch",
        ))
        signals = stack.enter_context(StopSignals(patient=processes.count > 1))
        while not checkpoint.finished:
            for shown in training.epoch(signals):
                bar.update()
                bar.set_postfix(shown)
        if signals.received:
            raise TrainingStopped(f"stopped at the end of the training; saved in {path}", signals.received)
    return path


@dataclass(frozen=True)
class _Pending:
    """A batch that the GPU works on."""

    reading: Reading
    samples: int
    number: int
    """Of all batches since the start; the first is 1."""
    rate: float
    """The learning rate."""


class _Training:
    """One process's part of a training.

    What is drawn for a batch comes from the seed, the epoch and the batch's number, so that a
    training can go on from any batch. Every process draws for the whole batch and computes its
    share; what they sum is what one process alone would have.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        path: Path,
        dataset: Dataset,
        test: Dataset,
        options: RunOptions,
        processes: Processes,
        validation: Dataset | None,
        bounds: list[tuple[int, int]],
    ):
        self.checkpoint, self.path, self.options = checkpoint, path, options
        self.dataset, self.test, self.processes = dataset, test, processes
        self.validation = validation
        self.samples = Samples(dataset.inputs, processes.device)
        self.curves: Curves | None = None
        self.notes = False
        """Whether this process writes findings."""
        self.recipe = checkpoint.recipe
        settings = self.recipe.training
        self.losses = create_losses(settings.losses)
        self.augmentations = create_augmentations(settings.augmentations)
        self.bounds = bounds
        self.network = checkpoint.network.to(processes.device)
        self.neurons = list(self.network.neuron_shapes)
        if processes.count > 1 or options.amp:
            use_norms(self.network, processes)
        self.optimizer = create_optimizer(self.recipe, self.network, options.graphs)
        restore_optimizer(self.optimizer, self.network, checkpoint.optimizer, path)
        self.precision = Precision(options, processes.device)
        if checkpoint.scaler:
            self.precision.scaler.load_state_dict(checkpoint.scaler)
        self._check_options()
        self.network.inverts = options.invert
        self.step = Step(
            self.network, losses=self.losses, regularizers=create_regularizers(settings.regularizers),
            optimizer=self.optimizer, precision=self.precision, processes=processes, compile=options.compile,
        )
        self.graphs = Graphs(self.step) if options.graphs else None
        self.pending: _Pending | None = None
        """The batch whose numbers the GPU has yet to tell; with graphs alone."""
        self.saved = time.monotonic()

    def _check_options(self) -> None:
        """Raise a ValueError if the recipe cannot be trained as the options say."""
        if self.losses.potentials and (self.options.compile or self.options.graphs):
            raise ValueError(
                f"recipe {self.recipe.name}: its losses look at potentials, which a compiled network does "
                f"not show: train without compile and graphs"
            )
        if self.options.invert:
            self._check_inversion()
        if not self.options.graphs:
            return
        if self.processes.device.type != "cuda" or self.processes.count > 1:
            raise ValueError("graphs need one process on a GPU: train without graphs")
        if self.recipe.training.optimizer != "adamw":
            raise ValueError(f"graphs need training.optimizer adamw, not {self.recipe.training.optimizer}")

    def _check_inversion(self) -> None:
        """Raise a ValueError if the network's blocks cannot be inverted, or something looks inside of them."""
        check_invertible({
            name: each for name, each in self.network.layers.items() if isinstance(each, TransformerBlock)
        })
        if self.losses.spikes or self.losses.potentials:
            raise ValueError(f"recipe {self.recipe.name}: its losses look at spikes or potentials, of which a network "
                             f"that inverts its blocks keeps none: train without inverting")
        if self.options.compile or self.options.graphs or self.processes.count > 1:
            raise ValueError("inverting takes one process, without compile and graphs")

    @property
    def done(self) -> int:
        """Batches done since the start."""
        return self.checkpoint.epoch * len(self.bounds) + self.checkpoint.batch

    @property
    def progress(self) -> float:
        """Share of the training that is done at the begin of this epoch."""
        return self.checkpoint.epoch / self.recipe.training.epochs

    def epoch(self, signals: StopSignals) -> Iterator[dict[str, Any]]:
        """Train to the end of an epoch; yield what to show after each batch."""
        checkpoint = self.checkpoint
        epochs = self.recipe.training.epochs
        epoch = checkpoint.epoch
        order = np.random.RandomState([self.recipe.seed, epoch]).permutation(len(self.dataset.labels))
        self.network.train()
        self.network.set_progress(self.progress)
        while checkpoint.batch < len(self.bounds):
            first, last = self.bounds[checkpoint.batch]
            stopped = self._batch(order[first:last], signals.received)
            checkpoint.batch += 1
            ended = checkpoint.batch == len(self.bounds)
            saves = ended or stopped or time.monotonic() - self.saved >= 60 * self.options.save_every
            if saves:
                self._settle()
            shown = self._shown()
            if ended:
                self._end_epoch()
            if saves:
                self._save()
            yield shown
            if checkpoint.finished:
                return
            if stopped:
                raise TrainingStopped(
                    f"stopped after {checkpoint.epoch} of {epochs} epochs and {checkpoint.batch} of "
                    f"{len(self.bounds)} batches; saved in {self.path}. The same command goes on "
                    f"from there.", stopped,
                )
            if ended:
                return

    def _batch(self, part: np.ndarray, received: int) -> int:
        """Train on the samples ``part``; return the signal that this or another process got, or 0."""
        device = self.processes.device
        own = self.processes.share(len(part))
        rate = self._learning_rate()
        set_learning_rate(self.optimizer, rate)
        teacher, labels, mixed, change = self.step.teacher, self.dataset.labels[part], None, self._augment
        if mixup := self.recipe.training.mixup:
            mixture = mixup.draw(len(part), self.progress, self._draw(MIXING))
            mixed = mixture.targets(labels, self.dataset.classes)[own].to(device, non_blocking=True)

            def change(samples: Tensor) -> Tensor:
                return mixture.mix(self._augment(samples))

        batch = Batch(
            inputs=change(self.samples.take(part))[own],
            labels=torch.from_numpy(labels[own]).to(device, non_blocking=True),
            mixed=mixed,
            taught=teacher.question(part, change, own) if teacher else None,
        )
        number = self.done + 1
        if self.graphs:
            reading = Reading(self.graphs(batch, len(part)))
            # The batch before is told of while the GPU works on this one.
            self._settle()
            self.pending = _Pending(reading, len(part), number, rate)
            return received
        values = self.step(batch, len(part))
        summed = self.processes.sum(torch.cat([values[:2], values.new_tensor([float(received > 0)])]))
        loss, right, stopped, *rest = torch.cat([summed, values[2:]]).tolist()
        self._book([loss, right, *rest], len(part), number, rate)
        return received or (signal.SIGTERM if stopped else 0)

    def _settle(self) -> None:
        """Book the batch whose numbers the GPU had yet to tell, if there is one."""
        if self.pending:
            pending, self.pending = self.pending, None
            self._book(pending.reading.tolist(), pending.samples, pending.number, pending.rate)

    def _book(self, values: list[float], samples: int, number: int, rate: float) -> None:
        """Add to the epoch's sums what a :class:`Step` returned of batch ``number`` since the start."""
        loss, right, finite, *rates = values
        if not finite:
            raise DivergedError(
                f"recipe {self.recipe.name}: weights are infinite or NaN in epoch "
                f"{self.checkpoint.epoch + 1}; training.learning_rate {self.recipe.training.learning_rate} may be "
                f"too high"
            )
        sums = self.checkpoint.sums
        sums.samples += samples
        sums.loss += loss
        sums.right += int(right)
        for name, mean_rate in zip(self.neurons, rates, strict=True):
            sums.rates[name] = sums.rates.get(name, 0.0) + mean_rate * samples
        if self.curves:
            self.curves.batch(number, loss / samples, rate)

    def _augment(self, samples: Tensor) -> Tensor:
        """Return the samples of the batch at hand, changed; others in their place change alike."""
        draw = self._draw()
        for augment in active(self.augmentations, self.progress):
            samples = augment(samples, draw)
        return samples

    def _draw(self, *what: int) -> np.random.RandomState:
        """Return a generator of the batch at hand, another one for each ``what``."""
        return np.random.RandomState([self.recipe.seed, self.checkpoint.epoch, self.checkpoint.batch, *what])

    def _learning_rate(self) -> float:
        settings, each = self.recipe.training, len(self.bounds)
        warmup = settings.warmup_epochs * each
        if self.done < warmup:
            return settings.learning_rate * (self.done + 1) / warmup
        done = (self.done - warmup) / (each * settings.epochs - warmup)
        return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    def _shown(self) -> dict[str, Any]:
        """Return what the bar shows: means over the epoch so far."""
        if not self.checkpoint.sums.samples:
            return {"epoch": self.checkpoint.epoch + 1}
        means = self.checkpoint.sums.means()
        shown = {
            "epoch": self.checkpoint.epoch + 1,
            "loss": f"{means['loss']:.3f}",
            "accuracy": f"{means['accuracy']:.1%}",
        }
        inner = list(means["rates"].values())[INNER]
        if inner:
            shown["inner firing"] = f"{sum(inner) / len(inner):.1%}"
        if self.checkpoint.history and "validation_accuracy" in self.checkpoint.history[-1]:
            shown["validation"] = f"{self.checkpoint.history[-1]['validation_accuracy']:.1%}"
        return shown

    def _end_epoch(self) -> None:
        checkpoint = self.checkpoint
        entry = checkpoint.sums.means()
        checkpoint.epoch += 1
        checkpoint.batch, checkpoint.sums = 0, EpochSums()
        every = self.options.validate_every
        if self.validation and (checkpoint.finished or (every and checkpoint.epoch % every == 0)):
            entry["validation_accuracy"] = self._accuracy(self.validation)
        if checkpoint.finished:
            entry["test_accuracy"] = self._accuracy(self.test)
        checkpoint.history.append(entry)
        if self.notes:
            self._note(entry)
        if self.curves:
            self.curves.epoch(self.done, entry)

    def _note(self, entry: dict[str, Any]) -> None:
        """Write what is newly wrong, or at the end all that is."""
        checkpoint = self.checkpoint
        if checkpoint.finished:
            note_findings(final_findings(checkpoint, entry["test_accuracy"], self.test.labels))
        else:
            note_findings(new_findings(checkpoint))

    def _accuracy(self, data: Dataset) -> float:
        own = self.processes.share(len(data.labels))
        right = predict(self.network, select(data.inputs, own)) == data.labels[own]
        counts = torch.tensor([right.sum()], dtype=torch.float64, device=self.processes.device)
        return self.processes.sum(counts).item() / len(data.labels)

    def _save(self) -> None:
        checkpoint = self.checkpoint
        if self.curves:
            self.curves.flush()
        if self.processes.first:
            checkpoint.optimizer = {} if checkpoint.finished else optimizer_state(self.optimizer, self.network)
            checkpoint.scaler = self.precision.scaler.state_dict()
            save_checkpoint(checkpoint, self.path)
        self.saved = time.monotonic()
