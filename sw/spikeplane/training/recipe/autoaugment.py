"""AutoAugment: two random operations of a learned policy on each image (arXiv 1805.09501), and RandAugment.

The policy is the paper's for CIFAR-10: a pair of operations, each with its probability and its
strength, 0 to 9. Strengths are spread evenly over the ranges of the paper's appendix; what comes in
from outside the image is 0. torchvision has AutoAugment too, but a build of it works only with the
very build of PyTorch that it was made for.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...data.formats.files import import_extra

__all__ = ["IMAGE_BITS", "OPERATIONS", "POLICY", "AutoAugment", "RandAugment"]

IMAGE_BITS = 8
"""What ``data.bits`` must be for what changes colours."""

STRONGEST = 9
STRONGEST_DRAWN = 10
"""Of RandAugment's magnitudes."""
POLICY = (
    (("invert", 0.1, 0), ("contrast", 0.2, 6)),
    (("rotate", 0.7, 2), ("translate_x", 0.3, 9)),
    (("sharpness", 0.8, 1), ("sharpness", 0.9, 3)),
    (("shear_y", 0.5, 8), ("translate_y", 0.7, 9)),
    (("autocontrast", 0.5, 0), ("equalize", 0.9, 0)),
    (("shear_y", 0.2, 7), ("posterize", 0.3, 7)),
    (("color", 0.4, 3), ("brightness", 0.6, 7)),
    (("sharpness", 0.3, 9), ("brightness", 0.7, 9)),
    (("equalize", 0.6, 0), ("equalize", 0.5, 0)),
    (("contrast", 0.6, 7), ("sharpness", 0.6, 5)),
    (("color", 0.7, 7), ("translate_x", 0.5, 8)),
    (("equalize", 0.3, 0), ("autocontrast", 0.4, 0)),
    (("translate_y", 0.4, 3), ("sharpness", 0.2, 6)),
    (("brightness", 0.9, 6), ("color", 0.2, 8)),
    (("solarize", 0.5, 2), ("invert", 0.0, 0)),
    (("equalize", 0.2, 0), ("autocontrast", 0.6, 0)),
    (("equalize", 0.2, 0), ("equalize", 0.6, 0)),
    (("color", 0.9, 9), ("equalize", 0.6, 0)),
    (("autocontrast", 0.8, 0), ("solarize", 0.2, 8)),
    (("brightness", 0.1, 3), ("color", 0.7, 0)),
    (("solarize", 0.4, 5), ("autocontrast", 0.9, 0)),
    (("translate_y", 0.9, 9), ("translate_y", 0.7, 9)),
    (("autocontrast", 0.9, 0), ("solarize", 0.8, 3)),
    (("equalize", 0.8, 0), ("invert", 0.1, 0)),
    (("translate_y", 0.7, 9), ("autocontrast", 0.9, 0)),
)

Operation = Callable[[Any, float], Any]
"""Takes a Pillow image and a strength, -1 to 1, and returns the changed image."""


def _affine(image: Any, *matrix: float) -> Any:
    """Return the image whose pixel (x, y) is the source's (a x + b y + c, d x + e y + f)."""
    return image.transform(image.size, import_extra("PIL.Image").Transform.AFFINE, matrix)


def _translation(length: int, strength: float) -> int:
    """Return by how many of ``length`` pixels to move: the paper's 150 of ImageNet's 331."""
    return int(length * strength * 150 / 331)


def _enhance(name: str) -> Operation:
    def operation(image: Any, strength: float) -> Any:
        return getattr(import_extra("PIL.ImageEnhance"), name)(image).enhance(1 + 0.9 * strength)
    return operation


def _pixels(name: str, *arguments: Callable[[float], float]) -> Operation:
    """Return an operation of ImageOps; each argument is a function of the strength's size."""
    def operation(image: Any, strength: float) -> Any:
        function = getattr(import_extra("PIL.ImageOps"), name)
        return function(image, *(argument(abs(strength)) for argument in arguments))
    return operation


