"""Events and recordings."""

import operator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

__all__ = [
    "EVENT", "FRAME_LIMIT", "TIME_LIMIT", "Recording", "RecordingError", "RecordingWarning", "agree_on_size",
    "from_zero", "make_events",
]

EVENT = np.dtype([("t", np.int64), ("x", np.uint16), ("y", np.uint16), ("polarity", np.uint8)])
"""An event of a recording; ``t`` in microseconds, polarity 1 for brighter."""

TIME_LIMIT = (1 << 62) - 1
"""Of a recording's times in us, and of spans: differences and sums of two fit int64."""


class RecordingError(ValueError):
    """A recording cannot be used; the message names it, the value and the limit."""


class RecordingWarning(UserWarning):
    """A recording was used without a part that is lost; the message names it and the part."""


FRAME_LIMIT = 1 << 16
"""Of width and height: an EVENT's x and y have 16 bits."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """Events of one sample, an EVENT array in time order."""

    name: str
    events: np.ndarray
    width: int
    height: int
    label: int | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    """How much of the file is no change of brightness, by what it is: sync pulses, triggers, invalid events."""

    def verify(self) -> None:
        """Raise RecordingError if the events are empty, out of frame or out of time order."""
        events = self.events
        if events.dtype != EVENT or events.ndim != 1:
            raise RecordingError(
                f"{self.name}: events must be a one-dimensional array of {EVENT}, "
                f"not {events.ndim} dimensions of {events.dtype}"
            )
        if not len(events):
            raise RecordingError(f"{self.name}: the recording has no events")
        for side, pixels in (("width", self.width), ("height", self.height)):
            if not 1 <= pixels <= FRAME_LIMIT:
                raise RecordingError(f"{self.name}: {side} {pixels}, must be in 1..{FRAME_LIMIT}")
        for name, limit in (("x", self.width), ("y", self.height), ("polarity", 2)):
            outside = np.flatnonzero(events[name] >= limit)
            if len(outside):
                first = outside[0]
                raise RecordingError(
                    f"{self.name}: event {first} has {name} = {events[name][first]}, "
                    f"which must be below {limit}"
                )
        if events["t"][0] < 0:
            raise RecordingError(f"{self.name}: event 0 has t = {events['t'][0]}, below 0")
        if events["t"].max() > TIME_LIMIT:
            raise RecordingError(f"{self.name}: an event has t = {events['t'].max()}, limit {TIME_LIMIT}")
        early = np.flatnonzero(np.diff(events["t"]) < 0)
        if len(early):
            first = early[0] + 1
            raise RecordingError(
                f"{self.name}: event {first} at {events['t'][first]} us comes before event "
                f"{first - 1} at {events['t'][first - 1]} us"
            )


def make_events(name: str, t, x, y, polarity) -> np.ndarray:
    """Return an EVENT array of four arrays of whole numbers.

    A RecordingError names the recording ``name``, the field, and the value that does not fit.
    """
    values_of = {"t": t, "x": x, "y": y, "polarity": polarity}
    fields = {key: np.asarray(values) for key, values in values_of.items()}
    lengths = {key: values.shape for key, values in fields.items()}
    if len(set(lengths.values())) > 1 or fields["t"].ndim != 1:
        raise RecordingError(f"{name}: fields must be lists of one length, not of shapes {lengths}")
    events = np.empty(len(fields["t"]), EVENT)
    for key, values in fields.items():
        if values.dtype.kind not in "biuf":
            raise RecordingError(f"{name}: {key} must be numbers, not {values.dtype}")
        limits = np.iinfo(EVENT[key])
        wrong = ~((values >= limits.min) & (values <= limits.max))  # True for NaN as well.
        if values.dtype.kind == "f":
            wrong |= values != np.floor(values)
        if wrong.any():
            first = np.flatnonzero(wrong)[0]
            raise RecordingError(
                f"{name}: event {first} has {key} = {values[first]}, which must be a whole number "
                f"of {limits.min}..{limits.max}"
            )
        events[key] = values
    return events


def agree_on_size(
    path: Path | str, given: tuple[int | None, int | None], found: tuple[int | None, int | None]
) -> tuple[int, int]:
    """Return (width, height) as the caller gives them or the file names them.

    A RecordingError names the side that neither does, or that they do differently.
    """
    sizes = []
    for side, own, other in zip(("width", "height"), given, found, strict=True):
        agreed = other if own is None else own
        if agreed is None:
            raise RecordingError(f"{path}: the file names no {side}; give width and height")
        if other not in (None, agreed):
            raise RecordingError(f"{path}: the file's {side} is {other}, not {own}")
        sizes.append(operator.index(agreed))
    return sizes[0], sizes[1]


def from_zero(recording: Recording, start: int | None = None) -> Recording:
    """Return a recording in time order with times since ``start``, or since its first event."""
    events, times = recording.events, recording.events["t"]
    in_order = bool((times[1:] >= times[:-1]).all())
    events = events.copy() if in_order else events[np.argsort(times, kind="stable")]
    if len(events):
        events["t"] -= events["t"][0] if start is None else start
    return replace(recording, events=events)
