"""Warnings as the command shows them."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .data.formats.events import RecordingWarning

__all__ = ["noticed"]


@contextmanager
def noticed(show: Callable[[str], None]) -> Iterator[None]:
    """Call ``show`` with the text of each RecordingWarning, once, however often a recording is read."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", RecordingWarning)
        others, seen = warnings.showwarning, set()

        def shown(message, category, *place, **options) -> None:
            if not issubclass(category, RecordingWarning):
                others(message, category, *place, **options)
            elif str(message) not in seen:
                seen.add(str(message))
                show(str(message))

        warnings.showwarning = shown
        yield
