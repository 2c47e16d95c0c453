"""LUTs for each lane: lanes of the large configuration on an ECP5, and what reads their sums out."""

from amaranth import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from figures import Figure, save
from spikeplane_hw.config import LARGE
from spikeplane_hw.lanes import Lanes, beat_layout
from spikeplane_hw.sum_read import read_sums
from synthesized import cell_counts, luts


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
    counts = cell_counts(LanesWithReadOut(LARGE), "lanes")
    save("lanes", [
        Figure.at_most(
            f"LUTs for each of {LARGE.lanes} lanes, {LARGE.banks} banks, "
            f"{LARGE.accumulator_width}-bit accumulators, read-out included",
            luts(counts) / LARGE.lanes, "LUT4", 42,
        ),
        Figure("flip-flops for each lane", counts["TRELLIS_FF"] / LARGE.lanes, "FF"),
        Figure("block RAMs", counts["DP16KD"], "DP16KD"),
    ])


if __name__ == "__main__":
    main()
