"""Bitstreams of a board from several seeds of placing and routing, each in a folder of its own."""

import json
from dataclasses import replace
from pathlib import Path

from spikeplane_boards.board import Board
from spikeplane_boards.build import BuildError, build

__all__ = ["SEEDS", "build_seed"]

SEEDS = 1, 2, 3
"""From which boards are routed."""


def build_seed(board: Board, seed: int) -> tuple[Path, dict | None]:
    """Return the folder of the board's bitstream from ``seed``, built if it is not, and its report.

    It may miss its clock; the report is None if no bitstream came out.
    """
    folder = Path("build") / (board.name if seed == board.seed else f"{board.name}-seed-{seed}")
    try:
        build(replace(board, seed=seed), folder)
    except BuildError as error:
        print(error)
        if not (folder / "top.bit").exists():  # A build begins without; a report may be of the one before.
            return folder, None
    return folder, json.loads((folder / "report.json").read_text())
