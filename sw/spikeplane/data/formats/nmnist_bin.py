"""Recordings in the .bin files of N-MNIST and N-Caltech101."""

from pathlib import Path

import numpy as np

from .events import Recording, RecordingError, make_events

__all__ = ["SIZE", "read_nmnist_bin"]

SIZE = 34
"""Rows and columns of N-MNIST's recordings."""
EVENT_BYTES = 5
OVERFLOW = 240
"""y of a mark that an ATIS's clock went on by 2^13 us, in files that its tools have not cleaned."""


def read_nmnist_bin(
    path: Path, label: int | None = None, width: int = SIZE, height: int = SIZE
) -> Recording:
    """Return the recording in an official .bin file.

    An event is 5 bytes: x, y, then big-endian a bit of polarity and 23 bits of time in us. A RecordingError names
    the file and what is cut, out of the frame or out of time order.
    """
    raw = Path(path).read_bytes()
    if not raw or len(raw) % EVENT_BYTES:
        raise RecordingError(
            f"{path}: cut: expected a positive multiple of {EVENT_BYTES} bytes, found {len(raw)}"
        )
    fields = np.frombuffer(raw, np.uint8).reshape(-1, EVENT_BYTES).astype(np.int64)
    marks = np.flatnonzero(fields[:, 1] == OVERFLOW)
    if len(marks) and height <= OVERFLOW:
        raise RecordingError(
            f"{path}: event {marks[0]} has y = {OVERFLOW}, a mark of the camera's clock and no pixel of {height} rows; "
            f"clean the file's {len(marks)} marks with the tools of its data set"
        )
    time = (fields[:, 2] & 0x7F) << 16 | fields[:, 3] << 8 | fields[:, 4]
    events = make_events(str(path), time, fields[:, 0], fields[:, 1], fields[:, 2] >> 7)
    recording = Recording(name=str(path), events=events, width=width, height=height, label=label)
    recording.verify()
    return recording