OPERATIONS: dict[str, Operation] = {
    "autocontrast": _pixels("autocontrast"),
    "brightness": _enhance("Brightness"),
    "color": _enhance("Color"),
    "contrast": _enhance("Contrast"),
    "equalize": _pixels("equalize"),
    "invert": _pixels("invert"),
    "posterize": _pixels("posterize", lambda strength: 8 - round(4 * strength)),
    "rotate": lambda image, strength: image.rotate(30 * strength),
    "sharpness": _enhance("Sharpness"),
    "shear_y": lambda image, strength: _affine(image, 1, 0, 0, 0.3 * strength, 1, 0),
    "solarize": _pixels("solarize", lambda strength: 255 - 255 * strength),
    "translate_x": lambda image, strength: _affine(
        image, 1, 0, _translation(image.width, strength), 0, 1, 0
    ),
    "translate_y": lambda image, strength: _affine(
        image, 1, 0, 0, 0, 1, _translation(image.height, strength)
    ),
}


def change_images(name: str, inputs: Tensor, changes: Iterable[list[tuple[str, float]]]) -> Tensor:
    """Return images, each changed by operations of OPERATIONS with their strengths, one after the other.

    A ValueError names the augmentation, ``name``, if the inputs are no 8-bit RGB images (count, 3, height, width).
    """
    if inputs.ndim != 4 or inputs.shape[1] != 3 or inputs.dtype != torch.uint8:
        raise ValueError(
            f"training.augmentations.{name} needs {IMAGE_BITS}-bit RGB images (count, 3, height, "
            f"width), not {str(inputs.dtype).removeprefix('torch.')} {tuple(inputs.shape)}"
        )
    image = import_extra("PIL.Image")
    # Pillow works on the CPU.
    result = inputs.cpu().numpy().copy()
    for sample, operations in zip(result, changes, strict=True):
        changed = image.fromarray(np.ascontiguousarray(sample.transpose(1, 2, 0)))
        for operation, strength in operations:
            changed = OPERATIONS[operation](changed, strength)
        sample[:] = np.asarray(changed).transpose(2, 0, 1)
    return torch.from_numpy(result).to(inputs.device)


@dataclass(frozen=True, kw_only=True)
class AutoAugment:
    """Changes 8-bit RGB images by POLICY."""

    def __call__(self, inputs: Tensor, draw: np.random.RandomState) -> Tensor:
        pairs = draw.randint(len(POLICY), size=len(inputs))
        chances = draw.random_sample((len(inputs), 2))
        signs = draw.randint(2, size=(len(inputs), 2)) * 2 - 1
        return change_images("autoaugment", inputs, (
            [(name, float(side * level / STRONGEST))
             for (name, probability, level), drawn, side in zip(POLICY[pair], chance, sign, strict=True)
             if drawn < probability]
            for pair, chance, sign in zip(pairs, chances, signs, strict=True)
        ))


@dataclass(frozen=True, kw_only=True)
class RandAugment:
    """Changes 8-bit RGB images by ``count`` operations of OPERATIONS each, all of them equally likely.

    As in RandAugment (arXiv 1909.13719) one magnitude is for all operations. As in what vision transformers are
    usually trained with, it varies from image to image, and each operation is left out with a probability.
    """

    count: int = 1
    """Operations of an image, drawn one by one."""
    magnitude: float = 9.0
    """Of STRONGEST_DRAWN; the strength is this share of the strongest, either way."""
    deviation: float = 0.5
    """Standard deviation of the magnitude, which stays between 0 and STRONGEST_DRAWN."""
    probability: float = 0.5
    """Of each operation."""

    def __post_init__(self):
        if type(self.count) is not int or self.count < 1:
            raise ValueError(f"count must be an integer of 1 or more, not {self.count!r}")
        if not 0 <= self.magnitude <= STRONGEST_DRAWN:
            raise ValueError(f"magnitude must be in 0..{STRONGEST_DRAWN}, not {self.magnitude}")
        if not (math.isfinite(self.deviation) and self.deviation >= 0):
            raise ValueError(f"deviation must be 0 or more, not {self.deviation}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be in 0..1, not {self.probability}")

    def __call__(self, inputs: Tensor, draw: np.random.RandomState) -> Tensor:
        names, shape = list(OPERATIONS), (len(inputs), self.count)
        chosen = draw.randint(len(names), size=shape)
        used = draw.random_sample(shape) < self.probability
        magnitudes = (self.magnitude + self.deviation * draw.standard_normal(shape)).clip(0, STRONGEST_DRAWN)
        strengths = magnitudes / STRONGEST_DRAWN * (draw.randint(2, size=shape) * 2 - 1)
        return change_images("randaugment", inputs, (
            [(names[index], float(strength)) for index, use, strength in zip(*sample, strict=True) if use]
            for sample in zip(chosen, used, strengths, strict=True)
        ))
