"""N-MNIST: the official recordings, and parts of it packed into one npz file."""

from collections.abc import Iterator
from pathlib import Path

from ..formats.events import Recording
from ..formats.files import DataError, find_folder, locate
from ..formats.nmnist_bin import SIZE, read_nmnist_bin
from .packed import read_packed_events

__all__ = ["CLASSES", "DURATION", "load_nmnist"]

CLASSES = 10
DURATION = 300_000
"""Microseconds of the three saccades that we use of a recording."""
PACKED = {"train": "nmnist_train1K.npz", "test": "nmnist_test100.npz"}
FOLDERS = {"train": "Train", "test": "Test"}
COUNTS = {"train": 60_000, "test": 10_000}
"""Official recordings."""


def load_nmnist(root: Path | None, part: str) -> Iterator[Recording]:
    """Yield the recordings of ``part``, ``"train"`` or ``"test"``.

    The official folders ``Train/0 ... 9`` are used if ``root`` or ``root/nmnist`` has them,
    otherwise the packed small part in ``root`` or ``root/nmnist_small``.
    """
    folder = find_folder(root, "nmnist", FOLDERS[part])
    if folder is None:
        packed = locate(root, "nmnist_small", PACKED[part], f"nmnist/{FOLDERS[part]}/0 to 9")
        yield from read_packed_events(packed, SIZE, SIZE)
        return
    paths = sorted(folder.glob("[0-9]/*.bin"))
    if len(paths) != COUNTS[part]:
        raise DataError(
            f"{folder}: expected {COUNTS[part]} recordings as 0/*.bin to 9/*.bin, found {len(paths)}"
        )
    for path in paths:
        yield read_nmnist_bin(path, int(path.parent.name))
