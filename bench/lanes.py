"""LUTs for each lane: lanes of the large configuration on an ECP5, and what reads their sums out."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from amaranth import Module
from amaranth.back import rtlil
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from figures import Figure, save
from spikeplane_hw.config import LARGE
from spikeplane_hw.lanes import Lanes, beat_layout
from spikeplane_hw.sum_read import read_sums
from spikeplane_hw.synthesis import PREPARE

ECP5 = SimpleNamespace(device="LFE5U-85F")


class LanesWithReadOut(wiring.Component):
    """Lanes, and the registers that :class:`spikeplane_hw.update.Update` reads a chunk of sums into."""

    def __init__(self, config):
        self.config = config
        super().__init__({
            "beat": In(beat_layout(config)),
            "pick": In(range(config.chunks)),
            "sums": Out(data.ArrayLayout(config.accumulator_width, config.updates)),
            "reference_sum": Out(config.accumulator_width),
            "done": Out(1),
            "weight": In(config.lanes),
            "write": In(1),
            "address": In(16),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.lanes = lanes = Lanes(config)
        m.d.comb += [
            lanes.beat.eq(self.beat),
            self.done.eq(lanes.done),
            self.reference_sum.eq(lanes.reference_sum),
            lanes.weights.write.eq(self.write),
            lanes.weights.write_data.eq(self.weight),
            lanes.weights.address.eq(self.address),
        ]
        picked = read_sums(m, config, lanes.sums, self.pick)
        m.d.comb += [value.eq(chosen) for value, chosen in zip(self.sums, picked, strict=True)]
        return m


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        design = Path(folder) / "lanes.il"
        design.write_text(rtlil.convert(LanesWithReadOut(LARGE), name="lanes", platform=ECP5))
        script = f"read_rtlil lanes.il\n{PREPARE}\nsynth_ecp5 -abc9 -nowidelut -top lanes\ntee -o stat.txt stat"
        (design.parent / "lanes.ys").write_text(script)
        command = "from pyosys import libyosys as y; y.run_pass('tee -q script lanes.ys', y.Design())"
        subprocess.run([sys.executable, "-c", command], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        counts = {
            name: int(count)
            for count, name in re.findall(r"^\s+(\d+)\s+(\w+)\s*$", (design.parent / "stat.txt").read_text(), re.M)
        }
    # nextpnr makes two TRELLIS_COMB of a carry cell.
    luts = counts["LUT4"] + 2 * counts.get("CCU2C", 0)
    save("lanes", [
        Figure.at_most(
            f"LUTs for each of {LARGE.lanes} lanes, {LARGE.banks} banks, "
            f"{LARGE.accumulator_width}-bit accumulators, read-out included",
            luts / LARGE.lanes, "LUT4", 42,
        ),
        Figure("flip-flops for each lane", counts["TRELLIS_FF"] / LARGE.lanes, "FF"),
        Figure("block RAMs", counts["DP16KD"], "DP16KD"),
    ])


if __name__ == "__main__":
    main()
