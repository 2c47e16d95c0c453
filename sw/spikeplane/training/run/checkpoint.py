"""Checkpoints: weights, optimizer and everything that led to them, in one safetensors file.

The header's metadata holds one JSON text: format, recipe, versions, seed, checksums of the data,
epochs done and their history; in the middle of a training also the batches done of the epoch at
hand and what was summed over them. Nothing in a file is executed.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ... import __version__
from ...network.input import InputFormat
from ..net.networks import SpikingNetwork
from ..recipe.recipes import Recipe
from .migration import migrate_recipe

__all__ = [
    "Checkpoint", "CheckpointError", "EpochSums", "load_checkpoint", "save_checkpoint", "versions",
]

FORMAT = "spikeplane-checkpoint-2"
FIRST_FORMAT = "spikeplane-checkpoint-1"
"""Still read: its recipes repeat the settings of neurons in every layer."""
NETWORK = "network."
OPTIMIZER = "optimizer."


class CheckpointError(ValueError):
    """A checkpoint cannot be used; the message names the file and what is wrong with it."""


@dataclass(kw_only=True)
class EpochSums:
    """Sums over the samples of an epoch's first batches."""

    samples: int = 0
    loss: float = 0.0
    right: int = 0
    """Samples whose class the network told."""
    rates: dict[str, float] = field(default_factory=dict)
    """Firing rates by layer with neurons."""

    def __post_init__(self):
        if self.samples < 0:
            raise ValueError(f"unfinished.sums.samples must be 0 or more, not {self.samples}")
        numbers = {"loss": self.loss, "right": self.right}
        _check_numbers("unfinished.sums", numbers, self.rates)

    def means(self) -> dict[str, Any]:
        """Return the entry of the history: loss, accuracy, and rates by layer."""
        return {
            "loss": self.loss / self.samples,
            "accuracy": self.right / self.samples,
            "rates": {name: total / self.samples for name, total in self.rates.items()},
        }


@dataclass(kw_only=True, eq=False)
class Checkpoint:
    """A training between two batches."""

    recipe: Recipe
    network: SpikingNetwork
    classes: int = 10
    epoch: int = 0
    """Epochs done."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """Of each epoch on the training data ``loss``, ``accuracy`` (0 to 1) and ``rates``, the mean
    firing rate of each layer with neurons; where they were taken, ``validation_accuracy`` and
    ``test_accuracy`` after it."""
    batch: int = 0
    """Batches done of the next epoch."""
    sums: EpochSums = field(default_factory=EpochSums)
    """Of these batches."""
    scaler: dict[str, Any] = field(default_factory=dict)
    """State of the scaler of float16 gradients."""
    run: dict[str, str] = field(default_factory=dict)
    """What computed it last: device, amp, processes."""
    checksums: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the training data's arrays by part."""
    teacher: dict[str, str] = field(default_factory=dict)
    """``file`` and ``sha256`` of the teacher; empty without one."""
    begun: dict[str, Any] = field(default_factory=dict)
    """What the training started from, see :func:`.take_over`; empty if from random weights."""
    optimizer: dict[str, Tensor] = field(default_factory=dict)
    """State of the optimizer: "parameter name/key"; empty when the training is finished."""
    versions: dict[str, str] = field(default_factory=lambda: versions())
    """Of everything that computed it."""

    @property
    def finished(self) -> bool:
        """Whether the training has come to its end."""
        return self.epoch >= self.recipe.training.epochs

    @classmethod
    def start(cls, recipe: Recipe, form: InputFormat, classes: int) -> "Checkpoint":
        """Return an untrained network, with weights drawn from the recipe's seed."""
        return cls(recipe=recipe, network=_network(recipe, form, classes), classes=classes)


