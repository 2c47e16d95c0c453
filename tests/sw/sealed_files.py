"""Files of ours changed by somebody who knows how: hashes are computed anew, so that only the values are wrong."""

import json
from collections.abc import Callable
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from spikeplane.network.container import read_container, write_container
from spikeplane.training.run import checkpoint as checkpoints

__all__ = ["change_checkpoint", "change_container"]


def change_checkpoint(path: Path, header: Callable | None = None, tensors: Callable | None = None) -> None:
    """Change the header and the tensors of a checkpoint in place."""
    with safe_open(path, framework="pt") as file:
        found = json.loads(file.metadata()["spikeplane"])
    values = load_file(path)
    for change, what in ((header, found), (tensors, values)):
        if change:
            change(what)
    found.pop("sha256", None)
    found["sha256"] = checkpoints._digest(found, values)
    save_file(values, path, {"spikeplane": json.dumps(found)})


def change_container(path: Path, kind: str, version: int, header: Callable | None = None,
                     tensors: Callable | None = None) -> None:
    """Change the header and the tensors of a network or an image in place."""
    found, values = read_container(path, kind, version)
    for change, what in ((header, found), (tensors, values)):
        if change:
            change(what)
    write_container(path, kind, version, found, values)
