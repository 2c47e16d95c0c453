"""A board of one's own: iCESugar with a Lattice iCE40 UP5K and 12 MHz, which Spikeplane does not ship."""

from amaranth_boards.icesugar import ICESugarPlatform
from spikeplane.boards import BOARDS
from spikeplane_boards import Board
from spikeplane_hw.config import TINY

ICESUGAR = Board(
    name="icesugar",
    title="iCESugar (iCE40 UP5K)",
    platform=ICESugarPlatform,
    config=TINY,
    clock=18e6,
    baud=1_000_000,
    programmer="ice40_generic",
    synthesis="-dsp -noabc9 -abc2 -dffe_min_ce_use 4",
    placing="--placer-heap-beta 1.0",
)


def register() -> None:
    """Let commands know the board; an installed package names ICESUGAR as an entry point instead."""
    BOARDS.register(ICESUGAR.name, ICESUGAR)
