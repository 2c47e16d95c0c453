"""Random networks on simulated boards of every configuration, and whole published ones, beside the integer model."""

import argparse
import itertools
import sys
from dataclasses import replace
from pathlib import Path

import whole_networks
from figures import Figure, save
from spikeplane.boards import BOARDS
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.limits import CompileError
from spikeplane.device.comparison import Comparison, compare_with_model
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network.schedule import Schedule
from spikeplane_boards.build import build
from spikeplane_hw.config import CONFIGS, CoreConfig
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "sw"), str(ROOT / "sim")]
NETWORKS = 100
"""Of each core."""
SAMPLES = 2
STALL = 0.2
"""Share of the cycles in which the byte streams of every other network stall."""


def run(config: CoreConfig, count: int, seed: int) -> list[Comparison]:
    """Return what ``count`` random networks that fit a core gave; those of several terms in turn with chains."""
    import ragged_networks
    import random_graphs
    import residual_networks

    makers = {
        "graph": lambda seed, direct: random_graphs.graph(seed, on_core=True),
        "residual": lambda seed, direct: residual_networks.network(seed, direct=direct, most_terms=config.term_count),
        "chain": lambda seed, direct: ragged_networks.network(seed, direct=direct, taps=seed % 3 == 0),
    }
    if config.term_count == 1:
        del makers["graph"]
    ways = itertools.cycle(itertools.product(makers, Schedule, (False, True)))
    found: list[Comparison] = []
    with SimulatedTransport(config) as transport, Driver(transport, config) as driver:
        for number in tqdm(itertools.count(seed), desc=config.name, total=count, disable=None):
            if len(found) == count:
                return found
            name, schedule, direct = next(ways)
            network = makers[name](number, direct)
            try:
                image = compile_network(network, config, schedule, keep_states=True)
            except CompileError:
                continue
            transport.stall(number + 1, STALL if number % 2 else 0.0)
            driver.load(image)
            found.append(compare_with_model(driver, network, ragged_networks.samples(network, SAMPLES)))
            if found[-1].total:
                print(f"{config.name}, {name}, seed {number}, {schedule.value}: {found[-1].mismatches}")
    return found


def large_board() -> list[Figure]:
    """Return what the large core takes and reaches on the ULX3S-85F, with all functions but SDRAM; built if it is not.

    The board as it is, with SDRAM, is measured by bench/memory.py.
    """
    board = BOARDS["ulx3s-85f"]
    inside = replace(board, name="ulx3s-85f-inside", config=replace(board.config, external_depth=0, spike_depth=4096))
    report = build(inside, Path("build") / inside.name)
    clock = min(each["achieved_mhz"] for each in report["clocks"].values())
    cells = report["resources"]["lut"]["used"]
    return [
        Figure.at_most("large on the 85F, speed grade 6: logic cells", cells, "COMB", 22_000),
        Figure.at_least("large on the 85F, speed grade 6: routed", clock, "MHz", 95),
    ]


def main() -> None:
    from configurations import SIMULATED

    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/core.py --count 20")
    parser.add_argument("--count", type=int, default=NETWORKS, help=f"networks of each core (default: {NETWORKS})")
    parser.add_argument("--config", nargs="*", choices=SIMULATED, default=["narrow", "chunky", *CONFIGS])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    found = {name: run(SIMULATED[name], arguments.count, arguments.seed) for name in arguments.config}
    figures = []
    for name, comparisons in found.items():
        wrong = sum(each.total for each in comparisons)
        compared = sum(sum(each.compared.values()) for each in comparisons)
        figures += [
            Figure(f"{name}: random networks on its simulated board", len(comparisons), "networks"),
            Figure.at_most(f"{name}: of {compared:,} values, not the integer model's", wrong, "values", 0),
        ]
    total = sum(map(len, found.values()))
    figures += [*whole_networks.measure(), *large_board()]
    least = Figure.at_least("random networks on simulated boards, both schedules", total, "networks", 500)
    save("core", [least, *figures])


if __name__ == "__main__":
    main()
