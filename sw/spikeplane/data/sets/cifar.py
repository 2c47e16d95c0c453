"""CIFAR-10 and CIFAR-100: the binary versions, and CIFAR-10 as strips of lossless WebP."""

import io
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..formats.files import DataError, find_file, find_folder, import_extra, locate

__all__ = ["CIFAR10", "CIFAR100", "Cifar", "load_cifar", "read_strips"]

SHAPE = (3, 32, 32)
"""Channels red, green, blue; height; width."""


@dataclass(frozen=True, kw_only=True)
class Cifar:
    """What the binary version of a data set looks like."""

    folder: str
    archive: str
    python: tuple[str, str]
    """Folder and archive of the Python version, of pickles, which we do not read."""
    inner: str
    """The archive's folder."""
    files: dict[str, tuple[str, ...]]
    """Of each part."""
    label_bytes: int
    """In front of an image; the last one is the class."""
    classes: int
    strips: dict[str, tuple[str, ...]]
    """Of each part, if the data set may come as strips."""


CIFAR10 = Cifar(
    folder="cifar10", archive="cifar-10-binary.tar.gz", inner="cifar-10-batches-bin",
    python=("cifar-10-batches-py", "cifar-10-python.tar.gz"),
    files={
        "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        "test": ("test_batch.bin",),
    },
    label_bytes=1, classes=10,
    strips={"train": ("train_a.zip", "train_b.zip"), "test": ("test.zip",)},
)
CIFAR100 = Cifar(
    folder="cifar100", archive="cifar-100-binary.tar.gz", inner="cifar-100-binary",
    python=("cifar-100-python", "cifar-100-python.tar.gz"),
    files={"train": ("train.bin",), "test": ("test.bin",)},
    label_bytes=2, classes=100, strips={},
)
COUNTS = {"train": 50_000, "test": 10_000}


def load_cifar(root: Path | None, form: Cifar, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (count, 3, 32, 32) and labels int64 of ``part``.

    From ``root`` or ``root/cifar10``: the folder of the binary version, or its .tar.gz archive,
    or strips.
    """
    names = form.files[part]
    folder = find_folder(root, form.folder, form.inner)
    strips = find_file(root, form.folder, form.strips[part][0]) if form.strips else None
    if folder is not None:
        paths = [locate(folder, form.inner, name) for name in names]
        parts = [_records(form, str(path), path.read_bytes()) for path in paths]
    elif strips is not None:
        parts = [read_strips([strips.with_name(name) for name in form.strips[part]])]
    else:
        archive = _archive(root, form)
        parts = [_records(form, name, raw) for name, raw in _members(archive, form, names)]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    if len(labels) != COUNTS[part]:
        raise DataError(
            f"{form.folder} {part}: expected {COUNTS[part]} images, found {len(labels)}"
        )
    return images, labels.astype(np.int64)


def _archive(root: Path | None, form: Cifar) -> Path:
    try:
        return locate(root, form.folder, form.archive, f"{form.folder}/{form.inner}")
    except DataError as error:
        inner, archive = form.python
        other = find_folder(root, form.folder, inner) or find_file(root, form.folder, archive)
        if other is None:
            raise
        raise DataError(
            f"{error}; {other} is the Python version, whose pickles are programs that Spikeplane "
            f"does not run: the binary version is on the same page"
        ) from error


def _members(archive: Path, form: Cifar, names: tuple[str, ...]) -> list[tuple[str, bytes]]:
    """Return what the archive's files hold; nothing is unpacked to the disk."""
    found = {}
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                name = member.name.removeprefix("./").removeprefix(f"{form.inner}/")
                content = members.extractfile(member) if name in names else None
                if content is not None:
                    found[name] = content.read()
    except Exception as error:  # Whatever tarfile and gzip stumble over in a damaged file.
        raise DataError(f"{archive}: not a complete .tar.gz file: {error}") from error
    for name in names:
        if name not in found:
            raise DataError(f"{archive}: {form.inner}/{name} is missing")
    return [(f"{archive}: {name}", found[name]) for name in names]


def _records(form: Cifar, name: str, raw: bytes) -> tuple[np.ndarray, np.ndarray]:
    size = form.label_bytes + int(np.prod(SHAPE))
    if not raw or len(raw) % size:
        raise DataError(f"{name}: expected a positive multiple of {size} bytes, found {len(raw)}")
    records = np.frombuffer(raw, np.uint8).reshape(-1, size)
    images = records[:, form.label_bytes :].reshape(-1, *SHAPE)
    return images, records[:, form.label_bytes - 1]


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
