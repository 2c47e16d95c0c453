"""Load a bitstream into a board."""

import shutil
import subprocess
from pathlib import Path

from .board import Board

__all__ = ["ProgramError", "program"]


class ProgramError(RuntimeError):
    """A board could not be programmed; the message says why and what to do."""


def program(board: Board, bitstream: Path, *, flash: bool = False) -> None:
    """Load ``bitstream`` into the FPGA, or with ``flash`` for good into its flash memory."""
    if not bitstream.is_file():
        raise ProgramError(f"bitstream {bitstream} does not exist: build it first")
    tool = shutil.which("openFPGALoader")
    if tool is None:
        raise ProgramError(
            "openFPGALoader is not on the PATH: install the package openfpgaloader of your system, or "
            "see https://trabucayre.github.io/openFPGALoader"
        )
    command = [tool, "--board", board.programmer, *(["--write-flash"] if flash else []), str(bitstream)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise ProgramError(
            f"openFPGALoader failed with exit code {result.returncode} on board {board.programmer}: "
            f"{(result.stderr or result.stdout).strip()}"
        )
