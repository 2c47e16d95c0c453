"""What signed spikes would cost the core: a prototype of the lanes' way from rows of weights to sums, with and without.

A row of weights, the bits of all lanes for one active input, is inverted where the input's spike is negative: of bits
0 and 1, `1 - w` in place of `w`. How many were negative is the same for all lanes, and comes off with the reference
sum, in a lane of its own as today.
"""

import json

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from figures import RESULTS, Figure
from spikeplane_hw.accumulator import next_sum
from spikeplane_hw.config import LARGE, CoreConfig
from spikeplane_hw.popcount import Ones, count_for_adder, popcount
from synthesized import cell_counts, luts

__all__ = ["figures"]

CELLS = "speed grade 6: logic cells"
"""How the name of the core's count in bench/memory.py's results ends."""
LANES = 16
"""Of the prototype: a lane takes what it takes, however many there are."""


class Rows(wiring.Component):
    """Rows of weights are registered, counted and accumulated, as in :class:`spikeplane_hw.lanes.Lanes`."""

    def __init__(self, config: CoreConfig, signed: bool):
        self.config, self.signed = config, signed
        super().__init__({
            "rows": In(config.banks * LANES), "active": In(config.banks), "negative": In(config.banks),
            "double": In(1), "clear": In(1), "sums": Out(LANES * config.accumulator_width),
        })

    def elaborate(self, platform):
        m, config = Module(), self.config
        rows = [Signal(LANES, name=f"row_{bank}", reset_less=True) for bank in range(config.banks)]
        for bank, row in enumerate(rows):
            read = self.rows.word_select(bank, LANES)
            flipped = read ^ self.negative[bank].replicate(LANES) if self.signed else read
            m.d.sync += row.eq(Mux(self.active[bank], flipped, 0))
        sums = []
        for lane in range(LANES):
            column = Cat(row[lane] for row in rows)
            alone = config.doubling_cycles
            ones = (Ones.of(popcount(m, column)) if alone else count_for_adder(m, column)).registered(m, f"lane_{lane}")
            accumulator = Signal(config.accumulator_width, name=f"accumulator_{lane}", reset_less=True)
            total = next_sum(m, platform, accumulator, ones, self.double, exclusive=alone)
            m.d.sync += accumulator.eq(Mux(self.clear, ones.number if alone else 0, total))
            sums.append(accumulator)
        m.d.comb += self.sums.eq(Cat(sums))
        return m


def figures() -> list[Figure]:
    """Return LUTs of a lane with and without signs, their share of the whole core, and what else takes a second bit."""
    config = LARGE
    plain, signed = (luts(cell_counts(Rows(config, each), f"rows_{each}")) / LANES for each in (False, True))
    known = json.loads((RESULTS / "memory.json").read_text())["figures"]
    (core,) = (each["value"] for each in known if each["name"].endswith(CELLS))
    title = f"signed spikes on {config.name}, prototype of {LANES} of its {config.lanes} lanes"
    return [
        Figure(f"{title}: without", plain, "LUT4 a lane"),
        Figure(f"{title}: with", signed, "LUT4 a lane"),
        Figure.at_most(f"{title}: LUTs of all lanes more, over the core's logic cells",
                       100 * (signed - plain) * config.lanes / core, "%", 3),
        Figure(f"signed spikes on {config.name}: more spike memory", config.spike_depth * config.word_width, "bits"),
    ]
