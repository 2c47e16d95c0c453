"""Events and recordings."""

from dataclasses import dataclass, replace

import numpy as np

__all__ = ["EVENT", "Recording", "RecordingError", "from_zero", "make_events"]

EVENT = np.dtype([("t", np.int64), ("x", np.uint16), ("y", np.uint16), ("polarity", np.uint8)])
"""An event of a recording; ``t`` in microseconds, polarity 1 for brighter."""


class RecordingError(ValueError):
    """A recording cannot be used; the message names it, the value and the limit."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """Events of one sample, an EVENT array in time order."""

    name: str
    events: np.ndarray
    width: int
    height: int
    label: int | None = None

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
        for field, limit in (("x", self.width), ("y", self.height), ("polarity", 2)):
            outside = np.flatnonzero(events[field] >= limit)
            if len(outside):
                first = outside[0]
                raise RecordingError(
                    f"{self.name}: event {first} has {field} = {events[field][first]}, "
                    f"which must be below {limit}"
                )
        if events["t"][0] < 0:
            raise RecordingError(f"{self.name}: event 0 has t = {events['t'][0]}, below 0")
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
    fields = {field: np.asarray(values) for field, values in values_of.items()}
    lengths = {field: values.shape for field, values in fields.items()}
    if len(set(lengths.values())) > 1 or fields["t"].ndim != 1:
        raise RecordingError(f"{name}: fields must be lists of one length, not of shapes {lengths}")
    events = np.empty(len(fields["t"]), EVENT)
    for field, values in fields.items():
        if values.dtype.kind not in "biuf":
            raise RecordingError(f"{name}: {field} must be numbers, not {values.dtype}")
        limits = np.iinfo(EVENT[field])
        wrong = ~((values >= limits.min) & (values <= limits.max))  # True for NaN as well.
        if values.dtype.kind == "f":
            wrong |= values != np.floor(values)
        if wrong.any():
            first = np.flatnonzero(wrong)[0]
            raise RecordingError(
                f"{name}: event {first} has {field} = {values[first]}, which must be a whole number "
                f"of {limits.min}..{limits.max}"
            )
        events[field] = values
    return events


def from_zero(recording: Recording, start: int | None = None) -> Recording:
    """Return a recording in time order with times since ``start``, or since its first event."""
    events = recording.events[np.argsort(recording.events["t"], kind="stable")]
    if len(events):
        events["t"] -= events["t"][0] if start is None else start
    return replace(recording, events=events)
