"""What files hold, as SHA-256: known from the last look where size and times are those of then."""

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path

from ...cache import cache_root
from ...writing import write_text

__all__ = ["Contents"]

SETTLED = 2_000_000_000
"""Nanoseconds that a file must be old: one that is written again within a tick of the clock keeps its times."""


class Contents:
    """The SHA-256 of files below a folder, kept in the user's cache."""

    def __init__(self, folder: Path):
        self._folder = folder.resolve()
        name = hashlib.sha256(str(self._folder).encode()).hexdigest()[:32]
        self._path = cache_root() / "samples" / f"{name}.files"
        self._known: dict[str, list] = {}
        self._changed = False
        try:
            known = json.loads(self._path.read_text(encoding="utf-8"))
            self._known = known if isinstance(known, dict) else {}
        except (OSError, ValueError):
            pass  # None yet, or damaged: files are looked at anew.

    def digests(self, paths: Iterable[Path]) -> list[str]:
        """Return the SHA-256 of each file, in hexadecimal; an OSError names one that cannot be read."""
        found = [self._digest(path) for path in paths]
        if self._changed:
            write_text(self._path, json.dumps(self._known))
            self._changed = False
        return found

    def _digest(self, path: Path) -> str:
        status = path.stat()
        state = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        known = self._known.get(str(path))
        if isinstance(known, list) and known[:-1] == state:
            return known[-1]
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if time.time_ns() - max(state[1], state[2]) > SETTLED:
            self._known[str(path)] = [*state, digest]
            self._changed = True
        return digest
