"""Boards whose cores walk several output pixels at once, and what their bitstreams take and reach."""

import re
from dataclasses import replace

from seeded import build_seed
from spikeplane_boards.board import Board
from spikeplane_boards.ulx3s_85f import ULX3S_85F, ULX3S_85F_HUGE
from spikeplane_hw.config import LARGE

__all__ = ["BUILT", "built"]

FOUR = replace(LARGE, name="four", clusters=4, spike_depth=2560, state_depth=1024)
"""No configuration: beside two copies of the weights, in 128 of 208 block RAMs, no more maps fit."""
BUILT = {"huge": ULX3S_85F_HUGE, "four clusters": replace(ULX3S_85F, name="ulx3s-85f-four", config=FOUR)}
"""Boards by what carries them."""
CELLS = "TRELLIS_COMB", "DP16KD"


def built(board: Board, seed: int) -> tuple[dict[str, int], float | None, float]:
    """Return the cells that a board's design takes, the clock that it reaches in Hz if routing ended, and seconds.

    Seconds are those of placing and routing.
    """
    directory, report = build_seed(board, seed)
    log = (directory / "top.tim").read_text()
    found = dict(re.findall(r"^Info:\s+(\w+):\s+(\d+)/", log, re.MULTILINE))
    spent = re.findall(r"^Info: (?:HeAP Placer Time:|SA placement time|Router1 time) ([\d.]+)s", log, re.MULTILINE)
    clock = None if report is None else 1e6 * min(each["achieved_mhz"] for each in report["clocks"].values())
    return {kind: int(found[kind]) for kind in CELLS}, clock, sum(map(float, spent))
