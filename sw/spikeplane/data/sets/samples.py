"""Samples that lie in files and are read when they are asked for: sets may be larger than the memory."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

__all__ = ["HELD_LIMIT", "SampleArray", "StoredSamples", "held", "parts_of", "select"]

HELD_LIMIT = 1 << 30
"""Bytes up to which the samples of a part are held in memory; more are read from their files again and again."""


class StoredSamples(ABC):
    """Samples uint8 (count, ...) in files; what is taken of them by an index is an array in memory.

    They stand in for an array in :attr:`.Dataset.inputs`.
    """

    dtype = np.dtype(np.uint8)

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """(count, ...)."""

    @abstractmethod
    def read(self, indices: np.ndarray) -> np.ndarray:
        """Return these samples, uint8 (len(indices), ...), in memory of their own."""

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """Dimensions, that of the count included."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that all would take in memory."""
        return int(np.prod(self.shape, dtype=object))

    def __getitem__(self, index) -> np.ndarray:
        if isinstance(index, slice):
            return self.read(np.arange(*index.indices(len(self))))
        chosen = np.asarray(index)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        if chosen.size and not -len(self) <= chosen.min() <= chosen.max() < len(self):
            raise IndexError(f"samples {chosen.min()}..{chosen.max()} of {len(self)}")
        chosen = chosen.astype(np.int64) % max(1, len(self))
        return self.read(chosen) if chosen.ndim else self.read(chosen[None])[0]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)


SampleArray = np.ndarray | StoredSamples


class _Selected(StoredSamples):
    """Some of other samples."""

    def __init__(self, samples: StoredSamples, indices: np.ndarray):
        self._samples, self._indices = samples, indices

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self._indices), *self._samples.shape[1:]

    def read(self, indices: np.ndarray) -> np.ndarray:
        return self._samples.read(self._indices[indices])


def select(samples: SampleArray, chosen: np.ndarray | slice) -> SampleArray:
    """Return some samples, by their indices int64 or a slice; those in files stay there."""
    if isinstance(samples, np.ndarray):
        return samples[chosen]
    return _Selected(samples, np.arange(len(samples))[chosen])


PART = 1 << 26
"""Bytes that are worked on at once."""


def parts_of(samples: SampleArray) -> Iterator[np.ndarray]:
    """Yield all samples in their order, in arrays that are small beside the memory."""
    size = max(1, PART * len(samples) // max(1, samples.nbytes))
    for start in range(0, len(samples), size):
        yield samples[start : start + size]


def held(samples: SampleArray) -> SampleArray:
    """Return ``samples`` in memory if they take at most HELD_LIMIT bytes, else as they are."""
    return samples[:] if samples.nbytes <= HELD_LIMIT else samples
