"""Augmentations: random changes of training samples, of space alike in all steps and channels.

Each draws from the generator it is given and from nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .autoaugment import AutoAugment
from .named import create_named

__all__ = ["AUGMENTATIONS", "AutoAugment", "Cutout", "Drop", "Flip", "Shift", "create_augmentations"]

Augmentation = Callable[[Tensor, np.random.RandomState], Tensor]
"""Takes inputs (count, ..., height, width), on any device, and a generator, and returns new inputs there.

What is drawn does not depend on the device.
"""


def _drawn(values: np.ndarray, inputs: Tensor) -> Tensor:
    """Return what was drawn where the inputs are."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(inputs.device)


def _of_samples(values: Tensor, inputs: Tensor) -> Tensor:
    """Return ``values``, (count, ...) of the last axes, with the axes of ``inputs``."""
    return values.view(len(values), *[1] * (inputs.ndim - values.ndim), *values.shape[1:])


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

    def __call__(self, inputs: Tensor, draw: np.random.RandomState) -> Tensor:
        height, width = inputs.shape[-2:]
        first = _drawn(draw.randint(0, 2 * self.pixels + 1, (len(inputs), 2)), inputs) - self.pixels
        rows, columns = (
            first[:, axis, None] + torch.arange(side, device=inputs.device) for axis, side in enumerate((height, width))
        )
        places = (rows % height)[:, :, None] * width + (columns % width)[:, None]
        flat = inputs.reshape(len(inputs), -1, height * width)
        moved = flat.gather(2, places.view(len(inputs), 1, -1).expand_as(flat)).view_as(inputs)
        if self.wrap:
            return moved
        inside = _inside(rows, 0, height)[:, :, None] & _inside(columns, 0, width)[:, None]
        return moved * _of_samples(inside, inputs)


def _inside(places: Tensor, first: Tensor | int, end: Tensor | int) -> Tensor:
    return (places >= first) & (places < end)


@dataclass(frozen=True, kw_only=True)
class Flip:
    """Swaps left and right."""

    probability: float = 0.5

    def __post_init__(self):
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be in 0..1, not {self.probability}")

    def __call__(self, inputs: Tensor, draw: np.random.RandomState) -> Tensor:
        chosen = _drawn(draw.random_sample(len(inputs)) < self.probability, inputs)
        return torch.where(_of_samples(chosen[:, None], inputs), inputs.flip(-1), inputs)


@dataclass(frozen=True, kw_only=True)
class Cutout:
    """Sets a square of ``size`` pixels to 0, whose middle may be any pixel."""

    size: int

    def __post_init__(self):
        if not isinstance(self.size, int) or self.size < 1:
            raise ValueError(f"size must be an integer of 1 or more, not {self.size!r}")

    def __call__(self, inputs: Tensor, draw: np.random.RandomState) -> Tensor:
        height, width = inputs.shape[-2:]
        first = _drawn(draw.randint(0, (height, width), (len(inputs), 2)), inputs) - self.size // 2
        rows, columns = (
            _inside(torch.arange(side, device=inputs.device), first[:, axis, None], first[:, axis, None] + self.size)
            for axis, side in enumerate((height, width))
        )
        return inputs * _of_samples(~(rows[:, :, None] & columns[:, None]), inputs)


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

    def __call__(self, inputs: Tensor, draw: np.random.RandomState) -> Tensor:
        dropped = self.limit * draw.random_sample((len(inputs), *[1] * (inputs.ndim - 1)))
        return inputs * _drawn(draw.random_sample(tuple(inputs.shape)) >= dropped, inputs)


AUGMENTATIONS: dict[str, Callable[..., Augmentation]] = {
    "autoaugment": AutoAugment, "cutout": Cutout, "drop": Drop, "flip": Flip, "shift": Shift,
}


def create_augmentations(recipe: dict[str, dict[str, Any]]) -> list[Augmentation]:
    """Return the augmentations that a recipe names, in its order, with their options."""
    return create_named("training.augmentations", AUGMENTATIONS, recipe)
