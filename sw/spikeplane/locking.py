"""Locks of files and folders that end with whoever holds them, however it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has none: there processes must not share a folder.
    fcntl = None

__all__ = ["held", "lock"]


def lock(descriptor: int, *, wait: bool = True) -> None:
    """Lock the file or folder of ``descriptor`` until it is closed.

    Raises a BlockingIOError if another one holds the lock and this one does not ``wait``, another OSError where the
    file system has no locks.
    """
    if fcntl:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock of a file, made if it is not there; it stays. Others wait."""
    with path.open("a") as file:
        lock(file.fileno())
        yield
