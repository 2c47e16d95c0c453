"""Where the files of data sets lie."""

from pathlib import Path

__all__ = ["DataError", "locate"]


class DataError(ValueError):
    """A data file is missing or wrong; the message says what was expected and what was found."""


def locate(root: Path | None, folder: str, name: str) -> Path:
    """Return the path of a data file, in ``root`` or ``root/folder``."""
    if root is None:
        raise DataError(f"{name} is needed: name the root folder of the data sets")
    candidates = [Path(root) / folder / name, Path(root) / name]
    for path in candidates:
        if path.is_file():
            return path
    raise DataError(f"{name} is missing: expected {candidates[0]} or {candidates[1]}")
