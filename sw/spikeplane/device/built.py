"""Which library was built for a device, found without elaborating it.

Elaborating takes seconds, and gives nothing but the text whose hash names the library. For a plain Device that
text follows from its configuration, the sources of spikeplane_hw, Amaranth and Python: their hash is a key, and a
file named by it says which library it is. Where anything may be otherwise there is no key, and the device is
elaborated. What a program changes in loaded modules is not seen: such a device has to be passed as a component.
"""

import hashlib
import sys
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import spikeplane_hw
from spikeplane_hw.config import CoreConfig

from ..writing import write_text

__all__ = ["find_library", "quick_key", "record_library"]

PACKAGE = Path(spikeplane_hw.__file__).parent
SUFFIX = ".built"
MARGIN = 2_000_000_000
"""Nanoseconds that a file's time may be too early: clocks of file systems are coarse."""


def quick_key(config: CoreConfig | None, recipe: str) -> str | None:
    """Return a key of the Device of ``config``, built as ``recipe`` says, or None if only elaborating can tell.

    There is a key for a configuration, with a released Amaranth, of sources that are older than this process's
    import of them. ``recipe`` is the text of all else that makes the library: tools, flags.
    """
    if type(config) is not CoreConfig:
        return None
    if metadata.distribution("amaranth").read_text("direct_url.json") is not None:
        return None  # Installed from a folder or a repository: it may change under one version.
    digest = hashlib.sha256()
    for text in (recipe, repr(asdict(config)), metadata.version("amaranth"), sys.version):
        digest.update(f"{len(text)}\n{text}".encode())
    for path in [*sorted(PACKAGE.rglob("*.py")), *sorted(Path(__file__).parent.glob("*.py"))]:
        status = path.stat()
        if max(status.st_mtime_ns, status.st_ctime_ns) + MARGIN > spikeplane_hw.IMPORT_TIME:
            return None
        content = path.read_bytes()
        digest.update(f"{path.name}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()[:20]


def find_library(directory: Path, key: str) -> Path | None:
    """Return the library recorded for ``key``, or None if there is none, or no longer."""
    try:
        name = (directory / f"{key}{SUFFIX}").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    library = directory / name
    return library if library.suffix == ".so" and library.parent == directory and library.is_file() else None


def record_library(directory: Path, key: str, library: Path) -> None:
    """Write that ``library``, of ``directory``, is the one for ``key``."""
    write_text(directory / f"{key}{SUFFIX}", library.name)
