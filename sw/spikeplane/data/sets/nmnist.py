"""N-MNIST: the official recordings."""

from collections.abc import Iterator
from pathlib import Path

from ..formats.events import Recording
from ..formats.files import DataError, foreign_count, locate_folder
from ..formats.nmnist_bin import read_nmnist_bin

__all__ = ["CLASSES", "DURATION", "load_nmnist"]

CLASSES = 10
DURATION = 300_000
"""Microseconds of the three saccades that we use of a recording."""
FOLDERS = {"train": "Train", "test": "Test"}
COUNTS = {"train": 60_000, "test": 10_000}
"""Official recordings."""


def load_nmnist(root: Path | None, part: str) -> Iterator[Recording]:
    """Yield the recordings of ``part``, ``"train"`` or ``"test"``.

    They are the official folders ``Train/0 ... 9`` and so on in ``root`` or ``root/nmnist``. A DataError says
    where they are missing, or that they do not hold all recordings.
    """
    folder = locate_folder(root, "nmnist", FOLDERS[part])
    paths = sorted(folder.glob("[0-9]/*.bin"))
    if len(paths) != COUNTS[part]:
        raise DataError(
            f"{folder}: expected {COUNTS[part]} recordings as 0/*.bin to 9/*.bin, found {len(paths)}"
            f"{foreign_count(paths)}"
        )
    for path in paths:
        yield read_nmnist_bin(path, int(path.parent.name))
