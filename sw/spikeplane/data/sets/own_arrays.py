"""Arrays of one's own: files of images or spikes with their labels, or arrays of a program."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..formats.array_files import read_arrays
from ..formats.files import DataError
from .class_files import check_parts, files_of, own_path, test_samples
from .dataset import DataRecipe, Dataset, FilesRecipe, image_format, quantize_image, spike_format
from .samples import StoredSamples, held, parts_of, select

__all__ = ["array_loader", "load_arrays"]

IMAGES, SPIKES, LABELS, CLASSES = ("images", "x"), ("spikes",), ("labels", "y"), "classes"
"""What files call arrays; all but the last may end in _train and _test, where one file has both parts."""
FILE = "a file of arrays"
"""What is expected where a recipe names one."""


def load_arrays(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    """Return ``part`` of arrays in files, see docs/data.md; files are not read whole where they can be mapped.

    A DataError names the file, the array and what is wrong with it: type, shape, a value, a label.
    """
    files = files_of(recipe)
    files.refuse("arrays", "table", "width", "height", "unit", "colours")
    path = own_path(root, files.train, FILE)
    train = _Arrays.read(path, "train", files)
    if files.test is not None:
        test = _Arrays.read(own_path(root, files.test, FILE), "test", files)
    elif train.both:
        test = _Arrays.read(path, "test", files)
    else:
        test = None
    names = tuple(files.classes or train.names)
    return _dataset(recipe, part, train, test, names)


def array_loader(
    train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], class_names: Sequence[str] = ()
) -> Callable[[DataRecipe, Path | None, str], Dataset]:
    """Return a loader of arrays in memory, (images or spikes, labels) of each part, as files hold them."""
    def load(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
        first, second = (
            _Arrays.of(f"data set {recipe.name!r} {name}", {"labels": np.asarray(labels)}, np.asarray(values))
            for name, (values, labels) in (("train", train), ("test", test))
        )
        return _dataset(recipe, part, first, second, tuple(class_names))
    return load


class _Arrays:
    """Samples and labels of one part."""

    def __init__(self, name: str, values: np.ndarray, labels: np.ndarray, names: tuple[str, ...], last: bool):
        self.name, self.values, self.labels, self.names, self.last = name, values, labels, names, last
        self.both = False

    @classmethod
    def read(cls, path: Path, part: str, files: FilesRecipe) -> "_Arrays":
        arrays = read_arrays(path)
        if set(arrays) == {""}:
            labels = path.with_name(f"{path.stem}_labels.npy")
            arrays = {"labels": read_arrays(labels)[""], "": arrays[""]}
        own = {name.removesuffix(f"_{part}"): values for name, values in arrays.items() if name.endswith(f"_{part}")}
        inputs = [name for name in (*IMAGES, *SPIKES, "") if name in (own or arrays)]
        if len(inputs) != 1:
            raise DataError(f"{path}: expected one array called {', '.join((*IMAGES, *SPIKES))}, or x_{part}, found "
                            f"{', '.join(arrays) or 'none'}")
        chosen = own or arrays
        made = cls.of(str(path), chosen | {CLASSES: arrays[CLASSES]} if CLASSES in arrays else chosen,
                      chosen[inputs[0]], inputs[0], files.layout == "channels_last")
        made.both = any(f"{name}_test" in arrays for name in (*IMAGES, *SPIKES))
        return made

    @classmethod
    def of(
        cls, name: str, arrays: dict[str, np.ndarray], values: np.ndarray, called: str = "", last: bool = False
    ) -> "_Arrays":
        """Return the samples ``values``, which ``name`` calls ``called``, with their labels."""
        key = next((each for each in LABELS if each in arrays), None)
        if key is None:
            raise DataError(f"{name}: expected an array called {' or '.join(LABELS)}, found {', '.join(arrays)}")
        labels = arrays[key]
        labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise DataError(f"{name}: {key} must be integers of one dimension, not {labels.ndim} of {labels.dtype}")
        dimensions = {"images": (3, 4), "spikes": (5,)}.get(called, (3, 4, 5))
        if values.ndim not in dimensions:
            raise DataError(f"{name}: an array of shape {values.shape}; images are (count, height, width) or (count, "
                            f"channels, height, width), spikes (count, steps, channels, height, width)")
        if len(labels) != len(values) or not len(labels):
            raise DataError(f"{name}: {len(values)} samples and {len(labels)} labels; there must be as many, and some")
        negative = np.flatnonzero(labels < 0)
        if len(negative):
            raise DataError(f"{name}: sample {negative[0]} has label {labels[negative[0]]}, below 0")
        names = arrays.get(CLASSES, np.empty(0, "U"))
        if names.ndim != 1 or names.dtype.kind != "U":
            raise DataError(f"{name}: {CLASSES} must be texts of one dimension, not {names.ndim} of {names.dtype}")
        return cls(name, values, labels.astype(np.int64), tuple(names.tolist()), last)

    @property
    def spiking(self) -> bool:
        return self.values.ndim == 5


class _Mapped(StoredSamples):
    """Images or spikes of an array, which may lie in a file, as a network takes them."""

    def __init__(self, arrays: _Arrays, bits: int):
        self._arrays, self._bits = arrays, bits

    @property
    def shape(self) -> tuple[int, ...]:
        shape = self._arrays.values.shape
        if len(shape) == 3:
            return shape[0], 1, *shape[1:]
        return (shape[0], shape[3], *shape[1:3]) if len(shape) == 4 and self._arrays.last else shape

    def read(self, indices: np.ndarray) -> np.ndarray:
        values = np.array(self._arrays.values[indices])
        if self._arrays.spiking:
            return values.astype(np.uint8)
        if values.dtype.kind == "f":
            values = np.floor(values.astype(np.float64) * 255 + 0.5)
        elif values.dtype.kind == "b":
            values = values * 255
        if values.ndim == 4 and self._arrays.last:
            values = np.moveaxis(values, 3, 1)
        return quantize_image(values.astype(np.uint8), self._bits).reshape(len(indices), *self.shape[1:])


def _dataset(
    recipe: DataRecipe, part: str, train: _Arrays, test: _Arrays | None, names: tuple[str, ...]
) -> Dataset:
    recipe.refuse("your own arrays, which are taken whole", "crop")
    if train.spiking:
        recipe.refuse("spikes", "bits", "frames", "duration", "downsample", "side", "threshold")
    else:
        recipe.refuse("images", "frames", "duration", "downsample", "side", "threshold")
    classes = len(names) or int(train.labels.max()) + 1
    for each in (train, test or train):
        _check(each, recipe, train, classes)
    check_parts(train.name, names or [str(label) for label in np.unique(train.labels)], {"train": len(train.labels)})
    if test is None:
        files = files_of(recipe)
        rest, chosen = test_samples(train.name, train.labels, files.test_share, files.seed)
        check_parts(train.name, [str(label) for label in range(classes)], {"train": len(rest), "test": len(chosen)})
        samples, labels = _Mapped(train, recipe.bits), train.labels
        indices = rest if part == "train" else chosen
        inputs, labels = select(samples, indices), labels[indices]
    else:
        own = train if part == "train" else test
        inputs, labels = _Mapped(own, recipe.bits), own.labels
    shape = inputs.shape[1:]
    return Dataset(
        name=f"{recipe.name} {part}", input=spike_format(shape) if train.spiking else image_format(recipe, shape),
        inputs=held(inputs), labels=labels, classes=classes, class_names=names,
    )


def _check(arrays: _Arrays, recipe: DataRecipe, train: _Arrays, classes: int) -> None:
    """Raise a DataError naming the first thing that is wrong with values, shape or labels."""
    name, values = arrays.name, arrays.values
    if values.shape[1:] != train.values.shape[1:]:
        raise DataError(f"{name}: samples of {values.shape[1:]}, those of {train.name} are {train.values.shape[1:]}")
    outside = np.flatnonzero(arrays.labels >= classes)
    if len(outside):
        raise DataError(f"{name}: sample {outside[0]} has label {arrays.labels[outside[0]]}, limit {classes - 1}")
    if values.dtype.kind not in "biuf":
        raise DataError(f"{name}: samples must be numbers, not {values.dtype}")
    if arrays.spiking:
        if values.shape[1] != recipe.steps:
            raise DataError(f"{name}: spikes of {values.shape[1]} time steps, data.steps is {recipe.steps}")
        low, high, what = 0, 1, "spikes are 0 and 1"
    else:
        if values.ndim == 4 and not arrays.last and values.shape[1] > 4 and values.shape[3] in (1, 3):
            raise DataError(f"{name}: images of shape {values.shape[1:]} seem to have their colours last: set "
                            f'data.files.layout to "channels_last", or reorder them')
        real = values.dtype.kind == "f"
        low, high, what = 0, 1 if real or values.dtype.kind == "b" else 255, (
            "images of floating-point numbers are in 0..1" if real else "images of integers are in 0..255"
        )
    first = 0
    for part in parts_of(values):
        wrong = ~((part >= low) & (part <= high))  # True for NaN as well.
        if arrays.spiking and part.dtype.kind == "f":
            wrong |= part != np.floor(part)
        if wrong.any():
            place = np.argwhere(wrong)[0]
            raise DataError(f"{name}: sample {first + place[0]} has the value {part[tuple(place)]}; {what}")
        first += len(part)
