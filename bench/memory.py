"""Weights outside the chip: random networks and whole published ones on simulated boards with SDRAM; its bandwidth."""

import argparse
import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import whole_networks
from beside_model import beside_model
from figures import Figure, save
from seeded import SEEDS, build_seed
from spikeplane.boards import BOARDS
from spikeplane.compiler.compile import compile_network, random_samples
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.compiler.image import Image
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.place import place
from spikeplane.compiler.state_places import spillable_streams
from spikeplane.device.comparison import Comparison, compare_with_model
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network import model
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.schedule import Schedule
from spikeplane.training.net.export import export_network
from spikeplane.training.run.checkpoint import Checkpoint
from spikeplane_hw.config import BURST_BITS, LARGE, CoreConfig
from spikeplane_hw.external_bus import BURST_BEATS
from spikeplane_hw.sdram import Sdram
from spikeplane_hw.sdram_chip import ULX3S_SDRAM
from spikeplane_hw.simulated_device import CLOCK, SimulatedDevice
from synthesized import cell_counts
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "sw"), str(ROOT / "tests" / "hw")]
BOARD = BOARDS["ulx3s-85f"]
NETWORKS = 70
"""Of each core."""
WEIGHT_DEPTH = 64
"""Slots of a core's weight memory: too few for most random networks."""
SPIKE_DEPTH = 48
"""Words of a core's spike memory where layers run in parts: too few for the maps of most random networks."""
STREAM_GROUPS = 16
"""Channel groups of a core's state memory where streams come in pieces: too few for most."""
ROOMY = {"external_depth": 1 << 16, "layer_count": 64, "table_count": 8, "pass_count": 512, "parameter_depth": 1024}
"""What else is large enough for graphs with streams."""
WEIGHTS = "random networks whose weights stream in"
MOST_SAMPLES = 5
REFRESHES = 2048 * 700.0
"""Nanoseconds in which the rows of a chip are refreshed that does it often; the usual chip's 8192 rows take 64e6."""
STALL = 0.2
"""Share of the cycles in which the byte streams of every other network stall."""
WHOLE = {
    "ResNet-19, T = 2": ("cifar10_resnet19_1w2u", whole_networks.IMAGE),
    "ResNet-20, T = 2": ("cifar10_resnet20_1w2u", whole_networks.IMAGE),
    "VGG-16, T = 4": ("cifar10_vgg16_1w2u", whole_networks.IMAGE),
    "VGGSNN, T = 10": ("cifar10dvs_vggsnn_1w2u", ()),
}
"""At the width they were published with; weights are random."""
INPUTS = 4
BATCHES = {"VGGSNN, T = 10": (1,)}
"""Layers that run in parts take one image at a time; others run in those of ``USUAL_BATCHES``."""
USUAL_BATCHES = 1, 2, 4
BIAS, NORMALIZED = -0.6, 4
"""Added to all currents, normalized by so many images first: so random weights fire about as often as trained ones."""
BURSTS = 4096
"""Read in order to see how many cycles bring a beat."""


def random_network(number: int, config: CoreConfig) -> IntegerNetwork:
    """Return a random network: a graph, one of several terms or a chain in turn."""
    import ragged_networks
    import random_graphs
    import residual_networks

    kind, direct = number % 3, number % 2 == 0
    if kind == 0:
        return random_graphs.graph(number, on_core=True)
    if kind == 1:
        return residual_networks.network(number, direct=direct, most_terms=config.term_count)
    return ragged_networks.network(number, direct=direct, taps=number % 9 == 2)


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """Who compiles random networks, and of which those are run that are as they should be."""

    title: str
    cores: list[CoreConfig]
    compile: Callable[[IntegerNetwork, CoreConfig, int, int], Image | None]
    """Takes the network, the core, the network's number, and how many samples it may have at once."""


