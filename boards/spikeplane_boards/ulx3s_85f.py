"""Radiona ULX3S with a Lattice ECP5-85F and 25 MHz; serial port of its FTDI FT231X. Two cores fit it."""

from dataclasses import replace

from spikeplane_hw.config import HUGE, LARGE
from spikeplane_hw.sdram_chip import ULX3S_SDRAM

from .board import Board


def platform():
    """Return the platform from amaranth-boards."""
    from amaranth_boards.ulx3s import ULX3S_85F_Platform

    return ULX3S_85F_Platform()


ULX3S_85F = Board(
    name="ulx3s-85f",
    title="ULX3S (ECP5-85F)",
    platform=platform,
    config=LARGE,
    clock=75e6,  # of seeds 1 to 3 the first one routes with it
    baud=3_000_000,  # 25 cycles a bit
    memory=ULX3S_SDRAM,
    programmer="ulx3s",
    synthesis="-abc9 -nowidelut",
)
ULX3S_85F_HUGE = replace(
    ULX3S_85F,
    name="ulx3s-85f-huge",
    title="ULX3S (ECP5-85F), two pixels at once",
    config=HUGE,
    clock=60e6,  # seeds 1 to 3 route with it
)
