"""Parts of N-CARS and N-MNIST, the recordings of each packed into one npz file: what the benches train and test with.

Spikeplane itself reads the official folders only.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from spikeplane.data.formats.events import EVENT, Recording
from spikeplane.data.formats.files import DataError, locate
from spikeplane.data.formats.nmnist_bin import SIZE
from spikeplane.data.sets import ncars, nmnist
from spikeplane.data.sets.cifar import CIFAR10
from spikeplane.data.sets.datasets import DATASETS, DataRecipe, Dataset, from_recordings
from strips import strips_loader

__all__ = ["load_packed", "packed_loader", "read_packed_events", "use_packed"]

FILES = {
    "ncars": ("ncars", {"train": "ncars_train_sub3000.npz", "test": "ncars_test_sub1000.npz"}),
    "nmnist": ("nmnist_small", {"train": "nmnist_train1K.npz", "test": "nmnist_test100.npz"}),
}
"""Of each data set the folder, and the file of each part."""
SIZES = {"ncars": (ncars.WIDTH, ncars.HEIGHT), "nmnist": (SIZE, SIZE)}
DURATIONS = {"ncars": ncars.DURATION, "nmnist": nmnist.DURATION}
CLASSES = {"ncars": len(ncars.CLASSES), "nmnist": nmnist.CLASSES}
FIELDS = ("offsets", "dt_lo", "dt_hi", "x", "y", "p", "label")


def read_packed_events(path: Path, width: int, height: int) -> list[Recording]:
    """Return the labelled recordings, of ``width`` x ``height`` pixels, of an npz file.

    Events of all recordings follow each other: ``offsets`` bounds the recordings, ``dt_lo`` and
    ``dt_hi`` are the bytes of the time since the last event in us, ``p`` is packed polarity.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in FIELDS if name in archive}
    except FileNotFoundError:
        raise
    except Exception as error:  # Whatever NumPy and zipfile stumble over in a damaged file.
        raise DataError(f"{path}: not a readable npz file: {error}") from error
    missing = [name for name in FIELDS if name not in arrays]
    if missing:
        raise DataError(f"{path}: expected arrays {', '.join(FIELDS)}; {missing} missing")
    offsets, low, high, x, y, packed, labels = (arrays[name] for name in FIELDS)
    for name, array in arrays.items():
        if array.ndim != 1 or array.dtype.kind not in "ui" or not (len(array) or name != "offsets"):
            raise DataError(
                f"{path}: {name} must be a list of integers, not {array.dtype} of {array.shape}"
            )
    bounds = offsets.astype(np.int64)
    count = int(bounds[-1])
    for name, array, expected in (
        ("dt_lo", low, count), ("dt_hi", high, count), ("x", x, count), ("y", y, count),
        ("p", packed, -(-count // 8)), ("label", labels, len(bounds) - 1),
    ):
        if len(array) != expected:
            raise DataError(f"{path}: {name} has {len(array)} entries, expected {expected}")
        if name != "label" and array.dtype != np.uint8:
            raise DataError(f"{path}: {name} must be bytes, not {array.dtype}")
    if bounds[0] or (np.diff(bounds) < 0).any():
        raise DataError(f"{path}: offsets must rise from 0")
    events = np.empty(count, EVENT)
    gap = low.astype(np.int64) | high.astype(np.int64) << 8
    events["x"], events["y"], events["polarity"] = x, y, np.unpackbits(packed, count=count)
    recordings = []
    for index, label in enumerate(labels):
        part = slice(bounds[index], bounds[index + 1])
        events["t"][part] = np.cumsum(gap[part])
        recordings.append(Recording(
            name=f"{path} recording {index}", events=events[part], width=width,
            height=height, label=int(label),
        ))
        recordings[-1].verify()
    return recordings


def load_packed(name: str, root: Path | None, part: str) -> Iterator[Recording]:
    """Yield the recordings of ``part`` of the data set ``name``, from ``root`` or its folder there."""
    folder, files = FILES[name]
    yield from read_packed_events(locate(root, folder, files[part]), *SIZES[name])


def packed_loader(name: str) -> Callable[[DataRecipe, Path | None, str], Dataset]:
    """Return a loader for DATASETS that reads the packed parts of the data set ``name``."""
    def load(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
        return from_recordings(recipe, part, load_packed(name, root, part), DURATIONS[name], CLASSES[name])
    return load


def use_packed() -> None:
    """Let ``ncars``, ``nmnist`` and ``cifar10`` in recipes and checkpoints mean the packed files from now on."""
    for name, load in {**{name: packed_loader(name) for name in FILES}, CIFAR10.folder: strips_loader}.items():
        DATASETS.unregister(name)
        DATASETS.register(name, load)
