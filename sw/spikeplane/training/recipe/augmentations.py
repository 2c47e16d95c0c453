"""Augmentations: random changes of training samples, of space alike in all steps and channels.

Each draws from the generator it is given and from nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .autoaugment import AutoAugment
from .named import create_named

__all__ = ["AUGMENTATIONS", "AutoAugment", "Cutout", "Drop", "Flip", "Shift", "create_augmentations"]

Augmentation = Callable[[np.ndarray, np.random.RandomState], np.ndarray]
"""Takes inputs (count, ..., height, width) and a generator, and returns new inputs."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Moves by up to ``pixels`` either way, rows and columns.

    On images this is a crop with that padding, on events a roll.
    """

    pixels: int
    wrap: bool = False
    """What leaves on one side comes in on the other; otherwise what comes in is 0."""

    def __post_init__(self):
        if not isinstance(self.pixels, int) or self.pixels < 0:
            raise ValueError(f"pixels must be an integer of 0 or more, not {self.pixels!r}")

    def __call__(self, inputs: np.ndarray, draw: np.random.RandomState) -> np.ndarray:
        height, width = inputs.shape[-2:]
        margin = [(0, 0)] * (inputs.ndim - 2) + [(self.pixels, self.pixels)] * 2
        padded = np.pad(inputs, margin, mode="wrap" if self.wrap else "constant")
        result = np.empty_like(inputs)
        for index, (y, x) in enumerate(draw.randint(0, 2 * self.pixels + 1, (len(inputs), 2))):
            result[index] = padded[index, ..., y : y + height, x : x + width]
        return result


@dataclass(frozen=True, kw_only=True)
class Flip:
    """Swaps left and right."""

    probability: float = 0.5

    def __post_init__(self):
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be in 0..1, not {self.probability}")

    def __call__(self, inputs: np.ndarray, draw: np.random.RandomState) -> np.ndarray:
        chosen = draw.random_sample(len(inputs)) < self.probability
        result = inputs.copy()
        result[chosen] = inputs[chosen][..., ::-1]
        return result


@dataclass(frozen=True, kw_only=True)
class Cutout:
    """Sets a square of ``size`` pixels to 0, whose middle may be any pixel."""

    size: int

    def __post_init__(self):
        if not isinstance(self.size, int) or self.size < 1:
            raise ValueError(f"size must be an integer of 1 or more, not {self.size!r}")

    def __call__(self, inputs: np.ndarray, draw: np.random.RandomState) -> np.ndarray:
        result = inputs.copy()
        middles = draw.randint(0, inputs.shape[-2:], (len(inputs), 2))
        starts = middles - self.size // 2
        for sample, first, last in zip(
            result, np.maximum(starts, 0), starts + self.size, strict=True
        ):
            sample[..., first[0] : last[0], first[1] : last[1]] = 0
        return result


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Sets spikes to 0, each with a probability that is drawn for the sample from 0..``limit``.

    So the number of events, which tells more of the camera and the speed than of the class, is
    learned less (EventDrop, arXiv 2106.05836, drops single events likewise).
    """

    limit: float

    def __post_init__(self):
        if not 0 <= self.limit <= 1:
            raise ValueError(f"limit must be in 0..1, not {self.limit}")

    def __call__(self, inputs: np.ndarray, draw: np.random.RandomState) -> np.ndarray:
        dropped = self.limit * draw.random_sample((len(inputs), *[1] * (inputs.ndim - 1)))
        return inputs * (draw.random_sample(inputs.shape) >= dropped)


AUGMENTATIONS: dict[str, Callable[..., Augmentation]] = {
    "autoaugment": AutoAugment, "cutout": Cutout, "drop": Drop, "flip": Flip, "shift": Shift,
}


def create_augmentations(recipe: dict[str, dict[str, Any]]) -> list[Augmentation]:
    """Return the augmentations that a recipe names, in its order, with their options."""
    return create_named("training.augmentations", AUGMENTATIONS, recipe)
