"""Progress on the terminal: bars that are there for people, and nowhere else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .output import output

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["counted", "is_watched", "stages", "steps"]

COLUMNS = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())


def is_watched() -> bool:
    """Return whether standard error is a terminal whose user wants bars: in a log, each update would be a line."""
    return not output.quiet and sys.stderr is not None and sys.stderr.isatty()


def steps(total: int, *, unit: str, shown: bool = True, done: int = 0, title: str | None = None) -> "tqdm[Any]":
    """Return a bar of ``total`` steps, ``done`` of them so far, drawn if it is to be ``shown`` and is watched."""
    from tqdm import tqdm  # Of the extra `train`.

    return tqdm(total=total, initial=done, desc=title, unit=unit, disable=not (shown and is_watched()))


@contextmanager
def counted(total: int, *, unit: str, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Draw a bar of ``total`` steps, if it is to be ``shown``, and yield what is called with how many are done.

    Unlike :func:`steps` it needs no extra.
    """
    columns = (TextColumn(unit), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not (shown and is_watched())) as bar:
        task = bar.add_task(unit, total=total)
        yield lambda done: bar.update(task, completed=done)


def stages() -> Progress:
    """Return a bar of work whose stages have names and may have no known length; it vanishes at the end."""
    return Progress(*COLUMNS, console=Console(stderr=True), transient=True, disable=not is_watched())
