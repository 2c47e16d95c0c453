"""Clusters: random networks on boards that walk several output pixels at once; cycles of convolutions by the model."""

import argparse
import itertools
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import memory
import numpy as np
import whole_networks
from accuracy import ZOO, data_root
from cluster_boards import BUILT, built
from cluster_networks import WHOLE, WHOLE_TARGETS, whole_figures
from figures import RESULTS, Figure, save
from layers import LAYER, Shape, network_of
from own_live import BAUD, BITS, Line
from seeded import SEEDS
from spikeplane.compiler.compile import compile_network, random_samples
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.compiler.fit import fit
from spikeplane.compiler.image import Image
from spikeplane.compiler.limits import CompileError
from spikeplane.data.sets.datasets import load_dataset
from spikeplane.device.comparison import Comparison, compare_with_model
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network import model
from spikeplane.network.schedule import Schedule
from spikeplane.training.net.export import export_network
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.train import CHECKPOINT
from spikeplane_boards.ulx3s_85f import ULX3S_85F, ULX3S_85F_HUGE
from spikeplane_hw.config import HUGE, LARGE, CoreConfig
from spikeplane_hw.memory_map import Counter
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "sw"), str(ROOT / "tests" / "hw")]
NETWORKS = 75
"""Of each core."""
ZOO_NETWORKS, ZOO_SAMPLES = ("mnist", "ncars", "cifar10_core"), 8
OUTSIDE_NETWORKS = 15
"""Of each core with memory outside the chip, and each way to use it."""
MOST_SAMPLES = 3
STALL = 0.2
"""Share of the cycles in which the byte streams of every other network stall."""
SEVERAL = 2, 4
TITLE = "random networks and graphs on simulated boards"
OUTSIDE = "clusters and memory outside: "
MODELLED = "cycle model"
PREDICTED = "predicted cycles a sample: "
LINK = "through the link: "
LINK_SAMPLES = 20
ROUTED = "with SDRAM on the ULX3S-85F, speed grade 6: "
SHAPES = (Shape(128, 128, 32), Shape(128, 256, 32, stride=2), Shape(256, 256, 16), Shape(512, 512, 8))
"""Inner layers of ResNet-19."""
RATES = 0.05, 0.15
CLOCK = 100e6
"""What the cycle model's figures count on, and what a core with clusters was meant to reach."""
OPERATIONS = 250.0
"""Target of :data:`RATES` 15 %, giga-operations a second."""
MOST_CELLS = 50_184
"""60 % of the part."""
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


def board_figures(title: str, seeds: Sequence[int]) -> list[Figure]:
    """Return what a board with several clusters takes and reaches; built if it is not, which may take hours.

    Of other ``seeds`` than the board's it is the clock alone.
    """
    board, name = BUILT[title], f"{title} {ROUTED}"
    cells, clock, spent = built(board, board.seed)
    figures = [
        Figure.at_most(f"{name}logic cells", cells["TRELLIS_COMB"], "COMB", MOST_CELLS),
        Figure.at_most(f"{name}block RAMs", cells["DP16KD"], "DP16KD", 208),
    ]
    if clock is None:
        return [*figures, Figure(f"{name}routed", "does not end", "")]
    others = {seed: built(board, seed)[1] for seed in seeds if seed != board.seed}
    inner = f"inner layers of ResNet-19 at {max(RATES):.0%} firing"
    operations = modelled_operations(resident(board.config), max(RATES)) * clock
    each = operations / cells["TRELLIS_COMB"]
    return [
        *figures,
        Figure.at_least(f"{name}routed, seed {board.seed}", clock / 1e6, "MHz", CLOCK / 1e6),
        *(Figure(f"{name}routed, seed {seed}", "does not end" if other is None else other / 1e6, "MHz")
          for seed, other in others.items()),
        Figure.at_least(f"{name}effective operations a second, {inner}", operations / 1e9, "G", OPERATIONS),
        Figure.at_least(f"{name}effective operations a second for each cell, {inner}", each / 1e6, "million", 5),
        Figure.at_most(f"{name}placed and routed", spent / 60, "minutes", 40),
    ]


def resident(config: CoreConfig) -> CoreConfig:
    """Return the configuration with room for the weights and maps of the layers that are modelled, on the chip."""
    return replace(config, external_depth=0, weight_depth=8192, spike_depth=1 << 15, state_depth=1 << 16)


def modelled_operations(config: CoreConfig, rate: float) -> float:
    """Return the effective operations a cycle of the inner layers together, by the cycle model."""
    cycles = operations = 0
    for shape in SHAPES:
        network = network_of(shape)
        sample = (np.random.default_rng(2).random((1, *network.input.shape)) < rate).astype(np.uint8)
        index = network.names.index(LAYER)
        cycles += int(predict_cycles(network, sample, config)[0, index])
        operations += int(model.run(network, sample, config=config).synaptic_operations[LAYER][0])
    return operations / cycles


def modelled(config: CoreConfig, rate: float) -> Figure:
    """Return the effective operations a second of the inner layers at :data:`CLOCK`."""
    name = (f"{MODELLED}, {config.lanes} x {config.banks}, {config.clusters} clusters, {config.updates} updates: "
            f"inner layers of ResNet-19 at {rate:.0%} firing, effective operations a second at {CLOCK / 1e6:g} MHz")
    value = modelled_operations(config, rate) * CLOCK / 1e9
    if config.clusters == max(SEVERAL) and rate == max(RATES):
        return Figure.at_least(name, value, "G", OPERATIONS)
    return Figure(name, value, "G")


