"""Boards that the core runs on, and how to build and load their bitstreams."""

from .board import Board
from .icebreaker import ICEBREAKER
from .icepi_zero import ICEPI_ZERO
from .tang_nano_20k import TANG_NANO_20K
from .ulx3s_12f import ULX3S_12F
from .ulx3s_25f import ULX3S_25F
from .ulx3s_45f import ULX3S_45F
from .ulx3s_85f import ULX3S_85F, ULX3S_85F_HUGE

__all__ = ["SHIPPED", "Board"]

SHIPPED: tuple[Board, ...] = (
    ULX3S_85F, ULX3S_85F_HUGE, ULX3S_45F, ULX3S_25F, ULX3S_12F, ICEPI_ZERO, TANG_NANO_20K, ICEBREAKER,
)
"""The boards that come with Spikeplane; `spikeplane.boards.BOARDS` has these and others by name."""
