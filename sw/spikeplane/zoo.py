"""Networks that come along: checkpoints of the folder zoo/, in a checkout or beside an installed package, by name."""

from importlib import metadata
from pathlib import Path

__all__ = ["find_checkpoint", "zoo_checkpoints"]

FOLDER = Path(__file__).parents[2] / "zoo"
"""In a checkout."""
FILE = "checkpoint.safetensors"


def zoo_checkpoints() -> dict[str, Path]:
    """Return the checkpoint of each network of the zoo, by its name; nothing if the zoo did not come along."""
    found = {path.parent.name: path for path in FOLDER.glob(f"*/{FILE}")}
    if not found:
        try:
            installed = metadata.files("spikeplane") or []
        except metadata.PackageNotFoundError:
            installed = []
        for each in installed:
            if each.name == FILE and each.parent.parent.name == "zoo":
                found[each.parent.name] = Path(str(each.locate())).resolve()
    return dict(sorted(found.items()))


def find_checkpoint(name: Path) -> Path:
    """Return the checkpoint that ``name`` is: a file that is there, else a network of the zoo of this name."""
    if name.exists() or len(name.parts) != 1:
        return name
    return zoo_checkpoints().get(str(name), name)
