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
    loaded = folder / _bitstream(report, board)
    load_bitstream(chosen, loaded)
    output.show(f"{board} runs {loaded}", board=board, bitstream=str(loaded))


def _bitstream(report: Path, board: str) -> str:
    """Return the name of the bitstream that a build's report is of; a ValueError names a report that names none."""
    again = f"run `spikeplane bitstream {board}` again"
    try:
        values = json.loads(report.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{report}: not a readable JSON file: {error}; {again}") from error
    name = values.get("bitstream") if isinstance(values, dict) else None
    if not isinstance(name, str) or not name:
        raise ValueError(f"{report}: expected the name of a file as \"bitstream\", found {json.dumps(name)}; {again}")
    return name
