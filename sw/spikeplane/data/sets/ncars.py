"""N-CARS: cars and background before an event camera, 100 ms each."""

from collections.abc import Iterator
from pathlib import Path

from ..formats.dat import read_dat
from ..formats.events import Recording
from ..formats.files import DataError, find_folder, locate
from .packed import read_packed_events

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
PACKED = {"train": "ncars_train_sub3000.npz", "test": "ncars_test_sub1000.npz"}


def load_ncars(root: Path | None, part: str) -> Iterator[Recording]:
    """Yield the recordings of ``part``, ``"train"`` or ``"test"``.

    The official folders ``n-cars_train/cars`` and so on are used if ``root`` or ``root/ncars``
    has them, otherwise the packed balanced part there.
    """
    folder = find_folder(root, "ncars", FOLDERS[part])
    if folder is None:
        packed = locate(root, "ncars", PACKED[part], f"ncars/{FOLDERS[part]}/{CLASSES[0]}")
        yield from read_packed_events(packed, WIDTH, HEIGHT)
        return
    for label, name in enumerate(CLASSES):
        paths = sorted((folder / name).glob("*.dat"))
        if len(paths) != COUNTS[part][name]:
            raise DataError(
                f"{folder / name}: expected {COUNTS[part][name]} recordings *.dat, found {len(paths)}"
            )
        for path in paths:
            yield read_dat(path, label, WIDTH, HEIGHT)
