"""Cells of a component on an ECP5, by synthesis alone."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from amaranth.back import rtlil
from spikeplane_hw.synthesis import PREPARE

__all__ = ["cell_counts", "luts"]

ECP5 = SimpleNamespace(device="LFE5U-85F")


def cell_counts(component, name: str) -> dict[str, int]:
    """Return how many cells of each kind ``component`` takes."""
    with tempfile.TemporaryDirectory() as folder:
        design = Path(folder) / f"{name}.il"
        design.write_text(rtlil.convert(component, name=name, platform=ECP5))
        script = f"read_rtlil {name}.il\n{PREPARE}\nsynth_ecp5 -abc9 -nowidelut -top {name}\ntee -o stat.txt stat"
        (design.parent / "script.ys").write_text(script)
        command = "from pyosys import libyosys as y; y.run_pass('tee -q script script.ys', y.Design())"
        subprocess.run([sys.executable, "-c", command], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        found = re.findall(r"^\s+(\d+)\s+(\w+)\s*$", (design.parent / "stat.txt").read_text(), re.M)
    return {kind: int(count) for count, kind in found}


def luts(counts: dict[str, int]) -> int:
    """Return the LUTs of cells; nextpnr makes two TRELLIS_COMB of a carry cell."""
    return counts["LUT4"] + 2 * counts.get("CCU2C", 0)
