"""SDRAM behind a component in Amaranth's simulator: the controller and the model of a chip."""

from dataclasses import replace

from amaranth import Module
from amaranth.lib.wiring import connect
from spikeplane_hw.external_bus import BURST_BEATS
from spikeplane_hw.sdram import Sdram
from spikeplane_hw.sdram_chip import ULX3S_SDRAM, SdramChip
from spikeplane_hw.sdram_model import SdramModel, Violation

__all__ = ["QUICK_SDRAM", "attach", "bursts", "vigilant"]

QUICK_SDRAM = replace(ULX3S_SDRAM, start=2e3, row_bits=11, column_bits=5)
"""A chip of small rows that is soon ready."""


def attach(component, chip: SdramChip, clock: float) -> tuple[Module, list]:
    """Return a design of ``component`` and what is behind its member ``external``, and what watches it."""
    m = Module()
    m.submodules.component = component
    m.submodules.sdram = sdram = Sdram(chip, clock, depth=component.external.signature.depth)
    beats = component.external.signature.depth * BURST_BEATS
    m.submodules.model = model = SdramModel(chip, clock, rows=max(1, beats >> chip.column_bits + chip.bank_bits))
    connect(m, component.external, sdram.bus)
    connect(m, sdram.pins, model.pins)
    return m, [vigilant(model)]


def vigilant(dut):
    """Return a background testbench that fails at the first violation."""
    async def testbench(ctx):
        async for _, _, violation in ctx.tick().sample(dut.violation):
            assert violation == Violation.NONE, violation
    return testbench


def bursts(beats: list[int]) -> list[int]:
    """Return what bursts hold, from their beats."""
    assert len(beats) % BURST_BEATS == 0
    return [
        sum(beat << 16 * place for place, beat in enumerate(beats[start:start + BURST_BEATS]))
        for start in range(0, len(beats), BURST_BEATS)
    ]
