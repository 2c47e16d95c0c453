"""1BitSquared iCEBreaker with a Lattice iCE40 UP5K and 12 MHz; second port of its FTDI FT2232H."""

from spikeplane_hw.config import TINY

from .board import Board


def platform():
    """Return the platform from amaranth-boards."""
    from amaranth_boards.icebreaker import ICEBreakerPlatform

    return ICEBreakerPlatform()


ICEBREAKER = Board(
    name="icebreaker",
    title="iCEBreaker (iCE40 UP5K)",
    platform=platform,
    config=TINY,
    clock=20.25e6,
    baud=1_000_000,
    programmer="ice40_generic",
    synthesis="-dsp -noabc9 -abc2",
    seed=4,  # the part is almost full: from some seeds, placing or routing does not end
)
