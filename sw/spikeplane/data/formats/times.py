"""Times of events: counters that wrap, times that start again, units of arrays."""

import numpy as np

from .events import TIME_LIMIT, RecordingError

__all__ = ["UNITS", "require_order", "to_microseconds", "unwrap"]

DISORDER = 10_000
"""Microseconds that an event may come late: cameras and their drivers mix lines and packets, never more."""
WRAP_GAP = 16
"""A counter has wrapped if it goes on within this fraction of its range; else its times start again."""
UNITS = {"s": (1_000_000, 1), "ms": (1_000, 1), "us": (1, 1), "ns": (1, 1_000)}
"""What times of a unit are multiplied with and divided by to be microseconds."""


def unwrap(counts: np.ndarray, width: int) -> np.ndarray:
    """Return the counts, int64, that a counter of ``width`` bits would have reached without wrapping.

    ``counts`` (events,) are in the order of the file. A step back that is no wrap stays one; an event that comes
    late, from before the last wrap, stays late.
    """
    counts = counts.astype(np.int64)
    steps = np.diff(counts)
    span = 1 << width
    gap = span // WRAP_GAP
    turns = np.cumsum((steps + span <= gap).astype(np.int64) - (span - steps <= gap))
    # Back to before a wrap only where one was before, so that the sum is never below 0.
    turns -= np.minimum(np.minimum.accumulate(turns), 0)
    counts[1:] += turns << width
    return counts


def require_order(name: str, times: np.ndarray) -> None:
    """Raise a RecordingError if ``times``, int64 (events,) in us, step back by more than DISORDER.

    Sorting would mix a recording whose times start again with what came before.
    """
    if not len(times):
        return
    low, high = int(times.min()), int(times.max())
    if high - low > TIME_LIMIT:
        raise RecordingError(f"{name}: times of {low}..{high} us, limit {TIME_LIMIT} us in all: the file is damaged")
    latest = np.maximum.accumulate(times)
    late = np.flatnonzero(latest - times > DISORDER)
    if len(late):
        first = late[0]
        raise RecordingError(
            f"{name}: event {first} at {times[first]} us comes after one at {latest[first]} us, limit {DISORDER} us "
            f"back: its times start again; split the recording there"
        )


def to_microseconds(name: str, times: np.ndarray, unit: str | None = None) -> np.ndarray:
    """Return times since the earliest one, int64 (events,) in us, of numbers or NumPy's times of any unit.

    ``unit``, one of UNITS, is that of numbers, us if None. The earliest time is taken off first, in the array's own
    unit and type, so that the result depends on no origin. A RecordingError names a time that fits not.
    """
    if unit is not None and unit not in UNITS:
        raise RecordingError(f"{name}: unit of times {unit!r}, must be one of {', '.join(UNITS)}")
    if not times.size:
        return np.zeros(times.shape, np.int64)
    if times.dtype.kind in "mM":
        return _of_numpy_times(name, times, unit)
    if times.dtype.kind not in "iuf":
        raise RecordingError(f"{name}: t must be numbers, not {times.dtype}")
    multiplier, divisor = UNITS[unit or "us"]
    if times.dtype.kind == "f":
        wrong = ~(np.abs(times) < TIME_LIMIT)  # True for NaN as well.
        if multiplier == 1:
            wrong |= times != np.floor(times)
        must = f"a whole number of {unit or 'us'}" if multiplier == 1 else "a number"
        _refuse(name, times, wrong, f"{must}: name the file's unit, one of {', '.join(UNITS)}")
        since = np.rint((times.astype(np.float64) - float(times.min())) * multiplier)
        _refuse(name, times, ~(since <= TIME_LIMIT), f"at most {TIME_LIMIT} us after the first")
        return since.astype(np.int64) // divisor
    # Differences of 64 bits, signed or not, are exact in unsigned arithmetic.
    since = times.astype(np.uint64) - times.min().astype(np.uint64)
    _refuse(name, times, since > np.uint64(TIME_LIMIT // multiplier), f"at most {TIME_LIMIT} us after the first")
    return since.astype(np.int64) * multiplier // divisor


def _of_numpy_times(name: str, times: np.ndarray, unit: str | None) -> np.ndarray:
    own, count = np.datetime_data(times.dtype)
    if unit not in (None, own) or own not in UNITS:
        raise RecordingError(
            f"{name}: t is {times.dtype}, a unit of {own}, must be {unit or 'one of ' + ', '.join(UNITS)}"
        )
    _refuse(name, times, np.isnat(times), "a time")
    whole = times.astype(np.int64)
    if count > 1:
        _refuse(name, times, np.abs(whole.astype(np.float64)) * count > TIME_LIMIT, f"at most {TIME_LIMIT} {own}")
        whole = whole * count
    return to_microseconds(name, whole, own)


def _refuse(name: str, times: np.ndarray, wrong: np.ndarray, must: str) -> None:
    if wrong.any():
        first = np.flatnonzero(wrong)[0]
        raise RecordingError(f"{name}: event {first} has t = {times.flat[first]}, which must be {must}")
