"""The file format of networks and images: safetensors with one JSON header and a content hash."""

import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..writing import write_bytes
from .safetensors_file import KEY, FileError, header_text, parse_header, read_file

__all__ = ["ContainerError", "content_digest", "read_container", "write_container"]

UNREADABLE = (SafetensorError, ValueError, TypeError, KeyError, AttributeError)
"""What the library raises on tensors that numpy has no type or shape for."""


class ContainerError(ValueError):
    """A file cannot be used; the message names it and the reason."""


def write_container(
    path: Path | str, kind: str, version: int, header: dict, tensors: dict[str, np.ndarray]
) -> None:
    """Write ``header`` (JSON values) and ``tensors``, as :func:`.writing.write_bytes` writes.

    Raises a ContainerError if the header is no JSON, a WritingError if the file cannot be written.
    """
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    whole = {"kind": kind, "version": version, "header": header}
    try:
        whole["sha256"] = _digest(whole, tensors)
        content = save(tensors, {KEY: header_text(whole)})
    except FileError as error:
        raise ContainerError(f"{path}: {error}") from error
    write_bytes(path, content)


def content_digest(kind: str, version: int, header: dict, tensors: dict[str, np.ndarray]) -> str:
    """Return the SHA-256, in hexadecimal, that a file of these would carry."""
    try:
        return _digest({"kind": kind, "version": version, "header": header}, tensors)
    except FileError as error:
        raise ContainerError(f"{kind}: {error}") from error


def read_container(
    path: Path | str, kind: str, version: int, oldest: int | None = None
) -> tuple[dict, dict[str, np.ndarray]]:
    """Return (header, tensors) of a file of this version, or of versions from the ``oldest`` on.

    Raises a ContainerError if the file is missing, truncated, of another kind or version, or
    altered since it was written. Nothing in it is executed.
    """
    path = Path(path)
    try:
        return _read(path, kind, range(version if oldest is None else oldest, version + 1))
    except FileError as error:
        raise ContainerError(f"{path}: {error}") from error


def _read(path: Path, kind: str, versions: range) -> tuple[dict, dict[str, np.ndarray]]:
    content, text = read_file(path)
    header = parse_header(text)
    if "kind" not in header:
        raise FileError(f"a Spikeplane file, but no {kind}: a checkpoint" if "recipe" in header else
                        f"a Spikeplane file, but no {kind}: its header has no kind")
    if header["kind"] != kind:
        raise FileError(f"a Spikeplane file of kind {header['kind']!r}, not {kind!r}")
    if type(header.get("version")) is not int or header["version"] not in versions:
        known = " and ".join(map(str, versions))
        raise FileError(f"{kind} format version {header.get('version')!r}; this program reads version {known}")
    if set(header) != {"kind", "version", "header", "sha256"} or not isinstance(header["header"], dict):
        raise FileError(f"the header is not that of a {kind}: it has {', '.join(header)}")
    try:
        tensors = load(content)
    except UNREADABLE as error:
        raise FileError(f"truncated, or not a safetensors file: {error}") from error
    digest = header.pop("sha256")
    if digest != _digest(header, tensors):
        raise FileError("damaged or altered: the content does not match its hash")
    return header["header"], tensors


def _digest(header: dict, tensors: dict[str, np.ndarray]) -> str:
    header_text(header)  # Refuses what is nested too deep.
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, tensor.dtype.str, tensor.shape]).encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()
