"""Recordings in formats that Faery decodes: .es, and .raw of Prophesee."""

from pathlib import Path

import numpy as np

from .events import Recording, RecordingError, from_zero, make_events
from .files import import_extra

__all__ = ["read_faery"]


def read_faery(
    path: Path, label: int | None = None, width: int | None = None, height: int | None = None
) -> Recording:
    """Return the recording in a file, with times since its first event.

    The file names width and height; ``width`` and ``height`` must be these if they are given.
    """
    faery = import_extra("faery")
    path = Path(path)
    path.open("rb").close()
    try:
        stream = faery.events_stream_from_file(path)
        size = stream.dimensions()
        arrays = list(stream)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # A panic of its Rust code is no Exception.
        raise RecordingError(f"{path}: not a readable recording: {error}") from error
    for name, given, found in zip(("width", "height"), (width, height), size, strict=True):
        if given and given != found:
            raise RecordingError(f"{path}: the file's {name} is {found}, not {given}")
    if not any(map(len, arrays)):
        raise RecordingError(f"{path}: the recording has no events")
    events: np.ndarray = np.concatenate(arrays)
    recording = from_zero(Recording(
        name=str(path), width=size[0], height=size[1], label=label,
        events=make_events(str(path), *(events[name] for name in ("t", "x", "y", "on"))),
    ))
    recording.verify()
    return recording
