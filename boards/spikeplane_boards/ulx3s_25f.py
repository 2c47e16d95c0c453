"""Radiona ULX3S with a Lattice ECP5-25F and 25 MHz; serial port of its FTDI FT231X."""

from spikeplane_hw.config import COMPACT

from .board import Board


def platform():
    """Return the platform from amaranth-boards."""
    from amaranth_boards.ulx3s import ULX3S_25F_Platform

    return ULX3S_25F_Platform()


ULX3S_25F = Board(
    name="ulx3s-25f",
    title="ULX3S (ECP5-25F)",
    platform=platform,
    config=COMPACT,
    clock=587.5e6 / 7,  # what the PLL makes; seeds 1 to 3 route with it
    baud=3_000_000,  # 28 cycles a bit
    programmer="ulx3s",
    synthesis="-abc9 -nowidelut",
)
