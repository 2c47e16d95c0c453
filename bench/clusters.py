"""Clusters: random networks on simulated boards that walk several output pixels at once."""

import argparse
import itertools
import sys
from dataclasses import replace
from pathlib import Path

from figures import Figure, save
from memory import random_network
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import Image
from spikeplane.compiler.placement import CompileError
from spikeplane.device.comparison import Comparison, compare_with_model
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network.schedule import Schedule
from spikeplane_hw.config import CoreConfig
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "sw"), str(ROOT / "tests" / "hw")]
NETWORKS = 75
"""Of each core."""
MOST_SAMPLES = 3
STALL = 0.2
"""Share of the cycles in which the byte streams of every other network stall."""
SEVERAL = 2, 4
TITLE = "random networks and graphs on simulated boards"
ROOMY = {"layer_count": 64, "table_count": 8, "pass_count": 512, "parameter_depth": 1024}
"""What is large enough for graphs with streams."""


def cores() -> list[CoreConfig]:
    """Return narrow and ragged cores of each number of clusters."""
    from ragged_networks import CORES

    _, chunky, wide, _ = CORES
    return [
        replace(core, name=f"{core.name}, {clusters} clusters", clusters=clusters, **ROOMY)
        for clusters in SEVERAL for core in (chunky, wide)
    ]


def run(config: CoreConfig, count: int, first: int) -> list[tuple[Image, Comparison]]:
    """Return what ``count`` random networks gave, from number ``first`` on, up to MOST_SAMPLES inputs each."""
    import ragged_networks

    found = []
    bar = tqdm(total=count, desc=config.name, disable=None)
    with SimulatedTransport(config) as transport, Driver(transport, config) as driver:
        for number in itertools.count(first):
            if len(found) == count:
                return found
            network, schedule = random_network(number, config), list(Schedule)[number // 3 % 2]
            try:
                image = compile_network(network, config, schedule, keep_states=number % 2 == 0)
            except CompileError:
                continue
            transport.stall(number + 1, STALL if number % 2 else 0.0)
            driver.load(image)
            inputs = ragged_networks.samples(network, 1 + len(found) % MOST_SAMPLES)
            found.append((image, compared := compare_with_model(driver, network, inputs)))
            bar.update()
            if compared.total:
                print(f"{config.name}, number {number}: {compared.mismatches}")
    raise AssertionError("there is always another network")


def random_figures(count: int, first: int) -> list[Figure]:
    """Return what random networks gave, ``count`` on each core."""
    found = {config.name: run(config, count, first) for config in cores()}
    figures = [Figure.at_least(
        f"{TITLE} with {' and '.join(map(str, SEVERAL))} clusters", sum(map(len, found.values())), "networks", 300,
    )]
    for name, networks in found.items():
        compared = sum(sum(each.compared.values()) for _, each in networks)
        figures.append(Figure.at_most(
            f"{TITLE}: {name}, of {compared:,} values different", sum(each.total for _, each in networks), "values", 0,
        ))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/clusters.py --networks 3")
    parser.add_argument("--networks", type=int, default=NETWORKS, help=f"of each core (default: {NETWORKS})")
    parser.add_argument("--first", type=int, default=0, help="number of the first network (default: 0)")
    arguments = parser.parse_args()
    save("clusters", random_figures(arguments.networks, arguments.first), kept=lambda name: not name.startswith(TITLE))


if __name__ == "__main__":
    main()
