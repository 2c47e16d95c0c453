"""MNIST from its four IDX files, gzipped or not."""

import gzip
import zlib
from pathlib import Path

import numpy as np

from ..formats.files import DataError, find_file, locate

__all__ = ["load_mnist", "read_idx"]

FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", 60_000),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", 10_000),
}
SIZE = 28


def read_idx(path: Path) -> np.ndarray:
    """Return the uint8 array in an IDX file, which is gzipped if its name ends in .gz."""
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a complete gzip file: {error}") from error
    if len(raw) < 4 or raw[:3] != b"\0\0\x08":
        raise DataError(f"{path}: expected IDX bytes (magic 000008), found {raw[:3].hex()}")
    header = 4 + 4 * raw[3]
    shape = [int.from_bytes(raw[i : i + 4], "big") for i in range(4, header, 4)]
    expected = header + int(np.prod(shape, dtype=object))
    if len(raw) < header or len(raw) != expected:
        raise DataError(f"{path}: expected {expected} bytes for shape {shape}, found {len(raw)}")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape)


def load_mnist(root: Path | None, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (count, 28, 28) and labels int64 of ``part``, from ``root`` or
    ``root/mnist``: the published files or what they unpack to."""
    image_name, label_name, count = FILES[part]
    paths = [
        find_file(root, "mnist", name.removesuffix(".gz")) or locate(root, "mnist", name)
        for name in (image_name, label_name)
    ]
    images, labels = (read_idx(path) for path in paths)
    for path, array, shape in zip(
        paths, (images, labels), ((count, SIZE, SIZE), (count,)), strict=True
    ):
        if array.shape != shape:
            raise DataError(f"{path}: expected shape {shape}, found {array.shape}")
    return images, labels.astype(np.int64)
