"""Pads of the SDRAM: what a board must name, and what the elaborated design has at its pins."""

from dataclasses import replace

import pytest
from amaranth import Module
from amaranth.lib.wiring import connect
from spikeplane.boards import BOARDS
from spikeplane_boards.sdram_phy import SdramPhy
from spikeplane_hw.sdram import Sdram
from spikeplane_hw.sdram_chip import ULX3S_SDRAM


def test_a_board_names_its_memory():
    board = BOARDS["ulx3s-85f"]
    with pytest.raises(ValueError, match="ulx3s-85f: large has memory outside the chip, the board names none"):
        replace(board, memory=None)


def test_every_pin_has_a_register_in_its_pad():
    """23 outputs, clock and enables included, and 16 pins that go both ways."""
    board = BOARDS["ulx3s-85f"]
    m = Module()
    m.submodules.sdram = sdram = Sdram(ULX3S_SDRAM, board.clock)
    m.submodules.phy = phy = SdramPhy(ULX3S_SDRAM)
    connect(m, sdram.pins, phy.pins)
    platform = board.platform()
    plan = platform.prepare(m, "top", do_program=False)
    text = plan.files["top.il"]
    text = text if isinstance(text, str) else text.decode()
    counted = {kind: text.count(f"cell \\{kind} ") for kind in ("ODDRX1F", "IDDRX1F")}
    outputs = 1 + 1 + 4 + 2 + 13 + 2  # clk, clk_en, cs we cas ras, ba, a, dqm
    assert counted == {"ODDRX1F": outputs + 16, "IDDRX1F": 16}
