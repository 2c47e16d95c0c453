"""Icepi Zero 1.3 with a Lattice ECP5-25F and 50 MHz, serial port on its USB connector for programming."""

from spikeplane_hw.config import COMPACT

from .board import Board


def platform():
    """Return the platform from amaranth-boards."""
    from amaranth_boards.icepi_zero import IcepiZero1_3Platform

    return IcepiZero1_3Platform()


ICEPI_ZERO = Board(
    name="icepi-zero",
    title="Icepi Zero (ECP5-25F)",
    platform=platform,
    config=COMPACT,
    clock=587.5e6 / 7,  # as on the ULX3S-25F
    baud=1_000_000,
    programmer="icepi-zero",
    synthesis="-abc9 -nowidelut",
)
