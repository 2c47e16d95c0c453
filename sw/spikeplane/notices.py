"""Warnings as commands show them."""

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from .data.formats.events import RecordingWarning
from .findings import Finding

__all__ = ["note_findings", "noticed", "warning_line"]


def warning_line(text: str) -> str:
    """Return the line that shows a warning."""
    return f"spikeplane: warning: {text}"


def note_findings(findings: Iterable[Finding], name: str = "") -> None:
    """Write findings to standard error, a line each, above a bar of a training if there is one.

    ``name`` says of which network they are, where there are several.
    """
    from tqdm import tqdm  # Of the extra `train`.

    for finding in findings:
        tqdm.write(warning_line(f"{name}: {finding.text}" if name else finding.text), sys.stderr)


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
