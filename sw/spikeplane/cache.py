"""The user's cache: what can be made again, and is kept for all projects."""

import os
from pathlib import Path

__all__ = ["cache_root"]


def cache_root() -> Path:
    """Return the folder of all that is cached: in XDG_CACHE_HOME, else in ``~/.cache``; it may be missing yet."""
    # The specification of XDG has relative paths ignored.
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (root if root.is_absolute() else Path.home() / ".cache") / "spikeplane"
