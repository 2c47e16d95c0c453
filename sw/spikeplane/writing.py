"""Writing files: whole or not at all, whatever is killed, full, or writes the same file meanwhile."""

import json
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .locking import lock

__all__ = [
    "WritingError", "check_distinct", "check_folder", "check_writable", "write_bytes", "write_json", "write_text",
]

NUMBERS = re.compile(r"\[\n[^\[\]{}\"]*\]")
"""A list of numbers in JSON, one to a line; no text is found, since line ends in it are written as two characters."""
SUFFIX = ".part"
"""Of a file that is being written: a hidden one in the folder of the file that it becomes."""
STALE = 60.0
"""Seconds after which such a file is removed if nobody holds its lock: who wrote it was killed."""
NAME_LENGTH = 64
"""Characters of a file's name in the name of the hidden one: names of files may have 255 bytes."""


class WritingError(OSError):
    """A file or folder cannot be written; the message names it and the reason."""


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write ``content`` to a file, and return when it is on the disk.

    It is written beside the file and moved into its place: of several writers one wins whole, and a failure leaves
    what was there. Missing folders are made, symbolic links followed, a file's permissions kept; what is no regular
    file, as /dev/null, is written into. A WritingError names the file.
    """
    path = Path(path)
    with _named(path):
        target = _target(path)
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                file.write(content)
            return
        _nearest_folder(target.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(target)
        _replace(target, content)


def write_text(path: Path | str, text: str) -> None:
    """Write ``text`` in UTF-8, as :func:`write_bytes` writes."""
    write_bytes(path, text.encode())


def write_json(path: Path | str, value: Any) -> None:
    """Write ``value`` as JSON, two spaces to a level, lists of numbers in a line, as :func:`write_bytes` writes."""
    text = NUMBERS.sub(lambda found: " ".join(found[0].split()).replace("[ ", "[").replace(" ]", "]"),
                       json.dumps(value, indent=2))
    write_text(path, f"{text}\n")


def check_writable(path: Path | str) -> None:
    """Raise a WritingError if a file could not be written at ``path``; nothing is left behind."""
    path = Path(path)
    with _named(path):
        target = _target(path)
        if target.exists() and not target.is_file():
            if not os.access(target, os.W_OK):
                raise PermissionError(0, "it is not writable")
            return
        _try_folder(target.parent)


def check_folder(path: Path | str) -> None:
    """Raise a WritingError if no files could be written in a folder ``path``, which may be missing yet."""
    path = Path(path)
    with _named(path):
        _try_folder(Path(os.path.realpath(path)))


def check_distinct(output: Path | str, *inputs: Path | str | None) -> None:
    """Raise a WritingError if the file to write, ``output``, is one of ``inputs``, which are read; None is no file."""
    for read in inputs:
        if read is not None and _same(output, read):
            raise WritingError(f"{output}: would replace {read}, which is read: write somewhere else")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let what the system refuses name ``path``."""
    try:
        yield
    except WritingError:
        raise
    except OSError as error:
        raise WritingError(f"{path}: cannot be written: {error.strerror or error}") from error


def _same(one: Path | str, other: Path | str) -> bool:
    """Return whether two paths lead to one file, which may be missing."""
    try:
        return Path(one).samefile(other)
    except OSError:  # One of them is missing, or leads nowhere.
        return os.path.realpath(one) == os.path.realpath(other)


def _target(path: Path) -> Path:
    """Return the file that ``path`` leads to, which may be missing; a WritingError if it is a folder."""
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise WritingError(f"{path}: cannot be written: its symbolic links go in a circle")
    if target.is_dir():
        raise WritingError(f"{path}: is a folder; name a file")
    return target


def _nearest_folder(folder: Path) -> Path:
    """Return ``folder``, or the first one above it that is there; a WritingError if that is a file."""
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise WritingError(f"{folder}: is a file; a folder is needed in its place")
    return folder


def _try_folder(folder: Path) -> None:
    """Make a file in ``folder``, or in the first one above it that is there, and remove it."""
    hidden = _hidden(_nearest_folder(folder) / "check")
    os.close(os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    hidden.unlink()


def _hidden(target: Path) -> Path:
    return target.with_name(f".{target.name[:NAME_LENGTH]}.{secrets.token_hex(8)}{SUFFIX}")


def _replace(target: Path, content: bytes) -> None:
    hidden = _hidden(target)
    descriptor = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with suppress(OSError):  # Not every file system has locks; then the age alone tells what is stale.
                lock(file.fileno())
            if target.exists():
                hidden.chmod(stat.S_IMODE(target.stat().st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            hidden.replace(target)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    _synchronize(target.parent)


def _synchronize(folder: Path) -> None:
    """Make a file's new name outlive a failure of power, where folders can be synchronized."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_stale(target: Path) -> None:
    """Remove what killed writers of ``target`` left: old, and locked by nobody."""
    start = f".{target.name[:NAME_LENGTH]}."
    for path in target.parent.iterdir():
        if not (path.name.startswith(start) and path.name.endswith(SUFFIX)):
            continue
        with suppress(OSError):  # Another process removed it or holds its lock.
            if time.time() - path.stat().st_mtime < STALE:
                continue
            with path.open("rb") as file:
                lock(file.fileno(), wait=False)
                path.unlink()
