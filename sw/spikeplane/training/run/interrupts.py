"""Stopping a training between two batches, where everything can be saved."""

import signal
import threading
from types import FrameType
from typing import Any

__all__ = ["StopSignals", "TrainingStopped"]


class TrainingStopped(KeyboardInterrupt):
    """A training was asked to stop, and what it had done is saved; the message says where."""

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.status = 128 + number
        """Exit status of a command that ends for this."""


class StopSignals:
    """Notes SIGINT (Ctrl-C) and SIGTERM in :attr:`received` for as long as it is entered.

    A second Ctrl-C stops at once, unless ``patient``: a launcher of several processes passes on
    the Ctrl-C that its processes have had from the terminal already. Only a main thread can do
    so; in another one nothing is noted.
    """

    def __init__(self, patient: bool = False):
        self.received = 0
        """Number of the signal, 0 if there was none."""
        self._patient = patient
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received and number == signal.SIGINT and not self._patient:
            raise KeyboardInterrupt
        self.received = number
