"""Time bins that wait for a board: a bounded queue, out of which the oldest is dropped where the board is slower."""

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

__all__ = ["BinQueue", "EventBin"]


@dataclass(frozen=True, kw_only=True, eq=False)
class EventBin:
    """The events of one time step."""

    index: int
    events: np.ndarray
    """EVENT."""
    arrived: float | None
    """When the last of its events came, on the clock of time.monotonic; None: there is none."""


class BinQueue:
    """At most ``size`` bins between one thread that puts them and one that takes them."""

    def __init__(self, size: int):
        if size < 1:
            raise ValueError(f"a queue of {size} bins, must be 1 or more")
        self.size = size
        self.dropped_bins = 0
        self.dropped_events = 0
        self._bins: deque[EventBin] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._error: BaseException | None = None

    def __len__(self) -> int:
        return len(self._bins)

    def put(self, made: EventBin, *, wait: bool = False) -> bool:
        """Put a bin behind the others; where the queue is full, drop the oldest, or ``wait``.

        Return whether more are wanted: not any more, once :meth:`end` was called.
        """
        with self._changed:
            while wait and len(self._bins) >= self.size and not self._ended:
                self._changed.wait()
            if self._ended:
                return False
            while len(self._bins) >= self.size:
                lost = self._bins.popleft()
                self.dropped_bins += 1
                self.dropped_events += len(lost.events)
            self._bins.append(made)
            self._changed.notify_all()
            return True

    def end(self, error: BaseException | None = None) -> None:
        """Say that nothing more comes or is wanted, or what went wrong; bins that wait are still taken."""
        with self._changed:
            self._ended = True
            self._error = self._error or error
            self._changed.notify_all()

    def take(self) -> EventBin | None:
        """Return the oldest bin, as soon as there is one; None at the end. What went wrong is raised behind them."""
        with self._changed:
            while not self._bins and not self._ended:
                self._changed.wait(0.1)  # With a limit: Ctrl-C is noticed on every system.
            if self._bins:
                oldest = self._bins.popleft()
                self._changed.notify_all()
                return oldest
            if self._error is not None:
                raise self._error
            return None
