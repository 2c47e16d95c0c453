"""What the samples of Spikeplane's own data sets look like, known without loading them, or of one's own."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...network.input import InputFormat
from ..formats.aedat import DVS128
from ..formats.events import EVENT, Recording
from ..formats.nmnist_bin import SIZE as NMNIST_SIZE
from . import cifar, cifar10dvs, dvsgesture, mnist, ncars, nmnist
from .dataset import image_format
from .datasets import OWN, DataRecipe, load_dataset
from .digits import CAMERA

__all__ = ["SHAPES", "SampleShape", "input_format"]


@dataclass(frozen=True, kw_only=True)
class SampleShape:
    """Pixels and classes of a data set's samples."""

    height: int
    width: int
    classes: int = 10
    colours: int = 0
    """Channels of an image; 0: recordings."""


CIFAR_COLOURS, CIFAR_HEIGHT, CIFAR_WIDTH = cifar.SHAPE
SHAPES = {
    "cifar10": SampleShape(height=CIFAR_HEIGHT, width=CIFAR_WIDTH, colours=CIFAR_COLOURS,
                           classes=cifar.CIFAR10.classes),
    "cifar100": SampleShape(height=CIFAR_HEIGHT, width=CIFAR_WIDTH, colours=CIFAR_COLOURS,
                            classes=cifar.CIFAR100.classes),
    "cifar10dvs": SampleShape(height=DVS128, width=DVS128, classes=len(cifar10dvs.CLASSES)),
    "digits": SampleShape(height=CAMERA.height, width=CAMERA.width),
    "dvsgesture": SampleShape(height=DVS128, width=DVS128, classes=dvsgesture.CLASSES),
    "mnist": SampleShape(height=mnist.SIZE, width=mnist.SIZE, colours=1),
    "ncars": SampleShape(height=ncars.HEIGHT, width=ncars.WIDTH, classes=len(ncars.CLASSES)),
    "nmnist": SampleShape(height=NMNIST_SIZE, width=NMNIST_SIZE, classes=nmnist.CLASSES),
}


def input_format(recipe: DataRecipe, root: Path | None = None) -> tuple[InputFormat, int]:
    """Return the format of a recipe's samples and the number of classes.

    Nothing is loaded but the test part of files of one's own, below ``root``.

    A ValueError says that the data are needed if the data set is none of Spikeplane's own.
    """
    if recipe.name in OWN:
        test = load_dataset(recipe, "test", root)
        return test.input, test.classes
    if recipe.name not in SHAPES:
        raise ValueError(
            f"data set {recipe.name!r}: the shape of its samples is known only from the data; known without "
            f"are {', '.join(SHAPES)}"
        )
    shape = SHAPES[recipe.name]
    if shape.colours:
        rows, columns = recipe.middle(shape.height, shape.width)
        sides = (rows.stop - rows.start, columns.stop - columns.start)
        return image_format(recipe, (shape.colours, *sides)), shape.classes
    frame = Recording(name=recipe.name, events=np.empty(0, EVENT), width=shape.width, height=shape.height)
    height, width = recipe.bins(None).size(frame)
    return InputFormat(channels=2, height=height, width=width, steps=recipe.steps), shape.classes