def versions() -> dict[str, str]:
    """Return the versions of Spikeplane, Python and the libraries that a training depends on."""
    found = {"python": platform.python_version(), "spikeplane": __version__}
    for name in ("torch", "numpy", "scikit-learn", "pillow"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def _check_numbers(what: str, numbers: dict[str, Any], rates: dict[str, Any]) -> None:
    """Raise a ValueError if these, or the rates by layer, are no numbers; ``what`` names them."""
    for name, value in (numbers | {f"rates.{layer}": rate for layer, rate in rates.items()}).items():
        if not isinstance(value, (int, float)):
            raise ValueError(f"{what}.{name} must be a number, not {value!r}")


def _digest(tensors: dict[str, Tensor]) -> str:
    """Return the SHA-256 of all names, shapes, types and values."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(repr((name, tuple(value.shape), str(value.dtype))).encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def _network(recipe: Recipe, form: InputFormat, classes: int) -> SpikingNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return SpikingNetwork(form, recipe.layers, recipe.neuron, classes)


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; the file is replaced at once or not at all, whenever one is killed."""
    form = checkpoint.network.form
    header = {
        "format": FORMAT,
        "recipe": checkpoint.recipe.to_dict(),
        "input": dict(vars(form)),
        "classes": checkpoint.classes,
        "epoch": checkpoint.epoch,
        "history": checkpoint.history,
        "seed": checkpoint.recipe.seed,
        "checksums": checkpoint.checksums,
        "versions": checkpoint.versions,
        "run": checkpoint.run,
    }
    header |= {"teacher": checkpoint.teacher} if checkpoint.teacher else {}
    header |= {"start": checkpoint.begun} if checkpoint.begun else {}
    if not checkpoint.finished:
        header["unfinished"] = {
            "batch": checkpoint.batch,
            "sums": asdict(checkpoint.sums),
            "scaler": checkpoint.scaler,
        }
    tensors = {NETWORK + name: value for name, value in checkpoint.network.state_dict().items()}
    tensors |= {OPTIMIZER + name: value for name, value in checkpoint.optimizer.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    header["sha256"] = _digest(tensors)
    data = save(tensors, {"spikeplane": json.dumps(header)})
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a file's new name outlive a failure of power, where folders can be synchronized."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def load_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint in a file, its network in evaluation mode."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file: {error}") from error
    header = _header(path, metadata)
    # Earlier files have none.
    if header.get("sha256", digest := _digest(tensors)) != digest:
        raise CheckpointError(f"{path}: damaged: its tensors do not have the SHA-256 in its header")
    try:
        values = header["recipe"]
        if header["format"] == FIRST_FORMAT:
            values = migrate_recipe(values)
        recipe = Recipe.from_dict(values, f"{path}: recipe")
        form = InputFormat(**header["input"])
        checkpoint = Checkpoint(
            recipe=recipe,
            network=_network(recipe, form, int(header["classes"])),
            classes=int(header["classes"]),
            epoch=int(header["epoch"]),
            history=list(header["history"]),
            checksums=dict(header["checksums"]),
            versions=dict(header["versions"]),
            run=dict(header.get("run", {})),
            teacher=dict(header.get("teacher", {})),
            begun=dict(header.get("start", {})),
            optimizer={
                name.removeprefix(OPTIMIZER): value
                for name, value in tensors.items() if name.startswith(OPTIMIZER)
            },
        )
        for number, entry in enumerate(checkpoint.history, 1):
            means = {name: entry[name] for name in ("loss", "accuracy")}
            names = ("validation_accuracy", "test_accuracy")
            tested = {name: entry[name] for name in names if name in entry}
            _check_numbers(f"history: epoch {number}", means | tested, entry.get("rates", {}))
        if checkpoint.epoch < 0 or len(checkpoint.history) != checkpoint.epoch:
            raise ValueError(
                f"the history has {len(checkpoint.history)} epochs, epoch is {checkpoint.epoch}"
            )
        if not checkpoint.finished:
            unfinished = header["unfinished"]
            checkpoint.batch = int(unfinished["batch"])
            checkpoint.sums = EpochSums(**unfinished["sums"])
            checkpoint.scaler = dict(unfinished["scaler"])
    except KeyError as error:
        raise CheckpointError(f"{path}: the metadata has no {error}") from error
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: the metadata are wrong: {error}") from error
    _fill(path, checkpoint.network, {
        name.removeprefix(NETWORK): value
        for name, value in tensors.items() if name.startswith(NETWORK)
    })
    checkpoint.network.set_progress(checkpoint.epoch / recipe.training.epochs)
    checkpoint.network.eval()
    return checkpoint


def _header(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    try:
        header = json.loads(metadata["spikeplane"])
    except KeyError as error:
        raise CheckpointError(f"{path}: no Spikeplane checkpoint: no metadata {error}") from error
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{path}: the metadata is no JSON: {error}") from error
    found = header.get("format") if isinstance(header, dict) else None
    if found not in (FIRST_FORMAT, FORMAT):
        raise CheckpointError(f"{path}: format is {found!r}, expected {FORMAT!r}")
    return header


def _fill(path: Path, network: SpikingNetwork, tensors: dict[str, Tensor]) -> None:
    expected = network.state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        if name not in tensors:
            raise CheckpointError(f"{path}: tensor {name} is missing")
        if name not in expected:
            raise CheckpointError(f"{path}: tensor {name} belongs to no layer of the recipe")
        if tensors[name].shape != expected[name].shape:
            raise CheckpointError(
                f"{path}: tensor {name} has shape {tuple(tensors[name].shape)}, "
                f"the recipe's is {tuple(expected[name].shape)}"
            )
    network.load_state_dict(tensors)
