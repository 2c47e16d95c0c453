"""Data sets as arrays that a network takes, by name."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from ...network.input import InputFormat
from ...registry import Registry
from ..formats.events import Recording
from ..formats.files import DataError
from . import cifar10dvs, dvsgesture, ncars, nmnist
from .bins import BINS, Bins
from .cifar import CIFAR10, CIFAR100, Cifar, load_cifar
from .digits import PATH, digit_recordings
from .mnist import load_mnist
from .split import split_training

__all__ = [
    "DATASETS", "IMAGES", "DataRecipe", "Dataset", "find_loader", "from_images", "from_recordings", "load_dataset",
    "load_parts",     "quantize_image",
]


@dataclass(frozen=True, kw_only=True)
class DataRecipe:
    """Which data set, and how its samples become inputs."""

    name: str
    steps: int
    """Time steps: bins of a recording, or how often an image is replayed."""
    bits: int = 1
    """Bits of an image's pixels."""
    frames: str = "time"
    """What the bins of a recording hold equally much of: "time" or "count", of events."""
    duration: int | None = None
    """Microseconds that bins of time cover; None: what the data set has."""
    downsample: int = 1
    """Rows and columns of a recording's pixels that make one pixel of the input."""
    side: int | None = None
    """Pixels of the input along a recording's longer side, in place of ``downsample``."""
    threshold: int = 1
    """Events of a polarity in such a pixel and a bin that make a spike: 1 is OR, more is a sum."""

    validation: int = 0
    """Training samples that are held out of the training, for choices; of each class in its share."""
    validation_seed: int = 0
    """Of what chooses them."""

    def __post_init__(self):
        if self.validation < 0:
            raise ValueError(f"data.validation must be 0 samples or more, not {self.validation}")
        if not 0 <= self.validation_seed < 1 << 32:
            raise ValueError(f"data.validation_seed must be in 0..{(1 << 32) - 1}, not {self.validation_seed}")
        if self.frames not in BINS:
            raise ValueError(f"data.frames must be one of {', '.join(BINS)}, not {self.frames!r}")
        if self.duration is not None and self.frames != "time":
            raise ValueError(f"data.duration needs data.frames time, not {self.frames}")
        try:
            self.bins(None)
        except ValueError as error:
            raise ValueError(f"data.{error}") from error

    def bins(self, duration: int | None) -> Bins:
        """Return the bins of a recording; ``duration`` is the data set's, None if they differ."""
        options = {name: getattr(self, name) for name in ("steps", "downsample", "side", "threshold")}
        if self.frames == "time":
            options["duration"] = duration if self.duration is None else self.duration
        return BINS[self.frames](**options)

    def refuse(self, kind: str, *names: str) -> None:
        """Raise a ValueError if one of these is set: a data set of this ``kind`` has no use for it."""
        defaults = {item.name: item.default for item in fields(self)}
        for name in names:
            if getattr(self, name) != defaults[name]:
                raise ValueError(
                    f"data.{name} is {getattr(self, name)!r}, but {self.name} is a data set of {kind}"
                )


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """One part of a data set, ready for a network."""

    name: str
    input: InputFormat
    inputs: np.ndarray
    """uint8: spikes (count, steps, channels, height, width), or images of ``input.bits`` bits
    (count, channels, height, width) if ``input.direct``."""
    labels: np.ndarray
    """int64 (count,)."""
    classes: int = 10

    def part(self, name: str, samples: np.ndarray) -> "Dataset":
        """Return some samples, by their indices, as a data set called ``name``."""
        return replace(self, name=name, inputs=self.inputs[samples], labels=self.labels[samples])

    @property
    def checksum(self) -> str:
        """SHA-256 of inputs and labels."""
        digest = hashlib.sha256(repr((self.inputs.shape, self.inputs.dtype)).encode())
        digest.update(self.inputs.tobytes())
        digest.update(self.labels.tobytes())
        return digest.hexdigest()


def quantize_image(images: np.ndarray, bits: int) -> np.ndarray:
    """Return uint8 images in ``bits`` bits: the nearest level, halves up, in integers only."""
    if not 1 <= bits <= 8:
        raise ValueError(f"bits must be in 1..8, not {bits!r}")
    highest = (1 << bits) - 1
    levels = (2 * np.arange(256) * highest + 255) // 510
    return levels.astype(np.uint8)[images]


def from_recordings(
    recipe: DataRecipe, part: str, recordings: Iterable[Recording], duration: int | None,
    classes: int,
) -> Dataset:
    """Return the data set of labelled recordings, binned as ``recipe`` says.

    ``duration`` is what bins of time cover, in us, unless the recipe says it; None: each recording's own. A
    ValueError names a setting of the recipe that only images have, a DataError a part without recordings.
    """
    recipe.refuse("recordings", "bits")
    bins = recipe.bins(duration)
    inputs, labels = [], []
    for recording in recordings:  # One by one: their events may exceed the memory.
        inputs.append(bins.spikes(recording))
        labels.append(recording.label)
    if not inputs:
        raise DataError(f"{recipe.name} {part}: the data set has no recordings")
    _, channels, height, width = inputs[0].shape
    return Dataset(
        name=f"{recipe.name} {part}",
        input=InputFormat(channels=channels, height=height, width=width, steps=recipe.steps),
        inputs=np.stack(inputs), labels=np.array(labels, np.int64), classes=classes,
    )


