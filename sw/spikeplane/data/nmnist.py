"""N-MNIST: the official 5-byte recordings, and parts of it packed into one npz file."""

import zipfile
from pathlib import Path

import numpy as np

from .events import EVENT, Recording, RecordingError
from .files import DataError, locate

__all__ = ["DURATION", "SIZE", "load_nmnist", "read_nmnist_bin", "read_packed_events"]

SIZE = 34
DURATION = 300_000
"""Microseconds of the three saccades that we use of a recording."""
EVENT_BYTES = 5
PACKED = {"train": "nmnist_train1K.npz", "test": "nmnist_test100.npz"}
FIELDS = ("offsets", "dt_lo", "dt_hi", "x", "y", "p", "label")
FOLDERS = {"train": "Train", "test": "Test"}


def read_nmnist_bin(path: Path, label: int | None = None) -> Recording:
    """Return the recording in an official .bin file.

    An event is 5 bytes: x, y, then big-endian a bit of polarity and 23 bits of time in us.
    """
    raw = Path(path).read_bytes()
    if not raw or len(raw) % EVENT_BYTES:
        raise RecordingError(
            f"{path}: expected a positive multiple of {EVENT_BYTES} bytes, found {len(raw)}"
        )
    fields = np.frombuffer(raw, np.uint8).reshape(-1, EVENT_BYTES).astype(np.int64)
    events = np.empty(len(fields), EVENT)
    events["x"], events["y"] = fields[:, 0], fields[:, 1]
    events["polarity"] = fields[:, 2] >> 7
    events["t"] = (fields[:, 2] & 0x7F) << 16 | fields[:, 3] << 8 | fields[:, 4]
    recording = Recording(name=str(path), events=events, width=SIZE, height=SIZE, label=label)
    recording.verify()
    return recording


def read_packed_events(path: Path) -> list[Recording]:
    """Return the recordings of an npz file.

    Events of all recordings follow each other: ``offsets`` bounds the recordings, ``dt_lo`` and
    ``dt_hi`` are the bytes of the time since the last event in us, ``p`` is packed polarity.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in FIELDS if name in archive}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{path}: not a readable npz file: {error}") from error
    missing = [name for name in FIELDS if name not in arrays]
    if missing:
        raise DataError(f"{path}: expected arrays {', '.join(FIELDS)}; {missing} missing")
    offsets, low, high, x, y, packed, labels = (arrays[name] for name in FIELDS)
    bounds = offsets.astype(np.int64)
    count = int(bounds[-1])
    for name, array, expected in (
        ("dt_lo", low, count), ("dt_hi", high, count), ("x", x, count), ("y", y, count),
        ("p", packed, -(-count // 8)), ("label", labels, len(bounds) - 1),
    ):
        if len(array) != expected:
            raise DataError(f"{path}: {name} has {len(array)} entries, expected {expected}")
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
            name=f"{path} recording {index}", events=events[part], width=SIZE, height=SIZE,
            label=int(label),
        ))
        recordings[-1].verify()
    return recordings


def load_nmnist(root: Path | None, part: str) -> list[Recording]:
    """Return the recordings of ``part``, ``"train"`` or ``"test"``.

    The official folders ``Train/0 ... 9`` are used if ``root`` or ``root/nmnist`` has them,
    otherwise the packed small part in ``root`` or ``root/nmnist_small``.
    """
    for base in [] if root is None else [Path(root) / "nmnist", Path(root)]:
        folder = base / FOLDERS[part]
        if folder.is_dir():
            paths = sorted(folder.glob("[0-9]/*.bin"))
            if not paths:
                raise DataError(f"{folder}: expected recordings as 0/*.bin to 9/*.bin, found none")
            return [read_nmnist_bin(path, int(path.parent.name)) for path in paths]
    return read_packed_events(locate(root, "nmnist_small", PACKED[part]))
