"""SDRAM at the pins of an ECP5: registers in the pads, and a clock that the chip gets half a cycle later.

With a cycle of 13.3 ns (75 MHz), 3 ns through both pads and the board: what the controller says changes half a
cycle before the chip's clock rises, which leaves 6.7 ns of setup and hold. A beat is at the pins from tAC = 6 ns after
the chip's clock rises until tOH = 2.5 ns after it rises again, and is taken with the falling edge in between, 4 ns
after it came and 5 ns before it goes.
"""

from amaranth import Cat, Const, Module
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In
from spikeplane_hw.sdram_chip import SdramChip, SdramPins

__all__ = ["INPUT_LATENCY", "SdramPhy"]

INPUT_LATENCY = 3
"""Cycles by which beats come later than without pads: two to get out, one in."""


class SdramPhy(wiring.Component):
    """Pads of a chip.

    Members
    -------
    pins : ``In(SdramPins(chip))``
    """

    def __init__(self, chip: SdramChip, resource: str = "sdram"):
        self.chip, self.resource = chip, resource
        super().__init__({"pins": In(SdramPins(chip))})

    def elaborate(self, platform):
        m = Module()
        pins, pads = self.pins, platform.request(self.resource, dir="-")
        command = pins.command.as_value()  # its bits are those of SdramCommand
        always = {
            "clk_en": Const(1), "cs": Const(1), "we": command[0], "cas": command[1], "ras": command[2],
            "ba": pins.bank, "a": pins.address, "dqm": Const(0, 2),
        }
        for name, value in always.items():
            m.submodules[name] = buffer = io.DDRBuffer("o", getattr(pads, name))
            m.d.comb += Cat(buffer.o).eq(value.replicate(2))
        m.submodules.clk = clock = io.DDRBuffer("o", pads.clk)
        m.d.comb += [clock.o[0].eq(0), clock.o[1].eq(1)]
        m.submodules.dq = data = io.DDRBuffer("io", pads.dq)
        m.d.comb += [
            Cat(data.o).eq(pins.write_data.replicate(2)), data.oe.eq(pins.write), pins.read_data.eq(data.i[1]),
        ]
        return m
