"""The file format of networks and images: safetensors with one JSON header and a content hash."""

import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

__all__ = ["ContainerError", "read_container", "write_container"]

KEY = "spikeplane"


class ContainerError(ValueError):
    """A file cannot be used; the message names it and the reason."""


def write_container(
    path: Path | str, kind: str, version: int, header: dict, tensors: dict[str, np.ndarray]
) -> None:
    """Write ``header`` (JSON values) and ``tensors``; an interrupted write leaves no file."""
    path = Path(path)
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    header = {"kind": kind, "version": version, "header": header}
    header["sha256"] = _digest(header, tensors)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(save(tensors, {KEY: json.dumps(header)}))
    partial.replace(path)


def read_container(path: Path | str, kind: str, version: int) -> tuple[dict, dict[str, np.ndarray]]:
    """Return (header, tensors) of a file.

    Raises a ContainerError if the file is missing, truncated, of another kind or version, or
    altered since it was written. Nothing in it is executed.
    """
    path = Path(path)
    if not path.is_file():
        raise ContainerError(f"{path}: no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(KEY)
            tensors = {name: file.get_tensor(name) for name in list(file.keys())}
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ContainerError(f"{path}: truncated, or not a safetensors file: {error}") from error
    if text is None:
        raise ContainerError(f"{path}: a safetensors file, but not written by Spikeplane")
    try:
        header = json.loads(text)
        found = (header["kind"], header["version"])
        digest = header.pop("sha256")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContainerError(f"{path}: the header is not readable: {error!r}") from error
    if found[0] != kind:
        raise ContainerError(f"{path}: a Spikeplane file of kind {found[0]!r}, not {kind!r}")
    if found[1] != version:
        raise ContainerError(
            f"{path}: {kind} format version {found[1]!r}; this program reads version {version}"
        )
    if digest != _digest(header, tensors):
        raise ContainerError(f"{path}: damaged or altered: the content does not match its hash")
    return header["header"], tensors


def _digest(header: dict, tensors: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, tensor.dtype.str, tensor.shape]).encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()
