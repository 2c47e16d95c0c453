"""From a board to its bitstream and a report, with tools that come as Python packages."""

import hashlib
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from amaranth.build import Platform
from amaranth.build.run import BuildPlan
from spikeplane_hw.identity import interface_hash
from spikeplane_hw.synthesis import PREPARE

from .board import Board, Top
from .families import FAMILIES, family_of
from .tools import BuildError, environment, versions

__all__ = ["BuildError", "build", "format_report"]

NAME = "top"
TIME_LIMIT = 3 * 3600
"""Seconds a build may take: from a bad placement, a router may go on for ever."""
STAGES = {"json": "synthesis"} | {family.routed: "placing and routing" for family in FAMILIES}
BLOCK_RAMS = ("DP16KD", "ICESTORM_RAM", "BSRAM")
RESOURCES = {
    "lut": ("TRELLIS_COMB", "ICESTORM_LC", "LUT4"),
    "ff": ("TRELLIS_FF", "DFF"),
    "block_ram": BLOCK_RAMS,
    "spram": ("ICESTORM_SPRAM",),
    "dsp": ("MULT18X18D", "ICESTORM_DSP", "MULT18X18"),
}
"""Names in the report by those of nextpnr. An iCE40 logic cell holds a LUT and a flip-flop."""
IN_PLACE = {"LUT4": {"ALU": 1, "RAM16SDP4": 8}}
"""Other cells of nextpnr that take up places of a cell, each so many: Gowin's carries, and its memories of LUTs, beside
which nextpnr leaves the rest of their tile empty."""


def build(board: Board, directory: Path, *, device=None, echo=print) -> dict:
    """Build the bitstream of ``board`` in ``directory``; return the report that is beside it.

    Nothing is built if RTLIL, scripts and tools are those of the last build. ``device`` replaces
    the board's device, see :class:`Top`. ``echo`` takes a line of progress at a time. Raises
    BuildError if a tool fails or the design misses its clock; the report is written all the same.
    """
    platform = board.platform()
    tools = versions(platform)
    directory.mkdir(parents=True, exist_ok=True)
    echo(f"{board.name}: elaborating {board.config.name}")
    plan = prepare(board, platform, device)
    key = hashlib.sha256(plan.digest() + json.dumps(tools).encode()).hexdigest()
    bitstream = directory / f"{NAME}.{family_of(platform).bitstream}"
    report_path = directory / "report.json"
    report = cached(report_path, bitstream, key)
    if report is None:
        run(plan, directory, echo)
        report = {
            "board": board.name,
            "configuration": board.config.name,
            "configuration_hash": f"{board.config.hash:08x}",
            "register_map_hash": f"{interface_hash(board.config):08x}",
            **summarize(json.loads((directory / f"{NAME}.pnr.json").read_text())),
            "tools": tools,
            "seed": board.seed,
            "bitstream": bitstream.name,
            "bitstream_sha256": hashlib.sha256(bitstream.read_bytes()).hexdigest(),
            "build_key": key,
        }
        report_path.write_text(json.dumps(report, indent=2) + "\n")
    for line in format_report(report):
        echo(line)
    missed = [
        f"{name} reaches {clock['achieved_mhz']:.1f} MHz of {clock['required_mhz']:.1f} MHz"
        for name, clock in report["clocks"].items()
        if clock["achieved_mhz"] < clock["required_mhz"]
    ]
    if missed:
        raise BuildError(f"{board.name} misses its clock: {'; '.join(missed)}")
    return report


def prepare(board: Board, platform: Platform, device=None) -> BuildPlan:
    """Return what the tools are to do, for the arguments of :func:`build`."""
    return platform.prepare(
        Top(board, device),
        NAME,
        # Otherwise a comment in a source file would be a reason to build again.
        emit_src=False,
        script_after_read=PREPARE,
        # The last step only gives cells nicer names, which takes a third of the time.
        synth_opts=f"{board.synthesis} -run begin:check",
        script_after_synth=f"{family_of(platform).after_synthesis}\nblackbox =A:whitebox",
        nextpnr_opts=f"{board.placing} --seed {board.seed} --report {NAME}.pnr.json --timing-allow-fail",
    )


