"""Where simulated boards are built, and where they are kept: a folder for each build, one cache for all projects."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..cache import cache_root
from ..locking import lock

__all__ = ["cache_folder", "work_folder"]

PREFIX = "spikeplane-build-"
STALE = 60.0
"""Seconds after which a build's folder is removed if nobody holds its lock: the build was killed."""


def cache_folder() -> Path:
    """Return the folder of built boards in the user's cache; it may be missing yet."""
    return cache_root() / "boards"


@contextmanager
def work_folder() -> Iterator[Path]:
    """Yield an empty folder whose path has no space, which make and Verilator cannot take, and remove it.

    Folders that killed builds left are removed too.
    """
    root = _root()
    _remove_stale(root)
    work = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
    descriptor = os.open(work, os.O_RDONLY)
    try:
        lock(descriptor)
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(descriptor)


def _root() -> Path:
    """Return a folder for temporary files without a space in its path."""
    candidates = (tempfile.gettempdir(), "/tmp", "/var/tmp")
    for root in candidates:
        if not any(sign.isspace() for sign in root) and os.access(root, os.W_OK):
            return Path(root)
    raise OSError(f"no folder for temporary files without a space in its path, of {', '.join(candidates)}: set TMPDIR")


def _remove_stale(root: Path) -> None:
    for folder in root.glob(f"{PREFIX}*"):
        with suppress(OSError):  # Another user's, in use, or removed by another build.
            if time.time() - folder.stat().st_mtime < STALE:
                continue
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                lock(descriptor, wait=False)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
