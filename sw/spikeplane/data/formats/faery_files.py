"""Recordings in Event Stream files, .es, that Faery decodes."""

import re
from pathlib import Path

import numpy as np

from .events import Recording, RecordingError, agree_on_size, from_zero, make_events
from .files import import_extra
from .times import require_order

__all__ = ["read_faery"]

HEADER = re.compile(rb"Event Stream\x02..(?:(?P<dvs>\x01)|\x02)(?P<width>..)(?P<height>..)", re.DOTALL)
"""Version 2, of a DVS or an ATIS."""
DVS, ATIS = (
    re.compile(rb"(?:[" + skipped + rb"]|.{5})*+", re.DOTALL) for skipped in (rb"\xfe\xff", rb"\xfc-\xff")
)
"""Whole events: bytes that only let time pass, or 5 bytes."""


def read_faery(
    path: Path, label: int | None = None, width: int | None = None, height: int | None = None
) -> Recording:
    """Return the recording in an .es file, with times since its first event.

    The file names width and height; ``width`` and ``height`` must be these if they are given. A RecordingError
    names the file, and what is cut, damaged or out of the frame.
    """
    faery = import_extra("faery")
    path = Path(path)
    raw = path.read_bytes()
    header = HEADER.match(raw)
    if header is None:
        raise RecordingError(
            f"{path}: expected a file that begins with Event Stream, version 2, of a DVS or ATIS, not {raw[:16]!r}"
        )
    size = tuple(int.from_bytes(header[side], "little") for side in ("width", "height"))
    width, height = agree_on_size(path, (width, height), (size[0], size[1]))
    # Faery reads a cut file in silence.
    whole = (DVS if header["dvs"] else ATIS).match(raw, header.end())
    if whole is None or whole.end() < len(raw):
        left = len(raw) - (whole.end() if whole else header.end())
        raise RecordingError(f"{path}: cut: an event of 5 bytes has {left} at the end of the file")
    try:
        arrays = list(faery.events_stream_from_file(path, file_type="es"))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # A panic of its Rust code is no Exception.
        raise RecordingError(f"{path}: not a readable recording: {error}") from error
    if not any(map(len, arrays)):
        raise RecordingError(f"{path}: the recording has no events")
    events: np.ndarray = np.concatenate(arrays)
    made = make_events(str(path), *(events[name] for name in ("t", "x", "y", "on")))
    require_order(str(path), made["t"])
    recording = from_zero(Recording(name=str(path), width=width, height=height, label=label, events=made))
    recording.verify()
    return recording
