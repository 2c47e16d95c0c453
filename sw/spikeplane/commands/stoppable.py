"""What ends in a message where a training was asked to stop."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from ..output import errors
from ..training.run.interrupts import TrainingStopped

__all__ = ["stoppable"]


@contextmanager
def stoppable(shown: bool = True) -> Iterator[None]:
    """End the command with a message, if ``shown``, where a training was asked to stop."""
    try:
        yield
    except TrainingStopped as stopped:
        if shown:
            errors.print(f"spikeplane: {stopped}", style="yellow", highlight=False, markup=False)
        raise typer.Exit(stopped.status) from None
