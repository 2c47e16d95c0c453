"""Data sets by name."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...registry import Registry
from ..formats.files import DataError
from . import cifar10dvs, dvsgesture, ncars, nmnist
from .cifar import CIFAR10, CIFAR100, Cifar, load_cifar
from .dataset import DataRecipe, Dataset, FilesRecipe, from_images, from_recordings, quantize_image
from .digits import PATH, digit_recordings
from .mnist import load_mnist
from .own_arrays import array_loader, load_arrays
from .own_folders import load_image_folder, load_recording_folder
from .split import split_training

__all__ = [
    "DATASETS", "DURATIONS", "FILE_TIMES", "IMAGES", "OWN", "DataRecipe", "Dataset", "FilesRecipe", "find_loader",
    "from_images", "from_recordings", "load_dataset", "load_parts", "quantize_image", "register_dataset",
]


def _digits(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    return from_recordings(recipe, part, digit_recordings(part), DURATIONS["digits"], 10)


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
    return from_recordings(recipe, part, recordings, DURATIONS["nmnist"], nmnist.CLASSES)


def _ncars(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    recordings = ncars.load_ncars(root, part)
    return from_recordings(recipe, part, recordings, DURATIONS["ncars"], names=ncars.CLASSES)


def _cifar10dvs(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    recordings = cifar10dvs.load_cifar10dvs(root, part)
    return from_recordings(recipe, part, recordings, None, names=cifar10dvs.CLASSES)


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
OWN: dict[str, Loader] = {
    "arrays": load_arrays, "images": load_image_folder, "recordings": load_recording_folder,
}
"""Files of one's own, which the recipe's ``data.files`` names."""
DURATIONS = {"digits": PATH.total, "nmnist": nmnist.DURATION, "ncars": ncars.DURATION}
"""Microseconds that bins of time cover unless the recipe says it; others differ by recording."""
FILE_TIMES = ("nmnist", "ncars")
"""Data sets whose bins begin at the zero of their files' times, not at the first event."""
SHIPPED = ("digits",)
"""Data sets that come with a library, and need no root folder."""
DATASETS: Registry[Loader] = Registry("dataset", IMAGES | RECORDINGS | OWN)
"""What loads a data set, by its name in recipes: called with the recipe's data, the root folder and the part."""


def register_dataset(
    name: str,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    class_names: Sequence[str] = (),
) -> None:
    """Let recipes of this program say ``data.name = name``: arrays in memory, (images or spikes, labels) of each part.

    Images are (count, height, width) or (count, channels, height, width), integers 0 to 255 or floating-point numbers
    0 to 1; spikes are (count, steps, channels, height, width) of 0 and 1. A ValueError says that there is a data set of
    this name; what is wrong with the arrays is a DataError when they are asked for. For a function that makes a
    :class:`.Dataset` of a recipe use ``DATASETS.register``.
    """
    DATASETS.register(name, array_loader(train, test, class_names))


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
    if recipe.files is not None and recipe.name in IMAGES | RECORDINGS:
        raise ValueError(f"data.files is set, but {recipe.name} is none of {', '.join(OWN)}, whose files are yours")
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
