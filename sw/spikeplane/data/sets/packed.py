"""Recordings of a whole data set, packed into one npz file."""

from pathlib import Path

import numpy as np

from ..formats.events import EVENT, Recording
from ..formats.files import DataError

__all__ = ["read_packed_events"]

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
