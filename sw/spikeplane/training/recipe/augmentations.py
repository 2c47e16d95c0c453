"""Augmentations: random changes of training samples, of space alike in all steps and channels.

Each draws from the generator it is given and from nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .autoaugment import AutoAugment, RandAugment
from .named import create_named

__all__ = [
    "AUGMENTATIONS", "AutoAugment", "CutMix", "Cutout", "Drop", "Flip", "RandAugment", "Shift", "active",
    "create_augmentations",
]

Augmentation = Callable[[Tensor, np.random.RandomState], Tensor]
"""Takes inputs (count, ..., height, width), on any device, and a generator, and returns new inputs there.

What is drawn does not depend on the device.
"""


def _drawn(values: np.ndarray, inputs: Tensor) -> Tensor:
    """Return what was drawn where the inputs are."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(inputs.device, non_blocking=True)


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


def _check_share(name: str, value: float) -> None:
    if not (isinstance(value, (int, float)) and 0 <= value <= 1):
        raise ValueError(f"{name} must be in 0..1, not {value!r}")


@dataclass(frozen=True, kw_only=True)
class Cutout:
    """Sets a square of ``size`` pixels to 0, whose middle may be any pixel."""

    size: int
    until: float = 1.0
    """Share of the training, from its start, in which samples are changed."""

    def __post_init__(self):
        if not isinstance(self.size, int) or self.size < 1:
            raise ValueError(f"size must be an integer of 1 or more, not {self.size!r}")
        _check_share("until", self.until)

    def __call__(self, inputs: Tensor, draw: np.random.RandomState) -> Tensor:
        height, width = inputs.shape[-2:]
        middle = draw.randint(0, (height, width), (len(inputs), 2))
        return inputs * ~_of_samples(_rectangles(middle, np.full_like(middle, self.size), inputs), inputs)


def _rectangles(middle: np.ndarray, sides: np.ndarray, inputs: Tensor) -> Tensor:
    """Return where rectangles lie, bool (count, height, width); ``middle`` and ``sides`` are (count, 2)."""
    first = _drawn(middle - sides // 2, inputs)
    end = first + _drawn(sides, inputs)
    rows, columns = (
        _inside(torch.arange(side, device=inputs.device), first[:, axis, None], end[:, axis, None])
        for axis, side in enumerate(inputs.shape[-2:])
    )
    return rows[:, :, None] & columns[:, None]


@dataclass(frozen=True, kw_only=True)
class CutMix:
    """Puts a rectangle of another sample of the batch in its place (CutMix, arXiv 1905.04899).

    Its middle may be any pixel, its share of the area before it is cut off at the borders is uniform in
    0..1, its form that of the sample. Labels stay: what a changed sample shows, a teacher has to tell.
    """

    probability: float = 0.5
    """Of each sample."""
    until: float = 1.0
    """Share of the training, from its start, in which samples are changed."""

    def __post_init__(self):
        _check_share("probability", self.probability)
        _check_share("until", self.until)

    def __call__(self, inputs: Tensor, draw: np.random.RandomState) -> Tensor:
        size = np.array(inputs.shape[-2:])
        others = _drawn(draw.permutation(len(inputs)), inputs)
        middle = draw.randint(0, size, (len(inputs), 2))
        sides = np.rint(size * np.sqrt(draw.random_sample((len(inputs), 1)))).astype(np.int64)
        sides *= draw.random_sample((len(inputs), 1)) < self.probability
        return torch.where(_of_samples(_rectangles(middle, sides, inputs), inputs), inputs[others], inputs)


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
    "autoaugment": AutoAugment, "cutmix": CutMix, "cutout": Cutout, "drop": Drop, "flip": Flip,
    "randaugment": RandAugment, "shift": Shift,
}


def create_augmentations(recipe: dict[str, dict[str, Any]]) -> list[Augmentation]:
    """Return the augmentations that a recipe names, in its order, with their options."""
    return create_named("training.augmentations", AUGMENTATIONS, recipe)


def active(augmentations: list[Augmentation], progress: float) -> list[Augmentation]:
    """Return those that still change samples when ``progress`` of the training, 0 to 1, is done."""
    return [each for each in augmentations if progress < getattr(each, "until", 1.0)]
