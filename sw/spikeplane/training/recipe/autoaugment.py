"""AutoAugment: two random operations of a learned policy on each image (arXiv 1805.09501).

The policy is the paper's for CIFAR-10: a pair of operations, each with its probability and its
strength, 0 to 9. Strengths are spread evenly over the ranges of the paper's appendix; what comes in
from outside the image is 0. torchvision has AutoAugment too, but a build of it works only with the
very build of PyTorch that it was made for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ...data.formats.files import import_extra

__all__ = ["OPERATIONS", "POLICY", "AutoAugment"]

STRONGEST = 9
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


@dataclass(frozen=True, kw_only=True)
class AutoAugment:
    """Changes 8-bit RGB images by POLICY."""

    bits: ClassVar[int] = 8
    """What ``data.bits`` must be."""

    def __call__(self, inputs: Tensor, draw: np.random.RandomState) -> Tensor:
        if inputs.ndim != 4 or inputs.shape[1] != 3 or inputs.dtype != torch.uint8:
            raise ValueError(
                f"training.augmentations.autoaugment needs 8-bit RGB images (count, 3, height, "
                f"width), not {str(inputs.dtype).removeprefix('torch.')} {tuple(inputs.shape)}"
            )
        image = import_extra("PIL.Image")
        pairs = draw.randint(len(POLICY), size=len(inputs))
        chances = draw.random_sample((len(inputs), 2))
        signs = draw.randint(2, size=(len(inputs), 2)) * 2 - 1
        # Pillow works on the CPU.
        result = inputs.cpu().numpy().copy()
        for sample, pair, chance, sign in zip(result, pairs, chances, signs, strict=True):
            changed = image.fromarray(np.ascontiguousarray(sample.transpose(1, 2, 0)))
            for (name, probability, level), drawn, side in zip(POLICY[pair], chance, sign, strict=True):
                if drawn < probability:
                    changed = OPERATIONS[name](changed, float(side * level / STRONGEST))
            sample[:] = np.asarray(changed).transpose(2, 0, 1)
        return torch.from_numpy(result).to(inputs.device)
