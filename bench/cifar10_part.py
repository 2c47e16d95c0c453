"""A part of CIFAR-10 for trained networks that are trained on: all that a processor core does in minutes.

Its training part are the first images of what `data.validation = 5000` leaves; its test part are the first ones that
are held out, so that a training on it does not look at the test images.
"""

from pathlib import Path

import numpy as np
from spikeplane.data.sets.datasets import DATASETS, DataRecipe, Dataset, load_parts

__all__ = ["DATA", "HELD_OUT", "IMAGES", "register"]

DATA = "cifar10_part"
IMAGES, HELD_OUT = 10_000, 1_000
"""Images of its training and test part."""
VALIDATION = 5_000
"""Images that the trainings before held out."""


def load(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    """Return a part of the part."""
    whole = DataRecipe(name="cifar10", steps=recipe.steps, bits=recipe.bits, validation=VALIDATION)
    train, held_out = load_parts(whole, root)
    assert held_out is not None
    source, count = (held_out, HELD_OUT) if part == "test" else (train, IMAGES)
    return source.part(f"{DATA} {part}", np.arange(count))


def register() -> None:
    """Let recipes name the part."""
    if DATA not in DATASETS:
        DATASETS.register(DATA, load)