def with_streamed_weights(network: IntegerNetwork, config: CoreConfig, number: int, samples: int) -> Image | None:
    """Return an image whose weights stream in, of every other two networks one whose maps are spilled."""
    from spilled_networks import compile_spilled

    schedule = list(Schedule)[number // 3 % 2]
    if not place(network, config, schedule, keep_states=True).streaming:
        return None
    make = compile_spilled if number % 4 < 2 else compile_network
    return make(network, config, schedule, keep_states=True, batch=1 if schedule.stores else samples)


def with_spilled_streams(network: IntegerNetwork, config: CoreConfig, number: int, samples: int) -> Image | None:
    """Return an image all of whose streams and maps leave the chip that can."""
    from spilled_networks import compile_spilled

    if not spillable_streams(network):
        return None
    return compile_spilled(network, config, list(Schedule)[number // 3 % 2])


def in_pieces(network: IntegerNetwork, config: CoreConfig, number: int, samples: int) -> Image | None:
    """Return an image of whose streams no more is on the chip than a row of a channel group."""
    if not any(form.signed for form in network.maps().values()):
        return None
    image = compile_network(network, config, keep_maps=False)
    return image if image.in_pieces else None


def in_parts(network: IntegerNetwork, config: CoreConfig, number: int, samples: int) -> Image | None:
    """Return an image whose layers run in parts, since the spike memory is too small."""
    image = compile_network(network, config, keep_maps=False, keep_states=number % 2 == 0)
    return image if any(layer.split for layer in image.layers) else None


def kinds(cores: Sequence[CoreConfig]) -> list[Compiled]:
    """Return what is done with random networks on cores of three sizes; their memories are too small on purpose."""
    from streamed_networks import roomy

    return [
        Compiled(
            title=WEIGHTS, compile=with_streamed_weights,
            cores=[roomy(replace(core, weight_depth=WEIGHT_DEPTH, **ROOMY), MOST_SAMPLES) for core in cores],
        ),
        Compiled(
            title="random networks whose streams leave the chip", compile=with_spilled_streams,
            cores=[replace(core, weight_depth=1 << 10, **ROOMY) for core in cores],
        ),
        Compiled(
            title="random networks whose streams come in pieces", compile=in_pieces,
            cores=[replace(core, weight_depth=1 << 10, **ROOMY, state_depth=STREAM_GROUPS * core.chunks)
                   for core in cores],
        ),
        Compiled(
            title="random networks in parts", compile=in_parts,
            cores=[replace(core, external_depth=1 << 16, layer_count=64, spike_depth=SPIKE_DEPTH)
                   for core in cores[:2]],
        ),
    ]


def run(kind: Compiled, config: CoreConfig, count: int) -> list[tuple[Image, Comparison]]:
    """Return what ``count`` random networks gave, up to MOST_SAMPLES inputs each; memory stalls and refreshes often."""
    import ragged_networks

    device = SimulatedDevice(config, replace(ULX3S_SDRAM, row_bits=11, retention=REFRESHES), noise=True)
    found = []
    bar = tqdm(total=count, desc=f"{config.name}, {kind.title}", disable=None)
    with SimulatedTransport(config, device=device) as transport, Driver(transport, config) as driver:
        for number in itertools.count():
            if len(found) == count:
                return found
            network, samples = random_network(number, config), 1 + len(found) % MOST_SAMPLES
            try:
                image = kind.compile(network, config, number, samples)
            except CompileError:
                continue
            if image is None:
                continue
            transport.stall(number + 1, STALL if number % 2 else 0.0)
            driver.load(image)
            compared = compare_with_model(driver, network, ragged_networks.samples(network, samples))
            found.append((image, compared))
            bar.update()
            if compared.total:
                print(f"{kind.title}: {config.name}, number {number}: {compared.mismatches}")
    raise AssertionError("there is always another network")


def random_figures(count: int) -> list[Figure]:
    """Return what random networks gave, ``count`` on each core."""
    from ragged_networks import CORES

    figures = []
    for kind in kinds(CORES[:3]):
        found = {config.name: run(kind, config, count) for config in kind.cores}
        images = [image for networks in found.values() for image, _ in networks]
        title = f"{kind.title}, on memory that stalls and refreshes often"
        if kind.title == WEIGHTS:
            spilled = [any(layer.spilled for layer in image.layers) for image in images]
            figures += [
                Figure.at_least(title, len(images), "networks", 200),
                Figure(f"{kind.title}: in batches of 2 to 5", sum(image.batch > 1 for image in images), "networks"),
                Figure(f"{kind.title}: maps are spilled", sum(spilled), "networks"),
                Figure(f"{kind.title}: products are there", sum(image.halves_ring for image in images), "networks"),
            ]
        else:
            figures.append(Figure(title, len(images), "networks"))
        for name, networks in found.items():
            compared = sum(sum(each.compared.values()) for _, each in networks)
            figures.append(Figure.at_most(
                f"{kind.title}: {name}, of {compared:,} values different", sum(each.total for _, each in networks),
                "values", 0,
            ))
    return figures


def sparse_checkpoint(name: str, overrides: tuple[str, ...]) -> Checkpoint:
    """Return a recipe's network of random weights that fires about as often as a trained one, as it trains."""
    import torch
    from lively_networks import lively
    from spikeplane.data.sets.shapes import input_format
    from spikeplane.training.net.layers import NormConv
    from spikeplane.training.recipe.recipes import load_recipe

    recipe = load_recipe(name, overrides)
    torch.manual_seed(0)
    checkpoint = Checkpoint.start(recipe, *input_format(recipe.data))
    made = lively(made=checkpoint.network)
    norms = [module.norm for module in made.modules() if isinstance(module, NormConv)]
    for norm in norms:
        norm.momentum = None  # statistics are those of all that was seen
        norm.bias.data += BIAS
    with torch.no_grad():
        made.train()(torch.from_numpy(random_samples(made.form, NORMALIZED, whole_networks.DENSITY)))
    made.eval()
    return checkpoint


def whole(title: str, made: tuple[str, tuple[str, ...]], driver: Driver, batch: int) -> list[Figure]:
    """Return what a whole network gave in batches of so many images, and what its stream takes."""
    network = export_network(sparse_checkpoint(*made).network)
    inputs = random_samples(network.input, INPUTS, whole_networks.DENSITY)
    found = beside_model(driver, network, inputs, batch=batch)
    measured = found.mean
    resident = replace(LARGE, external_depth=0, weight_depth=1 << 15, spike_depth=1 << 16, row_flag_count=1 << 13)
    walked = predict_cycles(network, inputs, resident, keep_maps=False).sum(1)
    spikes = model.run(network, inputs[:1], trace=True, counters=False).spikes
    firing = 100 * float(np.mean([float(each.float().mean()) for each in spikes.values()]))
    bursts = place(network, LARGE, keep_maps=False, batch=batch).traffic
    title = f"{title}, batch of {batch}"
    return [
        found.different(f"{title}: {INPUTS} inputs on the simulated large board,"),
        Figure(f"{title}: neurons that fire in a step, mean of all layers", firing, "%"),
        Figure(f"{title}: cycles an image", measured, "cycles"),
        found.prediction(title),
        Figure(f"{title}: of its cycles it waits for memory, by prediction",
               100 * max(0.0, 1 - float(walked.mean()) / measured), "%"),
        Figure(f"{title}: between SDRAM and core an image", bursts * BURST_BITS / 8 / 1e6 / batch, "MB"),
        Figure(f"{title}: images a second at {BOARD.clock / 1e6:g} MHz", BOARD.clock / measured, "images/s",
               *((">= 80", BOARD.clock / measured >= 80) if title.startswith("ResNet-19") and batch > 1 else ())),
    ]


def bandwidth() -> float:
    """Return the share of cycles that bring a beat while bursts are read in order, with refreshes."""
    from amaranth.lib import wiring
    from amaranth.lib.wiring import Out
    from sdram_bench import attach
    from spikeplane_hw.external_bus import ExternalBus
    from spikeplane_hw.testing import simulate

    class Reader(wiring.Component):
        external: Out(ExternalBus(1 << 16))

        def elaborate(self, platform):
            from amaranth import Module

            return Module()

    reader, beats = Reader(), []
    design, watching = attach(reader, replace(ULX3S_SDRAM, start=2e3), CLOCK)

    async def read(ctx):
        ctx.set(reader.external.request.valid, 1)
        for address in range(BURSTS):
            ctx.set(reader.external.request.payload, {"write": 0, "address": address})
            await ctx.tick().until(reader.external.request.ready)

    async def count(ctx):
        async for cycle, valid in _numbered(ctx, reader.external.beat_valid):
            if valid:
                beats.append(cycle)

    async def _numbered(ctx, signal):
        cycle = 0
        async for _, _, value in ctx.tick().sample(signal):
            cycle += 1
            yield cycle, value

    simulate(design, read, background=[count, *watching])
    assert len(beats) > (BURSTS - 4) * BURST_BEATS
    return len(beats) / (beats[-1] - beats[0] + 1)


def controller() -> list[Figure]:
    """Return the cells of the controller alone, beside LiteDRAM's smallest one, which docs/memory.md describes."""
    counts = cell_counts(Sdram(ULX3S_SDRAM, BOARD.clock), "sdram")
    return [
        Figure.at_most("controller of the SDRAM, initialization included (LiteDRAM's without it: 495)", counts["LUT4"],
                       "LUT4", 495),
        Figure("controller of the SDRAM: carry cells", counts["CCU2C"], "CCU2C"),
        Figure("controller of the SDRAM: flip-flops", counts["TRELLIS_FF"], "FF"),
    ]


def board(seeds: Sequence[int]) -> list[Figure]:
    """Return what large with SDRAM takes and reaches on the ULX3S-85F from each seed; built if it is not."""
    reports = {seed: board_report(seed) for seed in sorted({BOARD.seed, *seeds})}
    report = reports[BOARD.seed]
    clocks = {
        seed: min(each["achieved_mhz"] for each in found["clocks"].values()) for seed, found in reports.items()
    }
    return [
        Figure.at_most("large with SDRAM on the 85F, speed grade 6: logic cells", report["resources"]["lut"]["used"],
                       "COMB", 25_000),
        Figure("large with SDRAM on the 85F: block RAMs", report["resources"]["block_ram"]["used"], "DP16KD"),
        Figure.at_least(f"large with SDRAM on the 85F, speed grade 6: routed, seed {BOARD.seed}", clocks[BOARD.seed],
                        "MHz", 95),
        *(Figure(f"large with SDRAM on the 85F, speed grade 6: routed, seed {seed}", clock, "MHz")
          for seed, clock in clocks.items() if seed != BOARD.seed),
    ]


def board_report(seed: int) -> dict:
    """Return the report of the board's bitstream from a seed; it may miss its clock, but has to end."""
    folder, report = build_seed(BOARD, seed)
    if report is None:
        sys.exit(f"{folder}: no bitstream from seed {seed}")
    return report


def whole_figures(titles: list[str]) -> list[Figure]:
    """Return what whole networks gave, by their titles."""
    figures = []
    with SimulatedTransport(LARGE) as transport, Driver(transport, LARGE, run_timeout=3600) as driver:
        for title in titles:
            for batch in BATCHES.get(title, USUAL_BATCHES):
                figures += whole(title, WHOLE[title], driver, batch)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/memory.py --random --count 10")
    parser.add_argument("--count", type=int, default=NETWORKS, help=f"networks of each core (default: {NETWORKS})")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--random", action="store_true", help="only random networks")
    one.add_argument("--whole", choices=WHOLE, nargs="+", help="only these whole networks")
    one.add_argument("--board", action="store_true", help="only the board's bitstreams")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="of the board (default: 1 2 3)")
    arguments = parser.parse_args()
    if arguments.random:
        save("memory", random_figures(arguments.count), kept=lambda name: "random networks" not in name)
    elif arguments.whole:
        save("memory", whole_figures(arguments.whole),
             kept=lambda name: not any(title in name for title in arguments.whole))
    elif arguments.board:
        save("memory", board(arguments.seeds), kept=lambda name: "large with SDRAM" not in name)
    else:
        save("memory", [
            *random_figures(arguments.count), *whole_figures(list(WHOLE)),
            Figure.at_least("SDRAM bandwidth used over its peak while weights stream", 100 * bandwidth(), "%", 80),
            *controller(), *board(arguments.seeds),
        ])


if __name__ == "__main__":
    main()
