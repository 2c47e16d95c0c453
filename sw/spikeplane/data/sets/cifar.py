"""CIFAR-10 and CIFAR-100: the binary versions."""

import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..formats.files import DataError, find_file, find_folder, locate

__all__ = ["CIFAR10", "CIFAR100", "COUNTS", "SHAPE", "Cifar", "load_cifar"]

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


CIFAR10 = Cifar(
    folder="cifar10", archive="cifar-10-binary.tar.gz", inner="cifar-10-batches-bin",
    python=("cifar-10-batches-py", "cifar-10-python.tar.gz"),
    files={
        "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        "test": ("test_batch.bin",),
    },
    label_bytes=1, classes=10,
)
CIFAR100 = Cifar(
    folder="cifar100", archive="cifar-100-binary.tar.gz", inner="cifar-100-binary",
    python=("cifar-100-python", "cifar-100-python.tar.gz"),
    files={"train": ("train.bin",), "test": ("test.bin",)},
    label_bytes=2, classes=100,
)
COUNTS = {"train": 50_000, "test": 10_000}
"""Images of each part."""


def load_cifar(root: Path | None, form: Cifar, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (count, 3, 32, 32) and labels int64 of ``part``.

    From ``root`` or ``root/cifar10``: the folder of the binary version, or its .tar.gz archive.
    """
    names = form.files[part]
    folder = find_folder(root, form.folder, form.inner)
    if folder is not None:
        paths = [locate(folder, form.inner, name) for name in names]
        parts = [_records(form, str(path), path.read_bytes()) for path in paths]
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
