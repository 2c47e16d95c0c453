"""Where the files of data sets lie, and the libraries that read some of them."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

__all__ = [
    "FOREIGN", "DataError", "find_file", "find_folder", "foreign_count", "import_extra", "locate", "locate_folder",
]


class DataError(ValueError):
    """A data file is missing or wrong; the message says what was expected and what was found."""


FOREIGN = "._"
"""What names begin with where macOS has left its own data beside a file, on disks and in archives of others."""


def foreign_count(paths: list[Path]) -> str:
    """Return, for an error about too many files, how many of ``paths`` macOS has left; empty if none."""
    count = sum(path.name.startswith(FOREIGN) for path in paths)
    return f", {count} of them {FOREIGN}* of macOS; delete these" if count else ""


def _candidates(root: Path | None, folder: str, name: str) -> list[Path]:
    if root is None:
        raise DataError(f"{name} is needed: name the root folder of the data sets")
    return [Path(root) / folder / name, Path(root) / name]


def find_folder(root: Path | None, folder: str, name: str) -> Path | None:
    """Return the folder ``name`` of a data set, in ``root`` or ``root/folder``, or None."""
    return next((path for path in _candidates(root, folder, name) if path.is_dir()), None)


def find_file(root: Path | None, folder: str, name: str) -> Path | None:
    """Return the path of a data file, in ``root`` or ``root/folder``, or None."""
    return next((path for path in _candidates(root, folder, name) if path.is_file()), None)


def locate(root: Path | None, folder: str, name: str, instead: str = "") -> Path:
    """Return the path of a data file, in ``root`` or ``root/folder``.

    The error names ``instead``, what would do as well.
    """
    path = find_file(root, folder, name)
    if path is not None:
        return path
    candidates = _candidates(root, folder, name)
    other = f" (or the data set as {instead})" if instead else ""
    raise DataError(f"{name} is missing: expected {candidates[0]} or {candidates[1]}{other}")


def locate_folder(root: Path | None, folder: str, name: str) -> Path:
    """Return the folder ``name`` of a data set, in ``root`` or ``root/folder``; a DataError says it is missing."""
    path = find_folder(root, folder, name)
    if path is None:
        first, second = _candidates(root, folder, name)
        raise DataError(f"{name} is missing: expected the published folder {first} or {second}")
    return path


def import_extra(name: str) -> ModuleType:
    """Return a module of the extra ``data``; a DataError says how to install it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise DataError(
            f"{name} is needed: install Spikeplane with its extra, as spikeplane[data] ({error})"
        ) from error