def predicted_figures() -> list[Figure]:
    """Return how long whole networks take on the cores for the ULX3S-85F, memory outside included."""
    boards = {"large": ULX3S_85F, **BUILT}
    cores = {title: board.config for title, board in boards.items()}
    root, figures = data_root(), []
    for name in ZOO_NETWORKS:
        checkpoint = load_checkpoint(ZOO / name / CHECKPOINT)
        network = export_network(checkpoint.network)
        inputs = load_dataset(checkpoint.recipe.data, "test", root).inputs[:ZOO_SAMPLES]
        figures += [
            Figure(f"{PREDICTED}{name} of the zoo on {title}", fit(network, core, inputs=inputs).total_cycles, "cycles")
            for title, core in cores.items()
        ]
    title = "ResNet-19, T = 2"
    network = export_network(memory.sparse_checkpoint(*memory.WHOLE[title]).network)
    inputs = random_samples(network.input, max(memory.USUAL_BATCHES), whole_networks.DENSITY)
    for (core_title, core), batch in itertools.product(cores.items(), (1, len(inputs))):
        name = f"{PREDICTED}{title}, batch of {batch}, on {core_title}"
        try:
            cycles = float(predict_cycles(network, inputs, core, keep_maps=False, batch=batch).sum()) / len(inputs)
        except CompileError:
            figures.append(Figure(name, "does not fit", ""))
            continue
        figures.append(Figure(name, cycles, "cycles"))
        if core is HUGE:
            clock = boards[core_title].clock
            most = Figure.at_least if batch == len(inputs) else Figure
            target = [WHOLE_TARGETS[title]] if batch == len(inputs) else []
            figures.append(most(f"{name}: images a second at {clock / 1e6:g} MHz", clock / cycles, "1/s", *target))
    return figures


def link_figures() -> list[Figure]:
    """Return how many images a second of MNIST the core takes, simulated, and each way to it lets through."""
    checkpoint = load_checkpoint(ZOO / "mnist" / CHECKPOINT)
    network = export_network(checkpoint.network)
    inputs = load_dataset(checkpoint.recipe.data, "test", data_root()).inputs[:LINK_SAMPLES]
    clock, figures = ULX3S_85F_HUGE.clock, []
    with SimulatedTransport(HUGE) as transport, Driver(transport, HUGE) as driver:
        driver.load(compile_network(network, HUGE))
        line = Line(driver=driver)
        line.look()
        cycles = np.array([driver.run(sample).counters[:, Counter.CYCLES.value].sum() for sample in inputs]).mean()
        _, sent, received = np.array(line.look()) / len(inputs)
    title = f"{LINK}mnist of the zoo on huge at {clock / 1e6:g} MHz"
    figures.append(Figure(f"{title}: images a second of the core", clock / cycles, "1/s"))
    usb = json.loads((RESULTS / "usb.json").read_text())["figures"]
    rates = {f"{BAUD / 1e6:g} Mbaud": (BAUD / BITS, BAUD / BITS), "USB": tuple(
        1e3 * figure["value"] for way in ("to", "from") for figure in usb
        if figure["name"] == f"USB at full speed, simulated: {way} the device"
    )}
    for way, (to, back) in rates.items():
        seconds = sent / to + cycles / clock + received / back
        figures.append(Figure(f"{title}: images a second through {way}, one after the other", 1 / seconds, "1/s"))
    return figures


def model_figures() -> list[Figure]:
    """Return what the cycle model says of `large` with more clusters; weights are those of one layer, on the chip."""
    roomy = resident(LARGE)
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
    one.add_argument("--predicted", action="store_true", help="only whole networks by the cycle model (minutes)")
    one.add_argument("--whole", action="store_true", help="only whole networks on the simulated board")
    one.add_argument("--link", action="store_true", help="only images a second through the link")
    one.add_argument("--board", nargs="*", choices=BUILT,
                     help="only bitstreams, of these (default: of all; four clusters take hours)")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="of bitstreams (default: 1 2 3)")
    one.add_argument("--random", action="store_true", help="only random networks with all weights on the chip")
    one.add_argument("--outside", action="store_true", help="only random networks with memory outside the chip")
    arguments = parser.parse_args()
    parts = {
        MODELLED: (arguments.model, model_figures),
        TITLE: (arguments.random, lambda: random_figures(arguments.networks, arguments.first)),
        PREDICTED: (arguments.predicted, predicted_figures),
        WHOLE: (arguments.whole, whole_figures),
        LINK: (arguments.link, link_figures),
        **{f"{title} {ROUTED}": (arguments.board is not None and title in (arguments.board or BUILT),
                                 partial(board_figures, title, arguments.seeds)) for title in BUILT},
        OUTSIDE: (arguments.outside, lambda: outside_figures(OUTSIDE_NETWORKS)),
    }
    chosen = [title for title, (asked, _) in parts.items() if asked] or list(parts)
    figures = [figure for title in chosen for figure in parts[title][1]()]
    save("clusters", figures, kept=lambda name: not any(title in name for title in chosen))


if __name__ == "__main__":
    main()
