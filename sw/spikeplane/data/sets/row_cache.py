"""Arrays made of files, cached by the files' content: what was read once is not read again.

For each way of making them, a key, there is an index, a line for each content, and for each shape a file of rows of
one size. Both only grow. A line is written after its row, so that whatever is killed leaves whole lines of whole rows.
"""

import hashlib
import json
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...cache import cache_root
from ...locking import held
from ..formats.files import DataError

__all__ = ["Row", "RowCache"]

FLUSH = 64
"""Rows after which they are written out: what is lost if the program is killed."""


@dataclass(frozen=True)
class Row:
    """Where the array of a content is."""

    shape: tuple[int, ...]
    number: int
    checksum: int
    """CRC-32 of its bytes."""
    notes: tuple[str, ...]
    """Warnings of when it was made."""


class RowCache:
    """Arrays uint8 by the SHA-256 of what they were made of; ``settings``, values of JSON, say how.

    ``packed`` ones are of 0 and 1, and eight of these take a byte.
    """

    def __init__(self, settings: object, *, packed: bool, folder: Path | None = None):
        self.packed = packed
        self.folder = cache_root() / "samples" if folder is None else folder
        self.key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]
        self._rows: dict[str, Row] = {}
        self._counts: dict[tuple[int, ...], int] = {}
        self._end = 0
        self._load()

    def __contains__(self, content: str) -> bool:
        return content in self._rows

    def __getitem__(self, content: str) -> Row:
        return self._rows[content]

    def path(self, shape: tuple[int, ...]) -> Path:
        """Return the file of the rows of a shape."""
        return self.folder / f"{self.key}-{'x'.join(map(str, shape))}.rows"

    @property
    def index(self) -> Path:
        """The file that says which row is of which content."""
        return self.folder / f"{self.key}.index"

    @contextmanager
    def filling(self) -> Iterator["_Filling"]:
        """Yield what adds rows; other processes wait, and what they have added is known here."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with held(self.folder / f"{self.key}.lock"):
            self._load()
            filling = _Filling(self)
            try:
                yield filling
            finally:
                filling.flush()

    def read(self, rows: list[Row]) -> np.ndarray:
        """Return arrays of one shape, uint8 (len(rows), *shape); a DataError names a file that is damaged."""
        shape = rows[0].shape
        size, path = self.size(shape), self.path(shape)
        result = np.empty((len(rows), size), np.uint8)
        with path.open("rb") as file:
            for place, row in enumerate(rows):
                file.seek(row.number * size)
                if file.readinto(memoryview(result[place])) != size or zlib.crc32(result[place]) != row.checksum:
                    raise DataError(f"{path}: row {row.number} is cut or damaged: remove {self.folder}, a cache")
        if self.packed:
            result = np.unpackbits(result, axis=1, count=math.prod(shape), bitorder="little")
        return result.reshape(len(rows), *shape)

    def size(self, shape: tuple[int, ...]) -> int:
        """Return the bytes of a row."""
        return -(-math.prod(shape) // 8) if self.packed else math.prod(shape)

    def _load(self) -> None:
        """Read what the index says beyond what is known."""
        if not self.index.exists():
            self._rows, self._counts, self._end = {}, {}, 0
            return
        with self.index.open("rb") as file:
            file.seek(self._end)
            lines = file.read().splitlines(keepends=True)
        for line in lines:
            if not line.endswith(b"\n"):
                return
            try:
                entry = json.loads(line)
                shape = tuple(entry["shape"])
                number = self._counts.get(shape, 0)
                self._rows[entry["content"]] = Row(shape, number, entry["crc32"], tuple(entry["notes"]))
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{self.index}: damaged: remove {self.folder}, a cache") from error
            self._counts[shape] = number + 1
            self._end += len(line)


class _Filling:
    """What adds rows while the cache is locked."""

    def __init__(self, cache: RowCache):
        self._cache = cache
        self._waiting: list[tuple[bytes, tuple[int, ...], bytes]] = []

    def add(self, content: str, array: np.ndarray, notes: list[str]) -> None:
        """Keep what was made of a content."""
        raw = (np.packbits(array, bitorder="little") if self._cache.packed else array).tobytes()
        line = json.dumps({"content": content, "shape": array.shape, "crc32": zlib.crc32(raw), "notes": notes})
        self._waiting.append((raw, array.shape, f"{line}\n".encode()))
        if len(self._waiting) >= FLUSH:
            self.flush()

    def flush(self) -> None:
        """Write what was added."""
        cache, waiting, self._waiting = self._cache, self._waiting, []
        counts = dict(cache._counts)
        for raw, shape, _ in waiting:
            with cache.path(shape).open("ab") as file:
                file.truncate(counts.get(shape, 0) * len(raw))  # A row without a line was cut short.
                file.write(raw)
            counts[shape] = counts.get(shape, 0) + 1
        if waiting:
            with cache.index.open("ab") as file:
                file.truncate(cache._end)
                file.write(b"".join(line for *_, line in waiting))
            cache._load()