def from_images(
    recipe: DataRecipe, part: str, load: Callable[[], tuple[np.ndarray, np.ndarray]], classes: int
) -> Dataset:
    """Return the data set of the images, uint8 (count, channels, height, width), and labels of ``load()``.

    A ValueError names a setting of the recipe that only recordings have, before anything is loaded.
    """
    recipe.refuse("images", "frames", "duration", "downsample", "side", "threshold")
    images, labels = load()
    _, channels, height, width = images.shape
    return Dataset(
        name=f"{recipe.name} {part}",
        input=InputFormat(
            channels=channels, height=height, width=width, steps=recipe.steps, bits=recipe.bits,
            direct=True,
        ),
        inputs=quantize_image(images, recipe.bits), labels=labels, classes=classes,
    )


def _digits(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    return from_recordings(recipe, part, digit_recordings(part), PATH.total, 10)


def _mnist(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    def load() -> tuple[np.ndarray, np.ndarray]:
        images, labels = load_mnist(root, part)
        return images[:, None], labels
    return from_images(recipe, part, load, 10)


def _cifar(form: Cifar) -> "Loader":
    def load(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
        return from_images(recipe, part, lambda: load_cifar(root, form, part), form.classes)
    return load


def _nmnist(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    recordings = nmnist.load_nmnist(root, part)
    return from_recordings(recipe, part, recordings, nmnist.DURATION, nmnist.CLASSES)


def _ncars(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    recordings = ncars.load_ncars(root, part)
    return from_recordings(recipe, part, recordings, ncars.DURATION, len(ncars.CLASSES))


def _cifar10dvs(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    recordings = cifar10dvs.load_cifar10dvs(root, part)
    return from_recordings(recipe, part, recordings, None, len(cifar10dvs.CLASSES))


def _dvsgesture(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    recordings = dvsgesture.load_dvsgesture(root, part)
    return from_recordings(recipe, part, recordings, None, dvsgesture.CLASSES)


Loader = Callable[[DataRecipe, Path | None, str], Dataset]
IMAGES: dict[str, Loader] = {
    "cifar10": _cifar(CIFAR10), "cifar100": _cifar(CIFAR100), "mnist": _mnist,
}
RECORDINGS: dict[str, Loader] = {
    "cifar10dvs": _cifar10dvs, "digits": _digits, "dvsgesture": _dvsgesture, "ncars": _ncars,
    "nmnist": _nmnist,
}
SHIPPED = ("digits",)
"""Data sets that come with a library, and need no root folder."""
DATASETS: Registry[Loader] = Registry("dataset", IMAGES | RECORDINGS)
"""What loads a data set, by its name in recipes: called with the recipe's data, the root folder and the part."""


def find_loader(name: str) -> Loader:
    """Return what loads the data set of this name; a ValueError lists the names."""
    return DATASETS.find(name, "data.name")


PARTS = ("train", "validation", "test")


def load_dataset(recipe: DataRecipe, part: str, root: Path | None = None) -> Dataset:
    """Return ``part``, one of PARTS, of the data set that ``recipe`` names.

    "train" is without the validation part, ``recipe.validation`` samples; without such a part,
    "validation" is an error. ``root`` is the root folder of the data sets; digits need none.
    """
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(PARTS)}, not {part!r}")
    if part == "test":
        return _load(recipe, part, root)
    train, validation = load_parts(recipe, root)
    if part == "train":
        return train
    if validation is None:
        raise ValueError(
            f"{recipe.name} validation: the recipe holds no training samples out; set data.validation "
            f"to how many"
        )
    return validation


def load_parts(recipe: DataRecipe, root: Path | None = None) -> tuple[Dataset, Dataset | None]:
    """Return the training data without the validation part, and that part, None if there is none."""
    whole = _load(recipe, "train", root)
    if not recipe.validation:
        return whole, None
    rest, held = split_training(whole.labels, recipe.validation, recipe.validation_seed)
    return whole.part(whole.name, rest), whole.part(f"{recipe.name} validation", held)


def _load(recipe: DataRecipe, part: str, root: Path | None) -> Dataset:
    loader = find_loader(recipe.name)
    try:
        dataset = loader(recipe, root, part)
    except DataError as error:
        needed = recipe.name in IMAGES | RECORDINGS and recipe.name not in SHIPPED
        if not needed or (root is not None and Path(root).is_dir()):
            raise
        wrong = "" if root is None else f"{root} is no folder; "
        raise DataError(
            f"data set {recipe.name!r}: {wrong}name the root folder of the data sets by --data or SPIKEPLANE_DATA"
        ) from error
    if not isinstance(dataset, Dataset):
        raise DataError(f"data set {recipe.name!r}: its loader returned {type(dataset).__name__}, must be Dataset")
    outside = np.flatnonzero((dataset.labels < 0) | (dataset.labels >= dataset.classes))
    if len(outside):
        raise DataError(
            f"{dataset.name}: sample {outside[0]} has label {dataset.labels[outside[0]]}, "
            f"limit {dataset.classes - 1}"
        )
    return dataset
