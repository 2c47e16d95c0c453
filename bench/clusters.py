"""Clusters: random networks on boards that walk several output pixels at once; cycles of convolutions by the model."""

import argparse
import itertools
import sys
from dataclasses import replace
from pathlib import Path

import memory
import numpy as np
from figures import Figure, save
from layers import LAYER, Shape, network_of
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.compiler.image import Image
from spikeplane.compiler.limits import CompileError
from spikeplane.device.comparison import Comparison, compare_with_model
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network import model
from spikeplane.network.schedule import Schedule
from spikeplane_hw.config import LARGE, CoreConfig
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "sw"), str(ROOT / "tests" / "hw")]
NETWORKS = 75
"""Of each core."""
OUTSIDE_NETWORKS = 15
"""Of each core with memory outside the chip, and each way to use it."""
MOST_SAMPLES = 3
STALL = 0.2
"""Share of the cycles in which the byte streams of every other network stall."""
SEVERAL = 2, 4
TITLE = "random networks and graphs on simulated boards"
OUTSIDE = "clusters and memory outside: "
MODELLED = "cycle model"
SHAPES = (Shape(128, 128, 32), Shape(128, 256, 32, stride=2), Shape(256, 256, 16), Shape(512, 512, 8))
"""Inner layers of ResNet-19."""
RATES = 0.05, 0.15
CLOCK = 100e6
"""What the figures count on; no core with clusters has been routed."""
OPERATIONS = 250.0
"""Target of :data:`RATES` 15 %, giga-operations a second."""
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
            network, schedule = memory.random_network(number, config), list(Schedule)[number // 3 % 2]
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


def outside_figures(count: int) -> list[Figure]:
    """Return what random networks gave on cores with memory outside the chip."""
    chosen = [cores()[0], cores()[-1]]
    figures, total = [], 0
    for kind in memory.kinds(chosen):
        for core in kind.cores:
            found = memory.run(kind, core, count)
            total += len(found)
            compared = sum(sum(each.compared.values()) for _, each in found)
            figures.append(Figure.at_most(
                f"{OUTSIDE}{kind.title}, {core.name}, of {compared:,} values different",
                sum(each.total for _, each in found), "values", 0,
            ))
    return [Figure(f"{OUTSIDE}random networks, on memory that stalls and refreshes often", total, "networks"), *figures]


def modelled(config: CoreConfig, rate: float) -> Figure:
    """Return the effective operations a second of the inner layers together, by the cycle model."""
    cycles = operations = 0
    for shape in SHAPES:
        network = network_of(shape)
        sample = (np.random.default_rng(2).random((1, *network.input.shape)) < rate).astype(np.uint8)
        index = network.names.index(LAYER)
        cycles += int(predict_cycles(network, sample, config)[0, index])
        operations += int(model.run(network, sample, config=config).synaptic_operations[LAYER][0])
    name = (f"{MODELLED}, {config.lanes} x {config.banks}, {config.clusters} clusters, {config.updates} updates: "
            f"inner layers of ResNet-19 at {rate:.0%} firing, effective operations a second at {CLOCK / 1e6:g} MHz")
    value = operations / cycles * CLOCK / 1e9
    if config.clusters == max(SEVERAL) and rate == max(RATES):
        return Figure.at_least(name, value, "G", OPERATIONS)
    return Figure(name, value, "G")


def model_figures() -> list[Figure]:
    """Return what the cycle model says of `large` with more clusters; weights are those of one layer, on the chip."""
    roomy = replace(LARGE, external_depth=0, weight_depth=8192, spike_depth=1 << 15, state_depth=1 << 16)
    cores = [roomy, *(
        replace(roomy, clusters=clusters, updates=updates, most_packed=128 // updates)
        for clusters, updates in ((2, 16), (2, 32), (4, 16), (4, 32))
    )]
    return [modelled(core, rate) for rate in RATES for core in cores]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/clusters.py --networks 3")
    parser.add_argument("--networks", type=int, default=NETWORKS, help=f"of each core (default: {NETWORKS})")
    parser.add_argument("--first", type=int, default=0, help="number of the first network (default: 0)")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--model", action="store_true", help="only what the cycle model says (a minute)")
    one.add_argument("--random", action="store_true", help="only random networks with all weights on the chip")
    one.add_argument("--outside", action="store_true", help="only random networks with memory outside the chip")
    arguments = parser.parse_args()
    parts = {
        MODELLED: (arguments.model, model_figures),
        TITLE: (arguments.random, lambda: random_figures(arguments.networks, arguments.first)),
        OUTSIDE: (arguments.outside, lambda: outside_figures(OUTSIDE_NETWORKS)),
    }
    chosen = [title for title, (asked, _) in parts.items() if asked] or list(parts)
    figures = [figure for title in chosen for figure in parts[title][1]()]
    save("clusters", figures, kept=lambda name: not name.startswith(tuple(chosen)))


if __name__ == "__main__":
    main()
