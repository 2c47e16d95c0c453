"""N-MNIST: the official recordings, and parts of it packed into one npz file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .events import Recording, RecordingError, make_events
from .files import DataError, find_folder, locate
from .packed import read_packed_events

__all__ = ["CLASSES", "DURATION", "SIZE", "load_nmnist", "read_nmnist_bin"]

CLASSES = 10
SIZE = 34
DURATION = 300_000
"""Microseconds of the three saccades that we use of a recording."""
EVENT_BYTES = 5
PACKED = {"train": "nmnist_train1K.npz", "test": "nmnist_test100.npz"}
FOLDERS = {"train": "Train", "test": "Test"}
COUNTS = {"train": 60_000, "test": 10_000}
"""Official recordings."""


def read_nmnist_bin(
    path: Path, label: int | None = None, width: int = SIZE, height: int = SIZE
) -> Recording:
    """Return the recording in an official .bin file.

    An event is 5 bytes: x, y, then big-endian a bit of polarity and 23 bits of time in us.
    """
    raw = Path(path).read_bytes()
    if not raw or len(raw) % EVENT_BYTES:
        raise RecordingError(
            f"{path}: expected a positive multiple of {EVENT_BYTES} bytes, found {len(raw)}"
        )
    fields = np.frombuffer(raw, np.uint8).reshape(-1, EVENT_BYTES).astype(np.int64)
    time = (fields[:, 2] & 0x7F) << 16 | fields[:, 3] << 8 | fields[:, 4]
    events = make_events(str(path), time, fields[:, 0], fields[:, 1], fields[:, 2] >> 7)
    recording = Recording(name=str(path), events=events, width=width, height=height, label=label)
    recording.verify()
    return recording


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
