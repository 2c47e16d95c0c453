"""Files of arrays, read without trust: .npy and .npz without pickle, .safetensors."""

import io
import json
import math
import zipfile
from collections.abc import Collection
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from .files import DataError

__all__ = ["ARRAY_FILES", "npy_array", "npz_arrays", "read_arrays"]

ARRAY_FILES = (".npy", ".npz", ".safetensors")
DEFLATE_RATIO = 1032
"""The most bytes that a compressed one can make."""
LENGTH_BYTES = 8
"""Of the length of a safetensors header, ahead of it."""
TYPES = {
    "BOOL": np.bool_, "U8": np.uint8, "I8": np.int8, "U16": np.uint16, "I16": np.int16, "U32": np.uint32,
    "I32": np.int32, "U64": np.uint64, "I64": np.int64, "F16": np.float16, "F32": np.float32, "F64": np.float64,
}
"""NumPy's types of those of safetensors."""


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays in a file by their names; the one in an .npy file is called by an empty name.

    Those of .npy and .safetensors stay in the file, as memory maps; an .npz is read whole. A DataError names the file
    and what is wrong. Nothing is executed: an array of Python objects is an error.
    """
    path = Path(path)
    if path.suffix.lower() not in ARRAY_FILES:
        raise DataError(f"{path}: expected a name that ends in one of {', '.join(ARRAY_FILES)}")
    if not path.is_file():
        raise DataError(f"{path} is missing: expected a file of arrays")
    reader = {".npy": _npy, ".npz": _npz, ".safetensors": _safetensors}[path.suffix.lower()]
    try:
        return reader(path)
    except (Exception, SafetensorError) as error:  # Whatever the libraries stumble over in a damaged file.
        raise DataError(f"{path}: not a readable file of arrays: {error}") from error


def _npy(path: Path) -> dict[str, np.ndarray]:
    loaded = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(loaded, np.ndarray):  # NumPy looks at the content, not at the name.
        loaded.close()
        raise ValueError("an archive of arrays, whose name must end in .npz")
    return {"": loaded}


def _npz(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        return npz_arrays(archive, path.stat().st_size)


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    with safe_open(path, framework="numpy"):
        pass  # The library checks header and sizes.
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        if entry["dtype"] not in TYPES:
            raise ValueError(f"tensor {name} is of {entry['dtype']}, must be one of {', '.join(TYPES)}")
        first, last = entry["data_offsets"]
        kind, shape = TYPES[entry["dtype"]], tuple(entry["shape"])
        found[name] = np.memmap(path, kind, "r", LENGTH_BYTES + length + first, shape) if last > first else (
            np.zeros(shape, kind)
        )
    return found


def npz_arrays(archive: zipfile.ZipFile, size: int, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file of ``size`` bytes, or those of these names; a ValueError says what is wrong."""
    values = {}
    for item in archive.infolist():
        name = item.filename.removesuffix(".npy")
        if names is None or name in names:
            if item.file_size > size * DEFLATE_RATIO:
                raise ValueError(f"{item.filename} claims {item.file_size} bytes, of a file of {size}")
            with archive.open(item) as member:
                content = member.read(item.file_size)
            values[name] = npy_array(io.BytesIO(content), len(content))
    return values


def npy_array(stream: io.BytesIO, size: int) -> np.ndarray:
    """Return the array of an .npy file of ``size`` bytes, after a look at how many its header claims."""
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version} of the format, must be one of {', '.join(map(str, readers))}")
    shape, _, dtype = readers[version](stream)
    claimed, left = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if not dtype.hasobject and claimed != left:
        raise ValueError(f"the header claims {claimed} bytes of {dtype}, the file has {left}")
    stream.seek(0)
    return np.load(stream, allow_pickle=False)
