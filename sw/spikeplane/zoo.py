"""Networks that come along: files of the folder zoo/, in a checkout or beside an installed package, by name."""

from importlib import metadata
from pathlib import Path

__all__ = ["NETWORK", "find_checkpoint", "find_network", "zoo_checkpoints", "zoo_networks"]

FOLDER = Path(__file__).parents[2] / "zoo"
"""In a checkout."""
CHECKPOINT, NETWORK = "checkpoint.safetensors", "network.safetensors"


def zoo_checkpoints() -> dict[str, Path]:
    """Return the checkpoint of each network of the zoo, by its name; nothing if the zoo did not come along."""
    return _files(CHECKPOINT)


def zoo_networks() -> dict[str, Path]:
    """Return the file of each network of the zoo that comes as integers alone, since its checkpoint is large."""
    return _files(NETWORK)


def find_checkpoint(name: Path) -> Path:
    """Return the checkpoint that ``name`` is: a file that is there, else a network of the zoo of this name."""
    return _found(name, CHECKPOINT)


def find_network(name: Path) -> Path:
    """Return the network that ``name`` is: a file that is there, else one of :func:`zoo_networks` of this name."""
    return _found(name, NETWORK)


def _files(file: str) -> dict[str, Path]:
    found = {path.parent.name: path for path in FOLDER.glob(f"*/{file}")}
    if not found:
        try:
            installed = metadata.files("spikeplane") or []
        except metadata.PackageNotFoundError:
            installed = []
        for each in installed:
            if each.name == file and each.parent.parent.name == "zoo":
                found[each.parent.name] = Path(str(each.locate())).resolve()
    return dict(sorted(found.items()))


def _found(name: Path, file: str) -> Path:
    if name.exists() or len(name.parts) != 1:
        return name
    return _files(file).get(str(name), name)
