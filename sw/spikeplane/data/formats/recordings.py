"""Recordings in files of any known format."""

from collections.abc import Callable
from pathlib import Path

from .aedat import read_aedat
from .aedat4 import read_aedat4
from .arrays import read_mat, read_numpy
from .dat import read_dat
from .events import Recording, RecordingError, from_zero
from .faery_files import read_faery
from .files import FOREIGN
from .nmnist_bin import SIZE, read_nmnist_bin
from .raw import read_raw

__all__ = ["READERS", "read_recording"]

Reader = Callable[[Path, int | None, int | None, int | None], Recording]


def _bin(path: Path, label: int | None, width: int | None, height: int | None) -> Recording:
    return read_nmnist_bin(path, label, width or SIZE, height or SIZE)


READERS: dict[str, Reader] = {
    ".bin": _bin, ".dat": read_dat, ".aedat": read_aedat, ".aedat4": read_aedat4, ".es": read_faery,
    ".raw": read_raw, ".mat": read_mat, ".npy": read_numpy, ".npz": read_numpy,
}
"""A reader for each ending of a file's name."""
UNITLESS = {".mat": read_mat, ".npy": read_numpy, ".npz": read_numpy}
"""Those of files whose times are numbers of any unit."""


def read_recording(
    path: Path | str, label: int | None = None, *, width: int | None = None,
    height: int | None = None, unit: str | None = None, keep_times: bool = False,
) -> Recording:
    """Return the recording in a file, whose name's ending tells the format, with times in us since its first event.

    ``width`` and ``height`` are needed where a file names none: .npy, .npz, .mat, some .dat, .raw and .aedat. ``unit``
    is that of the times in .npy, .npz and .mat, one of UNITS, us if None. With ``keep_times`` the zero of times is what
    the reader of the format takes, of .bin and .dat the file's own. A RecordingError names the file and what is
    wrong, missing, cut or damaged; a RecordingWarning a part that is lost.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if path.name.startswith(FOREIGN):
        raise RecordingError(f"{path}: no recording but what macOS keeps beside one; delete it")
    if ending not in READERS:
        raise RecordingError(f"{path}: expected a name that ends in one of {', '.join(READERS)}")
    if unit is not None and ending not in UNITLESS:
        raise RecordingError(f"{path}: times of {ending} files have a unit of their own; give no unit")
    if ending in UNITLESS:
        recording = UNITLESS[ending](path, label, width, height, unit)
    else:
        recording = READERS[ending](path, label, width, height)
    recording = from_zero(recording, 0 if keep_times else None)
    recording.verify()
    return recording
