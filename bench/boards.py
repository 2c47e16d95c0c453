"""Bitstreams of all boards: resources, clocks, and operations a second for each LUT."""

import argparse
from collections.abc import Sequence

from figures import Figure, save
from layers import Shape, measure, open_driver
from seeded import SEEDS, build_seed
from spikeplane.boards import BOARDS
from spikeplane.compiler.limits import CompileError
from spikeplane_boards.board import Board
from spikeplane_hw.config import LARGE, TINY

TARGETS = {
    "ulx3s-85f": (90.0, 60.0), "ulx3s-45f": (110.0, 60.0), "ulx3s-25f": (85.0, 100.0), "icebreaker": (18.0, 100.0),
}
"""Least clock in MHz, most LUTs in percent; other boards are only reported."""
LARGE_OPERATIONS = 1024
"""Least one-bit operations a cycle of the large configuration."""
PEERS = {"tinyODIN, 4-bit weights": 0.021, "Spiker+, 4-bit weights, dense": 0.514}
"""Million operations a second for each LUT, same tools and part: docs/figures.md cites them."""
RATE = 0.15
PEER_DENSE = 1e6 * PEERS["Spiker+, 4-bit weights, dense"]


def longest_path(name: str, report: dict) -> list[Figure]:
    """Return how long the longest path between two registers is, and how much of it wires are."""
    paths = [path for ends, path in report["critical_paths"].items() if "async" not in ends]
    # Each part begins as "0.96 ns routing".
    parts = [[part.split(maxsplit=3)[:3] for part in path] for path in paths]
    longest = max(parts, key=lambda path: sum(float(delay) for delay, _, _ in path))
    wires = [float(delay) for delay, _, kind in longest if kind == "routing"]
    return [
        Figure(f"{name}: longest path", sum(float(delay) for delay, _, _ in longest), "ns"),
        Figure(f"{name}: wires of the longest path", sum(wires), "ns"),
    ]


def slowest(report: dict) -> float:
    """Return the frequency in MHz that the slowest clock of a board's report reaches."""
    return min(clock["achieved_mhz"] for clock in report["clocks"].values())


def seed_figures(board: Board, report: dict, seeds: Sequence[int]) -> list[Figure]:
    """Return what each seed reaches of the clock that the PLL is set to; ``report`` is of the board's own seed."""
    reports = {seed: report if seed == board.seed else build_seed(board, seed)[1] for seed in seeds}
    return [
        Figure(f"{board.name}: clock, seed {seed}", "does not end", "", "ends", False) if report is None else
        Figure.at_least(f"{board.name}: clock, seed {seed}", slowest(report), "MHz", board.clock / 1e6)
        for seed, report in reports.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/boards.py --board icebreaker")
    parser.add_argument("--board", nargs="*", choices=list(BOARDS), default=list(BOARDS),
                        help="measure only these; the others' figures stay (default: all)")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="of placing and routing (default: 1 2 3)")
    arguments = parser.parse_args()
    figures = []
    for name in arguments.board:
        board = BOARDS[name]
        folder, report = build_seed(board, board.seed)
        if report is None:
            figures.append(Figure(f"{name}: built", f"no bitstream in {folder}", "", "builds", False))
            continue
        for resource, numbers in report["resources"].items():
            figures.append(Figure(f"{name}: {resource}", numbers["used"], f"of {numbers['available']}"))
        luts, clock = report["resources"]["lut"], slowest(report)
        share, reached = (f"{name}: LUTs", 100 * luts["used"] / luts["available"], "%"), (
            f"{name}: clock", clock, "MHz",
        )
        if name in TARGETS:
            clock_target, lut_target = TARGETS[name]
            figures += [Figure.at_most(*share, lut_target), Figure.at_least(*reached, clock_target)]
        else:
            figures += [Figure(*share), Figure(*reached)]
        figures += seed_figures(board, report, arguments.seeds)
        figures += longest_path(name, report)
        if board.config is TINY:
            continue
        operations = f"{name}: one-bit operations a cycle", board.config.peak_operations, "operations"
        figures.append(
            Figure.at_least(*operations, LARGE_OPERATIONS) if board.config is LARGE else Figure(*operations)
        )
        simulated = open_driver(board.config)
        for bits in (1, 4):
            try:
                point = measure(simulated, Shape(128, 128, 16, weight_bits=bits), RATE)
            except CompileError as error:
                figures.append(Figure(f"{name}: 128 channels at {bits} bits", str(error), ""))
                continue
            effective = point["operations"] / point["cycles"] * clock * 1e6 / luts["used"]
            label = f"{name}: effective {bits}-bit plane operations a second for each LUT at 15 % firing"
            if bits == 1:
                figures.append(Figure.at_least(label, effective / 1e6, "million", 1.5))
            else:
                # Operations count planes; a synapse of 4 bits takes four of them.
                figures.append(Figure(label, effective / 1e6, "million"))
                figures.append(Figure(
                    f"{name}: effective {bits}-bit synapses a second for each LUT at 15 % firing",
                    effective / bits / 1e6, "million",
                ))
                # Spiker+ computes every synapse: its effective rate is the dense one times activity.
                activity = effective / bits / PEER_DENSE
                figures.append(Figure(
                    f"{name}: activity above which Spiker+ does more effective 4-bit synapses for each LUT",
                    "none" if activity >= 1 else f"{activity:.0%}", "",
                ))
        simulated.close()
    figures += [Figure(f"peer: {name}", value, "million a second for each LUT") for name, value in PEERS.items()]
    measured = {f"{name}:" for name in arguments.board}
    save("boards", figures, kept=lambda name: name.split()[0] not in measured)


if __name__ == "__main__":
    main()
