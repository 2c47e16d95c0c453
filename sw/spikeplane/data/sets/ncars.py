"""N-CARS: cars and background before an event camera, 100 ms each."""

from collections.abc import Iterator
from pathlib import Path

from ..formats.dat import read_dat
from ..formats.events import Recording
from ..formats.files import DataError, foreign_count, locate_folder

__all__ = ["CLASSES", "DURATION", "HEIGHT", "WIDTH", "load_ncars"]

WIDTH, HEIGHT = 120, 100
DURATION = 100_000
"""Microseconds of a recording."""
CLASSES = ("background", "cars")
COUNTS = {
    "train": {"background": 7_482, "cars": 7_940}, "test": {"background": 4_211, "cars": 4_396},
}
"""Official recordings."""
FOLDERS = {"train": "n-cars_train", "test": "n-cars_test"}


def load_ncars(root: Path | None, part: str) -> Iterator[Recording]:
    """Yield the recordings of ``part``, ``"train"`` or ``"test"``.

    They are the official folders ``n-cars_train/cars`` and so on in ``root`` or ``root/ncars``. A DataError says
    where they are missing, or that a folder does not hold all its recordings.
    """
    folder = locate_folder(root, "ncars", FOLDERS[part])
    for label, name in enumerate(CLASSES):
        paths = sorted((folder / name).glob("*.dat"))
        if len(paths) != COUNTS[part][name]:
            raise DataError(
                f"{folder / name}: expected {COUNTS[part][name]} recordings *.dat, found {len(paths)}"
                f"{foreign_count(paths)}"
            )
        for path in paths:
            yield read_dat(path, label, WIDTH, HEIGHT)
