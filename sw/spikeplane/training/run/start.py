"""Starting a training from a checkpoint of another one: weights are taken over by name and shape.

The other training may have had other time steps, bits, neurons, quantizers or widths.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..net.networks import SpikingNetwork
from .checkpoint import CheckpointError, load_checkpoint

__all__ = ["file_digest", "start_table", "take_over"]


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file; a ValueError says that it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error


def take_over(network: SpikingNetwork, path: Path) -> dict[str, Any]:
    """Copy tensors of the checkpoint at ``path`` that fit ``network`` by name and shape.

    Returns what a checkpoint records: ``file``, its ``sha256``, the names ``taken``, and of all
    others in ``left`` why not. A CheckpointError says that none fits.
    """
    digest = file_digest(path)
    source = load_checkpoint(path).network.state_dict()
    own = network.state_dict()
    taken, left = [], {}
    for name in own.keys() | source.keys():
        if name not in source:
            left[name] = "not in the file"
        elif name not in own:
            left[name] = "not in this network"
        elif source[name].shape != own[name].shape:
            left[name] = f"{_shape(source[name])} in the file, {_shape(own[name])} here"
        else:
            taken.append(name)
    # Every normalization counts its batches alike: that alone is nothing.
    if not any(own[name].ndim for name in taken):
        raise CheckpointError(
            f"training.start.checkpoint {path}: no tensor fits this network by name and shape; the file "
            f"has layers {', '.join(_layers(source))}, this network {', '.join(_layers(own))}"
        )
    network.load_state_dict({**own, **{name: source[name] for name in taken}})
    return {
        "file": path.name, "sha256": digest, "taken": sorted(taken), "left": dict(sorted(left.items())),
    }


def start_table(record: dict[str, Any]) -> Iterator[str]:
    """Yield lines that say what was taken over and what was not, layer by layer."""
    yield f"started from {record['file']}:"
    taken: dict[str, int] = {}
    for name in record["taken"]:
        taken[_layer(name)] = taken.get(_layer(name), 0) + 1
    left: dict[str, list[str]] = {}
    for name, why in record["left"].items():
        layer = _layer(name)
        left.setdefault(layer, []).append(f"{name.removeprefix(f'layers.{layer}.')}: {why}")
    names = list(dict.fromkeys([*taken, *left]))
    width = max(map(len, names))
    for layer in names:
        text = f"{taken.get(layer, 0)} tensors taken over"
        yield f"  {layer:{width}}  {text}{''.join(f'; {why}' for why in left.get(layer, ()))}"


def _shape(tensor: Any) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def _layer(name: str) -> str:
    return name.split(".")[1]


def _layers(tensors: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(map(_layer, tensors)))
