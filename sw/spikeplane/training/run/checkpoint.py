"""Checkpoints: weights, optimizer and everything that led to them, in one safetensors file.

The header's metadata holds one JSON text: format, recipe, versions, seed, checksums of the data,
epochs done and their history; in the middle of a training also the batches done of the epoch at
hand and what was summed over them. The hash in it covers the header and all tensors. Nothing in a file is executed.
"""

import hashlib
import importlib.metadata
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ... import __version__
from ...network.input import InputFormat
from ...network.safetensors_file import KEY, FileError, header_text, parse_header, read_file
from ...writing import write_bytes
from ..net.networks import SpikingNetwork
from ..recipe.recipes import Recipe
from .migration import migrate_recipe

__all__ = [
    "Checkpoint", "CheckpointError", "EpochSums", "load_checkpoint", "save_checkpoint", "versions",
]

FORMAT = "spikeplane-checkpoint-3"
SECOND_FORMAT = "spikeplane-checkpoint-2"
"""Still read: its hash, where it has one, is that of the tensors alone."""
FIRST_FORMAT = "spikeplane-checkpoint-1"
"""Still read: its recipes repeat the settings of neurons in every layer."""
FORMATS = (FORMAT, SECOND_FORMAT, FIRST_FORMAT)
KINDS = {
    "recipe": dict, "input": dict, "classes": int, "class_names": list, "epoch": int, "history": list,
    "checksums": dict, "versions": dict, "run": dict, "teacher": dict, "start": dict, "unfinished": dict,
}
"""Types of the header's values."""
WRONG = (
    ArithmeticError, AssertionError, AttributeError, IndexError, MemoryError, RuntimeError, TypeError, ValueError,
)
"""What a recipe or a network of wrong values may raise, beside a KeyError."""
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
        for name in ("samples", "right"):
            value = getattr(self, name)
            if type(value) is not int or value < 0:
                raise ValueError(f"unfinished.sums.{name} must be an integer, 0 or more, not {value!r}")
        numbers = {"loss": self.loss}
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
    class_names: tuple[str, ...] = ()
    """Of the data; empty: classes are called by their labels."""
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
    def start(
        cls, recipe: Recipe, form: InputFormat, classes: int, class_names: tuple[str, ...] = ()
    ) -> "Checkpoint":
        """Return an untrained network, with weights drawn from the recipe's seed."""
        return cls(recipe=recipe, network=_network(recipe, form, classes), classes=classes, class_names=class_names)

    @property
    def metadata(self) -> dict[str, Any]:
        """What an export carries along: the recipe, and names of classes where there are some."""
        names = {"class_names": list(self.class_names)} if self.class_names else {}
        return {"recipe": self.recipe.to_dict()} | names


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
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{what}.{name} must be a number, not {value!r}")


