"""CIFAR-10 as strips of lossless WebP in zip files: what the benches train and test with.

Spikeplane itself reads the binary version only.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
from spikeplane.data.formats.files import DataError, import_extra, locate
from spikeplane.data.sets.cifar import CIFAR10, COUNTS, SHAPE
from spikeplane.data.sets.datasets import DataRecipe, Dataset, from_images

__all__ = ["STRIPS", "load_strips", "read_strips", "strips_loader"]

STRIPS = {"train": ("train_a.zip", "train_b.zip"), "test": ("test.zip",)}
"""The files of each part."""


def load_strips(root: Path | None, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (count, 3, 32, 32) and labels int64 of ``part``, from ``root`` or its folder there."""
    images, labels = read_strips([locate(root, CIFAR10.folder, name) for name in STRIPS[part]])
    if len(labels) != COUNTS[part]:
        raise DataError(f"{CIFAR10.folder} {part}: expected {COUNTS[part]} images, found {len(labels)}")
    return images, labels.astype(np.int64)


def strips_loader(recipe: DataRecipe, root: Path | None, part: str) -> Dataset:
    """Return CIFAR-10 for DATASETS."""
    return from_images(recipe, part, lambda: load_strips(root, part), CIFAR10.classes)


def read_strips(paths: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (count, 3, 32, 32) and labels uint8 of zip files.

    Each holds lossless WebP files of many images, one above the other, in the order of the file's
    names; one holds the labels of all, a byte each, as labels.u8.
    """
    image = import_extra("PIL.Image")
    channels, height, width = SHAPE
    images, labels = [], None
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path} is missing")
        try:
            with zipfile.ZipFile(path) as archive:
                for name in sorted(archive.namelist()):
                    if name.endswith(".webp"):
                        strip = image.open(io.BytesIO(archive.read(name)), formats=["WEBP"])
                        array = np.asarray(strip.convert("RGB"))
                        images.append(array.reshape(-1, height, width, channels))
                    elif name.endswith("labels.u8"):
                        labels = np.frombuffer(archive.read(name), np.uint8)
        except Exception as error:  # Whatever zipfile and Pillow stumble over in a damaged file.
            raise DataError(f"{path}: not a complete zip file of strips: {error}") from error
    if labels is None or not images or len(labels) != (count := sum(map(len, images))):
        found = "none" if labels is None else len(labels)
        raise DataError(
            f"{', '.join(map(str, paths))}: expected a label for each of {sum(map(len, images))} "
            f"images, found {found}"
        )
    result = np.empty((count, *SHAPE), np.uint8)
    np.concatenate(images, out=result.transpose(0, 2, 3, 1))
    return result, labels
