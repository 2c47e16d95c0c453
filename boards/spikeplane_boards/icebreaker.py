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
    baud=1_000_000,  # 3,000,000 would be 3.6 % off: 7 cycles a bit
    programmer="ice40_generic",
    # The part is almost full: fewer different clock enables make placing easier, and with at most
    # 90 % of every region in use, which is the default, it does not end from most seeds.
    synthesis="-dsp -noabc9 -abc2 -dffe_min_ce_use 4",
    placing="--placer-heap-beta 1.0",
)
