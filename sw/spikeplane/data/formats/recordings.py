"""Recordings in files of any known format."""

from collections.abc import Callable
from pathlib import Path

from .aedat import DVS128, read_aedat
from .aedat4 import read_aedat4
from .arrays import read_mat, read_numpy
from .dat import read_dat
from .events import Recording, RecordingError, from_zero
from .faery_files import read_faery
from .nmnist_bin import SIZE, read_nmnist_bin

__all__ = ["READERS", "read_recording"]

Reader = Callable[[Path, int | None, int | None, int | None], Recording]


def _bin(path: Path, label: int | None, width: int | None, height: int | None) -> Recording:
    return read_nmnist_bin(path, label, width or SIZE, height or SIZE)


def _aedat(path: Path, label: int | None, width: int | None, height: int | None) -> Recording:
    recording = from_zero(read_aedat(path, label, width or DVS128, height or DVS128))
    recording.verify()
    return recording


READERS: dict[str, Reader] = {
    ".bin": _bin, ".dat": read_dat, ".aedat": _aedat, ".aedat4": read_aedat4, ".es": read_faery,
    ".raw": read_faery, ".mat": read_mat, ".npy": read_numpy, ".npz": read_numpy,
}
"""A reader for each ending of a file's name."""


def read_recording(
    path: Path | str, label: int | None = None, *, width: int | None = None,
    height: int | None = None,
) -> Recording:
    """Return the recording in a file, whose name's ending tells the format.

    ``width`` and ``height`` are needed where a file names none: .npy, .npz, .mat and some .dat.
    """
    path = Path(path)
    if path.suffix not in READERS:
        raise RecordingError(f"{path}: expected a name that ends in one of {', '.join(READERS)}")
    return READERS[path.suffix](path, label, width, height)
