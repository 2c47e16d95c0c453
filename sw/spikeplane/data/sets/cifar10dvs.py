"""CIFAR10-DVS: images of CIFAR-10 that move before a DVS128."""

from collections.abc import Iterator
from pathlib import Path

from ..formats.aedat import read_aedat
from ..formats.events import Recording, from_zero
from ..formats.files import DataError, find_folder

__all__ = ["CLASSES", "load_cifar10dvs"]

FOLDER = "cifar10dvs"
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)
COUNT = 1000
"""Recordings of a class."""
TRAIN_COUNT = 900
"""The first recordings of a class, which train; the others test. There is no official split."""


def load_cifar10dvs(root: Path | None, part: str) -> Iterator[Recording]:
    """Yield the recordings of ``part``, ``"train"`` or ``"test"``, of the folders of classes in
    ``root`` or ``root/cifar10dvs``, which hold ``cifar10_airplane_0.aedat`` and so on."""
    numbers = range(TRAIN_COUNT) if part == "train" else range(TRAIN_COUNT, COUNT)
    for label, name in enumerate(CLASSES):
        folder = find_folder(root, FOLDER, name)
        if folder is None:
            raise DataError(f"{name} is missing: expected a folder {Path(root or '') / FOLDER / name}")
        for number in numbers:
            path = folder / f"cifar10_{name}_{number}.aedat"
            if not path.is_file():
                raise DataError(f"{path} is missing: expected {COUNT} recordings of a class")
            # The format promises no order, and bins need none but the last event's time.
            yield from_zero(read_aedat(path, label))
