"""The command `spikeplane program`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ..output import output
from .options import board_named

__all__ = ["EXAMPLE", "program"]

EXAMPLE = "Example: spikeplane program icebreaker"


def program(
    board: Annotated[str, typer.Argument(help="Board whose bitstream to load.")],
    directory: Annotated[Path | None, typer.Option(help="Default: build/BOARD.")] = None,
) -> None:
    """Load a bitstream with openFPGALoader."""
    from spikeplane_boards.program import program as load_bitstream

    chosen = board_named(board)
    folder = directory or Path("build") / board
    report = folder / "report.json"
    if not report.is_file():
        raise ValueError(f"{report} does not exist: run `spikeplane bitstream {board}` first")
    loaded = folder / json.loads(report.read_text())["bitstream"]
    load_bitstream(chosen, loaded)
    output.show(f"{board} runs {loaded}", board=board, bitstream=str(loaded))