def _digest(header: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    """Return the SHA-256 of the whole file's content: the header's text, and all of the tensors."""
    digest = _tensor_digest(tensors)
    digest.update(header_text(header).encode())
    return digest.hexdigest()


def _tensor_digest(tensors: dict[str, Tensor]):
    """Return a SHA-256 of all names, shapes, types and values."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(repr((name, tuple(value.shape), str(value.dtype))).encode())
        # As bytes: numpy has not all types.
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest


def _network(recipe: Recipe, form: InputFormat, classes: int) -> SpikingNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return SpikingNetwork(form, recipe.layers, recipe.neuron, classes)


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint, as :func:`.writing.write_bytes` writes: all of it or nothing, whenever one is killed."""
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
    header |= {"class_names": list(checkpoint.class_names)} if checkpoint.class_names else {}
    if not checkpoint.finished:
        header["unfinished"] = {
            "batch": checkpoint.batch,
            "sums": asdict(checkpoint.sums),
            "scaler": checkpoint.scaler,
        }
    tensors = {NETWORK + name: value for name, value in checkpoint.network.state_dict().items()}
    tensors |= {OPTIMIZER + name: value for name, value in checkpoint.optimizer.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    try:
        header["sha256"] = _digest(header, tensors)
        content = save(tensors, {KEY: header_text(header)})
    except FileError as error:
        raise CheckpointError(f"{path}: {error}") from error
    write_bytes(path, content)


def load_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint in a file, its network in evaluation mode."""
    path = Path(path)
    try:
        content, text = read_file(path)
        header = parse_header(text)
        _check_format(header)
        tensors = load(content)
        _check_digest(header, tensors)
    except FileError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file: {error}") from error
    try:
        checkpoint = _checkpoint(path, header, tensors)
    except CheckpointError:
        raise
    except KeyError as error:
        raise CheckpointError(f"{path}: the metadata has no {error}") from error
    except WRONG as error:
        reason = (str(error) or repr(error)).splitlines()[0]  # PyTorch's may go on with a trace of its own.
        raise CheckpointError(f"{path}: the metadata are wrong: {reason}") from error
    checkpoint.network.set_progress(checkpoint.epoch / checkpoint.recipe.training.epochs)
    checkpoint.network.eval()
    return checkpoint


def _checkpoint(path: Path, header: dict[str, Any], tensors: dict[str, Tensor]) -> Checkpoint:
    """Return the checkpoint that a header and tensors say; one of WRONG says what of them is none."""
    for key, kind in KINDS.items():
        if key in header and type(header[key]) is not kind:
            raise ValueError(f"{key} must be {kind.__name__}, not {header[key]!r}")
    recipe = Recipe.from_dict(
        migrate_recipe(header["recipe"]) if header["format"] == FIRST_FORMAT else header["recipe"], f"{path}: recipe"
    )
    form, classes = InputFormat(**header["input"]), header["classes"]
    form.verify()
    if classes < 1:
        raise ValueError(f"classes must be 1 or more, not {classes}")
    weights = {
        name.removeprefix(NETWORK): value for name, value in tensors.items() if name.startswith(NETWORK)
    }
    with torch.device("meta"):  # A few bytes of recipe may ask for terabytes: tensors without memory tell.
        _check_tensors(path, _network(recipe, form, classes), weights)
    checkpoint = Checkpoint(
        recipe=recipe, network=_network(recipe, form, classes), classes=classes, epoch=header["epoch"],
        history=header["history"], checksums=header["checksums"], versions=header["versions"],
        run=header.get("run", {}), teacher=header.get("teacher", {}), begun=header.get("start", {}),
        class_names=_class_names(header.get("class_names", []), classes),
        optimizer={
            name.removeprefix(OPTIMIZER): value for name, value in tensors.items() if name.startswith(OPTIMIZER)
        },
    )
    for name in ("checksums", "versions", "run", "teacher"):
        for key, value in getattr(checkpoint, name).items():
            if not isinstance(value, str):
                raise ValueError(f"{name}.{key} must be a text, not {value!r}")
    for number, entry in enumerate(checkpoint.history, 1):
        means = {name: entry[name] for name in ("loss", "accuracy")}
        names = ("validation_accuracy", "test_accuracy")
        tested = {name: entry[name] for name in names if name in entry}
        _check_numbers(f"history: epoch {number}", means | tested, entry.get("rates", {}))
    if checkpoint.epoch < 0 or len(checkpoint.history) != checkpoint.epoch:
        raise ValueError(f"the history has {len(checkpoint.history)} epochs, epoch is {checkpoint.epoch}")
    if not checkpoint.finished:
        unfinished = header["unfinished"]
        checkpoint.batch = unfinished["batch"]
        if type(checkpoint.batch) is not int or checkpoint.batch < 0:
            raise ValueError(f"unfinished.batch must be 0 or more, not {checkpoint.batch!r}")
        checkpoint.sums = EpochSums(**unfinished["sums"])
        checkpoint.scaler = dict(unfinished["scaler"])
    checkpoint.network.load_state_dict(weights)
    return checkpoint


def _class_names(names: list, classes: int) -> tuple[str, ...]:
    if not all(isinstance(name, str) for name in names) or len(names) not in (0, classes):
        raise ValueError(f"class_names must be {classes} texts or none, not {names!r}")
    return tuple(names)


def _check_format(header: dict[str, Any]) -> None:
    """Raise a FileError if a header is not that of a checkpoint which this program reads."""
    if "kind" in header:
        raise FileError(f"a Spikeplane file of kind {header['kind']!r}, not a checkpoint")
    if "format" not in header:
        raise FileError("a Spikeplane file, but no checkpoint: its header has no format")
    if header["format"] not in FORMATS:
        raise FileError(f"checkpoint format {header['format']!r}; this program reads {', '.join(FORMATS)}")


def _check_digest(header: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Raise a FileError if a file was altered, as far as one of its format tells."""
    found = header.pop("sha256", None)
    if header["format"] == FORMAT:
        if found != _digest(header, tensors):
            raise FileError("damaged or altered: the content does not match its hash")
    elif found is not None and found != _tensor_digest(tensors).hexdigest():
        raise FileError("damaged: its tensors do not have the SHA-256 in its header")


def _check_tensors(path: Path, network: SpikingNetwork, tensors: dict[str, Tensor]) -> None:
    """Raise a CheckpointError naming the first tensor that is not as those of ``network``."""
    expected = network.state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        if name not in tensors:
            raise CheckpointError(f"{path}: tensor {name} is missing")
        if name not in expected:
            raise CheckpointError(f"{path}: tensor {name} belongs to no layer of the recipe")
        for what in ("shape", "dtype"):
            found, wanted = getattr(tensors[name], what), getattr(expected[name], what)
            if found != wanted:
                text = [tuple(each) if what == "shape" else each for each in (found, wanted)]
                raise CheckpointError(f"{path}: tensor {name} has {what} {text[0]}, the recipe's is {text[1]}")
