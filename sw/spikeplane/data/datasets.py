"""Data sets as arrays that a network takes, by name."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..network import InputFormat
from .digits import digit_recordings, digit_time_bins
from .events import Recording, TimeBins
from .mnist import load_mnist
from .nmnist import DURATION, load_nmnist

__all__ = ["DATASETS", "DataRecipe", "Dataset", "load_dataset", "quantize_image"]


@dataclass(frozen=True, kw_only=True)
class DataRecipe:
    """Which data set, and how its samples become inputs."""

    name: str
    steps: int
    """Time steps: bins of a recording, or how often an image is replayed."""
    bits: int = 1
    """Bits of an image's pixels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """One part of a data set, ready for a network."""

    name: str
    input: InputFormat
    inputs: np.ndarray
    """uint8: spikes (count, steps, channels, height, width), or images of ``input.bits`` bits
    (count, channels, height, width) if ``input.direct``."""
    labels: np.ndarray
    """int64 (count,)."""
    classes: int = 10

    @property
    def checksum(self) -> str:
        """SHA-256 of inputs and labels."""
        digest = hashlib.sha256(repr((self.inputs.shape, self.inputs.dtype)).encode())
        digest.update(self.inputs.tobytes())
        digest.update(self.labels.tobytes())
        return digest.hexdigest()


def quantize_image(images: np.ndarray, bits: int) -> np.ndarray:
    """Return uint8 images in ``bits`` bits: the nearest level, halves up, in integers only."""
    if not 1 <= bits <= 8:
        raise ValueError(f"bits must be in 1..8, not {bits!r}")
    levels = (1 << bits) - 1
    return ((2 * images.astype(np.int64) * levels + 255) // 510).astype(np.uint8)


def _from_recordings(name: str, recordings: list[Recording], bins: TimeBins) -> Dataset:
    first = recordings[0]
    return Dataset(
        name=name,
        input=InputFormat(
            channels=2, height=first.height, width=first.width, steps=bins.steps
        ),
        inputs=np.stack([bins.spikes(recording) for recording in recordings]),
        labels=np.array([recording.label for recording in recordings], np.int64),
    )


def _digits(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    return _from_recordings(
        f"digits {part}", digit_recordings(part), digit_time_bins(recipe.steps)
    )


def _nmnist(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    bins = TimeBins(steps=recipe.steps, duration=DURATION)
    return _from_recordings(f"nmnist {part}", load_nmnist(root, part), bins)


def _mnist(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    images, labels = load_mnist(root, part)
    _, height, width = images.shape
    return Dataset(
        name=f"mnist {part}",
        input=InputFormat(
            channels=1, height=height, width=width, steps=recipe.steps, bits=recipe.bits,
            direct=True,
        ),
        inputs=quantize_image(images, recipe.bits)[:, None],
        labels=labels,
    )


DATASETS: dict[str, Callable[[DataRecipe, Path | None, str], Dataset]] = {
    "digits": _digits, "mnist": _mnist, "nmnist": _nmnist,
}


def load_dataset(recipe: DataRecipe, part: str, root: Path | None = None) -> Dataset:
    """Return ``part``, ``"train"`` or ``"test"``, of the data set that ``recipe`` names.

    ``root`` is the root folder of the data sets; digits need none.
    """
    if recipe.name not in DATASETS:
        raise ValueError(f"data.name must be one of {', '.join(DATASETS)}, not {recipe.name!r}")
    if part not in ("train", "test"):
        raise ValueError(f'part must be "train" or "test", not {part!r}')
    return DATASETS[recipe.name](recipe, root, part)
