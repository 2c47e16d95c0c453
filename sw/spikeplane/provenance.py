"""Where a result comes from: version, commit and date."""

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from . import __version__

__all__ = ["commit", "provenance"]


def commit(file: Path = Path(__file__)) -> str:
    """Return the commit of the checkout that ``file`` is part of, with "-dirty" where it was changed since.

    Empty without git, and of a file that no checkout has, such as an installed one within another project.
    """
    git = shutil.which("git")
    if git is None:
        return ""
    tracked = [git, "-C", str(file.parent), "ls-files", "--error-unmatch", file.name]
    if subprocess.run(tracked, capture_output=True, check=False).returncode:
        return ""
    described = [git, "-C", str(file.parent), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    return subprocess.run(described, capture_output=True, text=True, check=True).stdout.strip()


def provenance() -> dict[str, str]:
    """Return what makes a result, in words: the version of Spikeplane, its commit if it is a checkout, the date."""
    return {
        "version": __version__, "commit": commit() or "none: installed as a package",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
