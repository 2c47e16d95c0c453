"""Files of integer networks: what each class says of its fields, as JSON and as arrays."""

import enum
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from .checks import NetworkError
from .container import ContainerError, content_digest, read_container, write_container
from .endings import Digit, Ending, Fire, Logits, Store
from .graph import IntegerNetwork
from .input import InputFormat
from .layer import Layer
from .node import Node
from .packing import PackingError, pack, unpack
from .pool import OrPool
from .product import Product
from .shortcut import Shortcut
from .stored import Stored
from .term import Term
from .window import Window

__all__ = ["load_network", "network_digest", "save_network"]

FILE_KIND = "network"
FILE_VERSION, OLDEST_VERSION = 4, 3
"""Written, and read as well: version 3 has weights of 16 bits each."""
KINDS: dict[type, dict[str, type]] = {
    Node: {kind.kind: kind for kind in (Layer, OrPool)},
    Term: {kind.kind: kind for kind in (Window, Product, Shortcut, Stored)},
    Ending: {kind.kind: kind for kind in (Fire, Store, Digit, Logits)},
}
"""The classes that stand for each other in a network, by the names in files."""
PACKED, TYPE = "weight", np.int32
"""The field whose integers are packed, and the type of all others."""


def save_network(network: IntegerNetwork, path: Path | str) -> None:
    """Write ``network`` to a safetensors file; it must pass ``verify()``.

    A NetworkError says what of it breaks a rule or is no JSON, a WritingError that the file cannot be written.
    """
    network.verify()
    try:
        write_container(path, FILE_KIND, FILE_VERSION, *_content(network))
    except ContainerError as error:
        raise NetworkError(str(error)) from error


def network_digest(network: IntegerNetwork) -> str:
    """Return the SHA-256 of all that ``network`` is, in hexadecimal: the one that its file carries."""
    try:
        return content_digest(FILE_KIND, FILE_VERSION, *_content(network))
    except ContainerError as error:
        raise NetworkError(str(error)) from error


def _content(network: IntegerNetwork) -> tuple[dict, dict[str, np.ndarray]]:
    """Return header and tensors of a network's file."""
    tensors: dict[str, np.ndarray] = {"logit_offset": network.logit_offset.astype(TYPE)}
    header = {
        "input": asdict(network.input), "logit_scale": float(network.logit_scale),
        "nodes": [_entry(node, node.name, tensors) for node in network.nodes],
        "metadata": network.metadata,
    }
    return header, tensors


def _entry(value: Any, name: str, tensors: dict[str, np.ndarray]) -> Any:
    """Return ``value`` as JSON; its arrays are put into ``tensors`` by names that begin with ``name``."""
    if is_dataclass(value):
        kind = getattr(value, "kind", None)
        entry: dict[str, Any] = {} if kind is None else {"kind": kind}
        for item in fields(value):
            entry[item.name] = _entry(getattr(value, item.name), f"{name}.{item.name}", tensors)
        return entry
    if isinstance(value, np.ndarray):
        if name.rpartition(".")[2] != PACKED:
            tensors[name] = value.astype(TYPE)
            return {"tensor": name}
        tensors[name], form = pack(value)
        return {"tensor": name, "packed": form}
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, tuple):
        return [_entry(each, f"{name}.{index}", tensors) for index, each in enumerate(value)]
    return value.item() if isinstance(value, np.generic) else value


def load_network(path: Path | str) -> IntegerNetwork:
    """Return the verified network in a file.

    Raises a NetworkError naming the file and the reason if it is missing, truncated, altered, of
    another kind or version, or breaks a rule of networks.
    """
    try:
        header, tensors = read_container(path, FILE_KIND, FILE_VERSION, OLDEST_VERSION)
    except ContainerError as error:
        raise NetworkError(str(error)) from error
    try:
        network = IntegerNetwork(
            input=InputFormat(**header["input"]),
            nodes=[_value(Node, entry, tensors) for entry in header["nodes"]],
            logit_offset=_integers(tensors, "logit_offset"),
            logit_scale=header["logit_scale"],
            metadata=header["metadata"],
        )
        network.verify()
    except (NetworkError, PackingError) as error:
        raise NetworkError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise NetworkError(f"{path}: the header is not that of a network: {error!r}") from error
    unread = tensors.keys() - _content(network)[1].keys()
    if unread:
        raise NetworkError(f"{path}: tensor {min(unread)} belongs to no layer")
    return network


def _integers(tensors: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Return a tensor as int64; a NetworkError says that its values would not stay as they are."""
    tensor = tensors[name]
    if not np.can_cast(tensor.dtype, np.int64):
        raise NetworkError(f"tensor {name} is of {tensor.dtype}, must be of integers of at most 64 signed bits")
    return tensor.astype(np.int64)


def _value(kind: Any, entry: Any, tensors: dict[str, np.ndarray]) -> Any:
    """Return what ``entry`` stands for in a field of type ``kind``; the inverse of :func:`_entry`."""
    if isinstance(kind, UnionType):
        if entry is None:
            return None
        (kind,) = (choice for choice in get_args(kind) if choice is not NoneType)
    if get_origin(kind) is tuple:
        choices = get_args(kind)
        return tuple(
            _value(choices[0 if choices[-1] is Ellipsis else index], each, tensors)
            for index, each in enumerate(entry)
        )
    if kind is np.ndarray:
        name = entry["tensor"]
        return unpack(tensors[name], entry["packed"]) if "packed" in entry else _integers(tensors, name)
    if kind in KINDS:
        entry = dict(entry)
        kind = KINDS[kind][entry.pop("kind")]
    if isinstance(kind, type) and is_dataclass(kind):
        known = get_type_hints(kind)
        return kind(**{name: _value(known[name], each, tensors) for name, each in entry.items()})
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind[entry]
    return entry
