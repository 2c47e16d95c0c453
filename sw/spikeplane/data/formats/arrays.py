"""Recordings as arrays: .npy and .npz of NumPy, .mat of MATLAB."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .events import Recording, RecordingError, make_events
from .files import import_extra

__all__ = ["read_mat", "read_numpy"]

NAMES = {
    "t": ("t", "ts", "timestamp", "timestamps"), "x": ("x",), "y": ("y",),
    "polarity": ("p", "polarity", "on"),
}
"""What files call the fields of events."""
STRUCT = "TD"
"""The MATLAB structure of events that the tools of ATIS cameras write."""


def read_numpy(
    path: Path, label: int | None = None, width: int | None = None, height: int | None = None
) -> Recording:
    """Return the recording in an .npz file of arrays t, x, y and p, or an .npy file of such fields.

    Times are in us, polarity is 1 or True for brighter, 0, -1 or False for darker.
    """
    raw = Path(path).read_bytes()
    try:
        loaded = np.load(io.BytesIO(raw), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            values: Mapping[str, Any] = {name: loaded[name] for name in loaded.dtype.names or ()}
        else:
            wanted = {name for names in NAMES.values() for name in names}
            values = {name: loaded[name] for name in loaded.files if name in wanted}
    except Exception as error:  # Whatever NumPy and zipfile stumble over in a damaged file.
        raise RecordingError(f"{path}: not a readable NumPy file: {error}") from error
    return _recording(path, values, label, width, height)


def read_mat(
    path: Path, label: int | None = None, width: int | None = None, height: int | None = None
) -> Recording:
    """Return the recording in a .mat file (before version 7.3): arrays t, x, y and p, or in a TD.

    Where polarities are 1 and 2, as N-MNIST's tools write them, x and y count from 1 as well.
    """
    loadmat = import_extra("scipy.io").loadmat
    raw = Path(path).read_bytes()
    try:
        values = loadmat(io.BytesIO(raw), squeeze_me=True, struct_as_record=True)
        struct = values.get(STRUCT)
        if isinstance(struct, np.ndarray) and struct.dtype.names and struct.ndim == 0:
            values = {name: struct[name].item() for name in struct.dtype.names}
    except Exception as error:  # Whatever SciPy stumbles over in a damaged file.
        raise RecordingError(
            f"{path}: not a readable MATLAB file of {len(raw)} bytes: {error}"
        ) from error
    return _recording(path, values, label, width, height)


def _recording(
    path: Path, values: Mapping[str, Any], label: int | None, width: int | None, height: int | None
) -> Recording:
    if not width or not height:
        raise RecordingError(f"{path}: arrays have no width and height; give them")
    fields = {}
    for field, names in NAMES.items():
        name = next((name for name in names if name in values), None)
        if name is None:
            raise RecordingError(
                f"{path}: expected an array {' or '.join(names)}, found {', '.join(values) or 'none'}"
            )
        fields[field] = np.atleast_1d(np.asarray(values[name]))
    polarity = fields["polarity"]
    if polarity.dtype.kind != "b" and (polarity >= 1).all() and (polarity == 2).any():
        fields |= {field: fields[field] - 1.0 for field in ("x", "y", "polarity")}
    elif polarity.dtype.kind in "if":
        fields["polarity"] = np.where(polarity == -1, 0, polarity)
    events = make_events(str(path), **fields)
    recording = Recording(name=str(path), events=events, width=width, height=height, label=label)
    recording.verify()
    return recording
