"""Radiona ULX3S with a Lattice ECP5-45F and 25 MHz; serial port of its FTDI FT231X."""

from spikeplane_hw.config import SMALL

from .board import Board


def platform():
    """Return the platform from amaranth-boards."""
    from amaranth_boards.ulx3s import ULX3S_45F_Platform

    return ULX3S_45F_Platform()


ULX3S_45F = Board(
    name="ulx3s-45f",
    title="ULX3S (ECP5-45F)",
    platform=platform,
    config=SMALL,
    clock=80e6,
    baud=3_000_000,  # 27 cycles a bit, 1.2 % off; a frame holds 5
    programmer="ulx3s",
    synthesis="-abc9 -nowidelut",
)
