"""Parts of data sets, for trainings that a processor core does in minutes.

The training part of one are the first images of what `data.validation = 5000` leaves; its test part are the first ones
that are held out, so that a training on it does not look at the test images.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from spikeplane.data.sets.datasets import DATASETS, DataRecipe, Dataset, load_parts

__all__ = ["BEGINNING", "CIFAR10_PART", "MNIST_PART", "PartialData", "register"]

VALIDATION = 5_000
"""Images that are held out of the whole."""


@dataclass(frozen=True, kw_only=True)
class PartialData:
    """The name that recipes call a part by, the data set it is of, and images of its training and test part."""

    name: str
    source: str
    images: int = 10_000
    held_out: int = 1_000


CIFAR10_PART = PartialData(name="cifar10_part", source="cifar10")
BEGINNING = PartialData(name="cifar10_beginning", source="cifar10", images=128, held_out=10)
MNIST_PART = PartialData(name="mnist_part", source="mnist")


def load(own: PartialData, recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    """Return a part of the part."""
    whole = DataRecipe(name=own.source, steps=recipe.steps, bits=recipe.bits, validation=VALIDATION)
    train, held_out = load_parts(whole, root)
    assert held_out is not None
    source, count = (held_out, own.held_out) if part == "test" else (train, own.images)
    return source.part(f"{own.name} {part}", np.arange(count))


def register() -> None:
    """Let recipes name the parts."""
    for own in (CIFAR10_PART, BEGINNING, MNIST_PART):
        if own.name not in DATASETS:
            DATASETS.register(own.name, partial(load, own))
