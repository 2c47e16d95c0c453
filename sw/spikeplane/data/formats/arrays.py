"""Recordings as arrays: .npy and .npz of NumPy, .mat of MATLAB."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .array_files import npy_array, npz_arrays
from .events import Recording, RecordingError, agree_on_size, make_events
from .files import import_extra
from .times import to_microseconds

__all__ = ["read_mat", "read_numpy"]

NAMES = {
    "t": ("t", "ts", "timestamp", "timestamps"), "x": ("x",), "y": ("y",),
    "polarity": ("p", "polarity", "on"),
}
"""What files call the fields of events."""
STRUCT = "TD"
"""The MATLAB structure of events that the tools of ATIS cameras write."""


def read_numpy(
    path: Path, label: int | None = None, width: int | None = None, height: int | None = None, unit: str | None = None
) -> Recording:
    """Return the recording in an .npz file of arrays t, x, y and p, or an .npy file of such fields.

    Times are numbers of ``unit``, one of UNITS, us if None, or NumPy's times with a unit of their own; the recording's
    are since the first one. Polarity is 1 or True for brighter, 0, -1 or False for darker. A RecordingError names the
    file and what is absent, of another type, or out of the frame or time order.
    """
    raw = Path(path).read_bytes()
    try:
        if zipfile.is_zipfile(io.BytesIO(raw)):
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                held = [name.removesuffix(".npy") for name in archive.namelist()]
                values = npz_arrays(archive, len(raw), {name for names in NAMES.values() for name in names})
        else:
            loaded = npy_array(io.BytesIO(raw), len(raw))
            held = list(loaded.dtype.names or ())
            values = {name: loaded[name] for name in held}
    except Exception as error:  # Whatever NumPy and zipfile stumble over in a damaged file.
        raise RecordingError(f"{path}: not a readable NumPy file: {error}") from error
    return _recording(path, values, held, label, (width, height), unit)


def read_mat(
    path: Path, label: int | None = None, width: int | None = None, height: int | None = None, unit: str | None = None
) -> Recording:
    """Return the recording in a .mat file (before version 7.3): arrays t, x, y and p, or in a TD.

    Times are numbers of ``unit``, one of UNITS, us if None; the recording's are since the first one. Where polarities
    are 1 and 2, as N-MNIST's tools write them, x and y count from 1 as well. A RecordingError names the file and what
    is absent, of another type, or out of the frame or time order.
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
    held = [name for name in values if not name.startswith("__")]  # The others are SciPy's.
    return _recording(path, values, held, label, (width, height), unit)


def _recording(
    path: Path, values: Mapping[str, Any], held: list[str], label: int | None, given: tuple[int | None, int | None],
    unit: str | None,
) -> Recording:
    """Return the recording of some ``values`` of a file, which has arrays of the names ``held``."""
    width, height = agree_on_size(path, given, (None, None))
    fields = {}
    for field, names in NAMES.items():
        name = next((name for name in names if name in values), None)
        if name is None:
            raise RecordingError(
                f"{path}: expected an array {' or '.join(names)}, found {', '.join(held) or 'none'}"
            )
        fields[field] = np.atleast_1d(np.asarray(values[name]))
    fields["t"] = to_microseconds(str(path), fields["t"], unit)
    if all(fields[field].ndim == 1 and fields[field].dtype.kind in "biuf" for field in ("x", "y", "polarity")):
        fields |= _from_zero(path, fields, {"x": width, "y": height})
    events = make_events(str(path), **fields)
    recording = Recording(name=str(path), events=events, width=width, height=height, label=label)
    recording.verify()
    return recording


def _from_zero(path: Path, fields: Mapping[str, np.ndarray], limits: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Return x, y and polarity from 0 on; a RecordingError names what counts from 1 where the others do not."""
    polarity = fields["polarity"]
    if not polarity.size:
        return {}
    if polarity.dtype.kind != "b" and (polarity >= 1).all() and (polarity == 2).any():
        for field in limits:
            if fields[field].size and fields[field].min() < 1:
                raise RecordingError(
                    f"{path}: polarity counts from 1, as in MATLAB, but an event has {field} = {fields[field].min()}; "
                    f"take 1 off polarity"
                )
        return {field: fields[field] - 1.0 for field in ("x", "y", "polarity")}
    for field, limit in limits.items():
        if fields[field].size and fields[field].min() >= 1 and fields[field].max() == limit:
            raise RecordingError(
                f"{path}: {field} is in 1..{limit}, so it seems to count from 1, as in MATLAB, but polarity does not; "
                f"take 1 off x and y, or give another size than {limits['x']} x {limits['y']}"
            )
    if polarity.dtype.kind in "if":
        polarity = np.where(polarity == -1, 0, polarity)
        odd = np.flatnonzero((polarity != 0) & (polarity != 1))
        if len(odd):
            raise RecordingError(
                f"{path}: event {odd[0]} has polarity {polarity[odd[0]]}, must be 0 and 1, -1 and 1, or, where x and "
                f"y count from 1 as well, 1 and 2"
            )
    return {"polarity": polarity}
