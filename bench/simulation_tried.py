"""What was tried to make simulated boards faster: builds with other options of Verilator and of the compiler."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from spikeplane.device import verilate
from spikeplane_hw.config import CoreConfig

__all__ = ["TRIED", "build"]


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What is put in place of options that a simulated board is built with, as pairs of before and instead."""

    verilator: tuple[tuple[str, str], ...] = ()
    compiler: tuple[tuple[str, str], ...] = ()
    profiled: bool = False
    """Whether the compiler knows from a run how often each branch is taken."""


TRIED = {
    "two threads": Tried(verilator=(("1", "2"),)),
    "for any processor": Tried(compiler=((" -march=native", ""),)),
    "compiled for size": Tried(compiler=(("-O3", "-Os"),)),
    "without inlined functions": Tried(compiler=(("-O3", "-O3 -fno-inline"),)),
    "profile-guided": Tried(profiled=True),
}


@contextmanager
def kept_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder that stays, without what the compiler made of the sources: its profile has this path in it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verilator").unlink(missing_ok=True)
    for file in folder.rglob("*.[ao]"):
        file.unlink()
    yield folder


def build(config: CoreConfig, tried: Tried, folder: Path) -> Path:
    """Return a library that simulates the configuration's board, built in ``folder`` as ``tried`` says."""
    if not tried.profiled:
        return build_with(config, tried, folder, "")
    run = build_with(config, tried, folder, " -fprofile-generate", "LDLIBS=-shared -pthread -lgcov")
    # Counts are written when a process ends.
    subprocess.run([sys.executable, str(Path(__file__).with_name("simulation.py")), "--once", str(run),
                    "--config", config.name], check=True)
    return build_with(config, tried, folder, " -fprofile-use -fprofile-partial-training -Wno-missing-profile")


def build_with(config: CoreConfig, tried: Tried, folder: Path, more: str, *variables: str) -> Path:
    """Return the library of a build with ``more`` options of the compiler, and more variables of make."""
    verilator, compiler, make = verilate.FLAGS, verilate.COMPILE_FLAGS, verilate.MAKE_VARIABLES
    for before, instead in tried.verilator:
        verilator = tuple(instead if flag == before else flag for flag in verilator)
    for before, instead in tried.compiler:
        compiler = compiler.replace(before, instead)
        make = tuple(each.replace(before, instead) for each in make)
    options = {"FLAGS": verilator, "COMPILE_FLAGS": compiler + more, "MAKE_VARIABLES": (*make, *variables)}
    with ExitStack() as stack:
        stack.enter_context(patch.multiple(verilate, **options))
        if tried.profiled:
            stack.enter_context(patch.object(verilate, "work_folder", lambda: kept_folder(folder / "work")))
        return verilate.build_library(config, folder)
