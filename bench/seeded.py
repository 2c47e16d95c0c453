"""Bitstreams of a board from several seeds of placing and routing, each in a folder of its own."""

from dataclasses import replace
from pathlib import Path

from spikeplane_boards.board import Board
from spikeplane_boards.build import BuildError, build

__all__ = ["SEEDS", "build_seed"]

SEEDS = 1, 2, 3
"""From which boards are routed."""


def build_seed(board: Board, seed: int) -> Path:
    """Return the folder of the board's bitstream from ``seed``, built if it is not; it may miss its clock."""
    folder = Path("build") / (board.name if seed == board.seed else f"{board.name}-seed-{seed}")
    try:
        build(replace(board, seed=seed), folder)
    except BuildError as error:  # What was reached is told all the same.
        print(error)
    return folder
