"""Boards by name: Spikeplane's, those registered from Python, and those of installed packages.

The registry lies here and not beside the boards, so that imports go one way: this package knows the boards, and
these know nothing of it.
"""

from spikeplane_boards import SHIPPED, Board

from .registry import Registry

__all__ = ["BOARDS"]

BOARDS: Registry[Board] = Registry("board", {board.name: board for board in SHIPPED})
