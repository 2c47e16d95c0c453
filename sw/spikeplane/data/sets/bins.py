"""How a recording becomes the spikes of time steps: bins of equal time or of equal count."""

import operator
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..formats.events import TIME_LIMIT, Recording, RecordingError

__all__ = ["BINS", "STEP_EVENT", "Bins", "CountBins", "TimeBins", "scatter", "step_edges"]

STEP_EVENT = np.dtype([
    ("step", np.uint16), ("x", np.uint16), ("y", np.uint16), ("polarity", np.uint8)
])
"""An event as a core takes it: the time stamp is the index of its time step."""
STEP_LIMIT = 1 << 16
"""Of steps: a STEP_EVENT's has 16 bits."""


def step_edges(step: Fraction, count: int) -> np.ndarray:
    """Return the first whole time of each of ``count`` steps and of the one behind them, int64 (count + 1,).

    A step takes ``step`` units of time. Edges are exact: neither a float rounds them, nor does a product wrap.
    """
    return np.array([-(-index * step.numerator // step.denominator) for index in range(count + 1)], np.int64)


@dataclass(frozen=True, kw_only=True)
class Bins(ABC):
    """``steps`` bins, one for each time step, of cells of pixels."""

    steps: int
    downsample: int = 1
    """Rows and columns of pixels that make a cell."""
    side: int | None = None
    """Cells along the frame's longer side, in place of ``downsample``; their sizes differ by 1."""
    threshold: int = 1
    """Events of a polarity in a cell and a bin that make a spike: 1 is OR, more is a sum."""

    def __post_init__(self):
        self._verify(steps=(1, STEP_LIMIT), downsample=(1, None), threshold=(1, None))
        if self.side is not None:
            self._verify(side=(1, None))
            if self.downsample != 1:
                raise ValueError(
                    f"side {self.side} and downsample {self.downsample} exclude each other"
                )

    def _verify(self, **limits: tuple[int, int | None]) -> None:
        """Make NumPy's integers Python's, which never wrap; a ValueError names what is none or beyond its limits."""
        for name, (least, most) in limits.items():
            value = getattr(self, name)
            try:
                whole = operator.index(value)
            except TypeError:
                whole = None
            if whole is None or whole < least or (most is not None and whole > most):
                allowed = f"of {least} or more" if most is None else f"in {least}..{most}"
                raise ValueError(f"{name} must be an integer {allowed}, not {value!r}")
            object.__setattr__(self, name, whole)

    @abstractmethod
    def _assign(self, recording: Recording) -> np.ndarray:
        """Return each event's bin, int64 (events,); an event outside 0..steps - 1 is in none."""

    def size(self, recording: Recording) -> tuple[int, int]:
        """Return (height, width) in cells; the last ones may reach beyond the frame."""
        height, width = self._cells(recording, recording.height - 1, recording.width - 1)
        return height + 1, width + 1

    def _cells(self, recording: Recording, y: Any, x: Any) -> tuple[Any, Any]:
        """Return the cells of pixels: integers or int64 arrays."""
        if self.side is None:
            return y // self.downsample, x // self.downsample
        longer = max(recording.height, recording.width)
        if longer < self.side:
            raise RecordingError(
                f"{recording.name}: {recording.height} x {recording.width} pixels make no {self.side} cells a side"
            )
        return y * self.side // longer, x * self.side // longer

    def step_events(self, recording: Recording) -> np.ndarray:
        """Return what a core is sent: STEP_EVENT array, each (step, y, x, polarity) once, sorted.

        Events outside the bins are left out; a recording without any inside is an error.
        """
        recording.verify()
        step = self._assign(recording)
        inside = (step >= 0) & (step < self.steps)
        if not inside.any():
            raise RecordingError(f"{recording.name}: no event lies in {self}")
        events = recording.events[inside]
        shape = (self.steps, *self.size(recording), 2)
        cells = self._cells(recording, events["y"].astype(np.int64), events["x"].astype(np.int64))
        keys = np.ravel_multi_index((step[inside], *cells, events["polarity"]), shape)
        unique, counts = np.unique(keys, return_counts=True)
        unique = unique[counts >= self.threshold]
        result = np.empty(len(unique), STEP_EVENT)
        result["step"], result["y"], result["x"], result["polarity"] = np.unravel_index(
            unique, shape
        )
        return result

    def spikes(self, recording: Recording) -> np.ndarray:
        """Return the spikes of a recording, uint8 (steps, 2, height, width) of 0 and 1."""
        return scatter(self.step_events(recording), self.steps, *self.size(recording))


@dataclass(frozen=True, kw_only=True)
class TimeBins(Bins):
    """Bins of equal time: the ``duration`` microseconds from ``start`` on, in the recording's own times."""

    duration: int | None = None
    """None: up to the last event of each recording."""
    start: int = 0

    def __post_init__(self):
        super().__post_init__()
        self._verify(start=(0, TIME_LIMIT))
        if self.duration is not None:
            self._verify(duration=(1, TIME_LIMIT))

    def __str__(self) -> str:
        end = "the end" if self.duration is None else f"{self.start + self.duration} us"
        return f"{self.start}..{end}"

    def _assign(self, recording: Recording) -> np.ndarray:
        time = recording.events["t"] - self.start
        duration = max(1, int(time[-1]) + 1) if self.duration is None else self.duration
        edges = step_edges(Fraction(duration, self.steps), self.steps)
        return np.searchsorted(edges, time, side="right") - 1


@dataclass(frozen=True, kw_only=True)
class CountBins(Bins):
    """Bins of equally many events; the remainder spreads evenly."""

    def _assign(self, recording: Recording) -> np.ndarray:
        count = len(recording.events)
        return np.arange(count) * self.steps // count


BINS = {"time": TimeBins, "count": CountBins}


def scatter(events: np.ndarray, steps: int, height: int, width: int) -> np.ndarray:
    """Return the spikes of STEP_EVENTs, uint8 (steps, 2, height, width): channel = polarity."""
    spikes = np.zeros((steps, 2, height, width), np.uint8)
    spikes[events["step"], events["polarity"], events["y"], events["x"]] = 1
    return spikes
