"""Events and recordings, and how a recording becomes the spikes of time steps."""

from dataclasses import dataclass

import numpy as np

__all__ = ["EVENT", "STEP_EVENT", "Recording", "RecordingError", "TimeBins", "scatter"]

EVENT = np.dtype([("t", np.int64), ("x", np.uint16), ("y", np.uint16), ("polarity", np.uint8)])
"""An event of a recording; ``t`` in microseconds, polarity 1 for brighter."""
STEP_EVENT = np.dtype([
    ("step", np.uint16), ("x", np.uint16), ("y", np.uint16), ("polarity", np.uint8)
])
"""An event as a core takes it: the time stamp is the index of its time step."""


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


@dataclass(frozen=True, kw_only=True)
class TimeBins:
    """``steps`` equal bins of the ``duration`` microseconds from ``start`` on."""

    steps: int
    duration: int
    start: int = 0

    def __post_init__(self):
        for name, least in (("steps", 1), ("duration", 1), ("start", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be an integer of {least} or more, not {value!r}")

    def step_events(self, recording: Recording) -> np.ndarray:
        """Return what a core is sent: STEP_EVENT array, each (step, y, x, polarity) once, sorted.

        Events outside the bins are left out; a recording without any inside is an error.
        """
        recording.verify()
        step = (recording.events["t"] - self.start) * self.steps // self.duration
        inside = (step >= 0) & (step < self.steps)
        if not inside.any():
            raise RecordingError(
                f"{recording.name}: no event lies in {self.start}..{self.start + self.duration} us"
            )
        events = recording.events[inside]
        shape = (self.steps, recording.height, recording.width, 2)
        keys = np.ravel_multi_index(
            (step[inside], events["y"], events["x"], events["polarity"]), shape
        )
        unique = np.unique(keys)
        result = np.empty(len(unique), STEP_EVENT)
        result["step"], result["y"], result["x"], result["polarity"] = np.unravel_index(
            unique, shape
        )
        return result

    def spikes(self, recording: Recording) -> np.ndarray:
        """Return the spikes of a recording, uint8 (steps, 2, height, width) of 0 and 1."""
        events = self.step_events(recording)
        return scatter(events, self.steps, recording.height, recording.width)


def scatter(events: np.ndarray, steps: int, height: int, width: int) -> np.ndarray:
    """Return the spikes of STEP_EVENTs, uint8 (steps, 2, height, width): channel = polarity."""
    spikes = np.zeros((steps, 2, height, width), np.uint8)
    spikes[events["step"], events["polarity"], events["y"], events["x"]] = 1
    return spikes
