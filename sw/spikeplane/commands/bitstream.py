"""The command `spikeplane bitstream`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..output import output
from ..writing import check_folder
from .options import board_named

__all__ = ["EXAMPLE", "bitstream"]

EXAMPLE = "Example: spikeplane bitstream icebreaker"


def bitstream(
    board: Annotated[str, typer.Argument(help="Board to build for, see `spikeplane info boards`.")],
    directory: Annotated[Path | None, typer.Option(help="Default: build/BOARD, with --usb build/BOARD-usb.")] = None,
    usb: Annotated[bool, typer.Option(
        "--usb", help="The host is at the USB connector on the FPGA's own pins: ULX3S; needs the extra `usb`."
    )] = False,
) -> None:
    """Build a board's bitstream with open tools and report resources and clocks."""
    from spikeplane_boards.build import build

    chosen = replace(board_named(board), usb=usb)
    folder = directory or Path("build") / (f"{board}-usb" if usb else board)
    check_folder(folder)
    output.show(**build(chosen, folder, echo=output.show))