def cached(report_path: Path, bitstream: Path, key: str) -> dict | None:
    """Return the report of an earlier build with the same key whose bitstream is unharmed."""
    try:
        report = json.loads(report_path.read_text())
        same = report["build_key"] == key
        sha256 = hashlib.sha256(bitstream.read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return report if same and report.get("bitstream_sha256") == sha256 else None


def run(plan: BuildPlan, directory: Path, echo, *, limit: float = TIME_LIMIT) -> None:
    """Run the tools, and say which stage has ended after how many seconds.

    Raises BuildError if a tool fails, or if they are not done after ``limit`` seconds.
    """
    root = plan.extract(directory)
    for suffix in (*STAGES, *(family.bitstream for family in FAMILIES)):
        (root / f"{NAME}.{suffix}").unlink(missing_ok=True)
    log = root / "build.log"
    start = time.monotonic()
    done = set()
    with log.open("w") as output:
        process = subprocess.Popen(
            ["sh", f"{plan.script}.sh"], cwd=root, env=environment(directory),
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )
        try:
            while process.poll() is None:
                for suffix, stage in STAGES.items():
                    if suffix not in done and (root / f"{NAME}.{suffix}").exists():
                        done.add(suffix)
                        echo(f"{stage} done after {time.monotonic() - start:.0f} s")
                if time.monotonic() - start > limit:
                    raise BuildError(
                        f"the tools were stopped after {limit:g} s, see {root}: if placing and routing "
                        "did not end, it may with another seed of the board"
                    )
                time.sleep(0.2)
        finally:
            # The script's tools are in its process group; after its end there is none.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode:
        texts = {path: path.read_text(errors="replace") for path in sorted(root.glob(f"{NAME}.[rt]*"))}
        errors = [line for text in texts.values() for line in text.splitlines() if "ERROR" in line]
        errors += [fault for text in texts.values() for fault in overfull(text)]
        tail = "\n".join(errors or log.read_text(errors="replace").splitlines()[-15:])
        raise BuildError(f"a tool failed with exit code {process.returncode}, see {root}:\n{tail}")


def overfull(log: str) -> list[str]:
    """Return what nextpnr's log says of cells of which the design needs more than there are."""
    counts = re.findall(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%$", log, re.MULTILINE)
    return [
        f"the design needs {used} {cell}, the part has {available}"
        for cell, used, available in counts
        if int(used) > int(available)
    ]


def summarize(pnr: dict) -> dict:
    """Return resources and clocks of nextpnr's report."""
    resources = {}
    for name, cells in RESOURCES.items():
        for cell in cells:
            found = pnr["utilization"].get(cell, {})
            if found.get("available"):
                others = sum(places * pnr["utilization"][other]["used"]
                             for other, places in IN_PLACE.get(cell, {}).items())
                resources[name] = {"used": found["used"] + others, "available": found["available"], "cell": cell}
    clocks = {
        name: {
            "achieved_mhz": round(clock["achieved"], 2),
            "required_mhz": round(clock["constraint"], 2),
        }
        for name, clock in pnr["fmax"].items()
    }
    paths = {
        f"{path['from']} to {path['to']}": [
            f"{part['delay']:.2f} ns {part['type']} {part.get('net', part['from']['cell'])}"
            for part in path["path"]
        ]
        for path in pnr["critical_paths"]
    }
    return {"resources": resources, "clocks": clocks, "critical_paths": paths}


def format_report(report: dict) -> list[str]:
    """Return the lines of a report for people."""
    lines = [f"{report['board']}: configuration {report['configuration']}"]
    for name, resource in report["resources"].items():
        share = resource["used"] / resource["available"]
        lines.append(
            f"  {name:<10} {resource['used']:>6} of {resource['available']:>6} "
            f"{resource['cell']} ({share:.0%})"
        )
    for name, clock in report["clocks"].items():
        lines.append(
            f"  clock      {clock['achieved_mhz']:.1f} MHz, {clock['required_mhz']:.1f} MHz required "
            f"({name})"
        )
    return [*lines, f"  {report['bitstream']} sha256 {report['bitstream_sha256']}"]
