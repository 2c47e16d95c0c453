"""Odd random networks on simulated boards, beside the integer model: tiny maps, whole windows, extreme numbers."""

import argparse
import itertools
import sys
from dataclasses import replace
from pathlib import Path

from figures import Figure, save
from spikeplane.compiler.choices import spillable_maps
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import Image
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.place import place
from spikeplane.compiler.state_places import spillable_streams
from spikeplane.device.comparison import Comparison, compare_with_model
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.schedule import Schedule
from spikeplane_hw.config import CoreConfig
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "sw"), str(ROOT / "tests" / "hw")]
NETWORKS = 400
"""Of each core."""
SAMPLES = 2


def cores() -> list[CoreConfig]:
    """Return a narrow core, one with clusters, and one with clusters whose memories are too small on purpose."""
    from narrow_core import CONFIG

    return [
        replace(CONFIG, name="narrow"), replace(CONFIG, name="four clusters", clusters=4),
        replace(CONFIG, name="two clusters, memory outside", clusters=2, external_depth=1 << 14, weight_depth=128,
                state_depth=128, layer_count=64, pass_count=512),
    ]


def compiled(network: IntegerNetwork, config: CoreConfig, number: int) -> Image:
    """Return an image; the number says of which schedule, and what of it stays, leaves the chip or runs in batches."""
    schedule, outside = list(Schedule)[number % 2], bool(config.external_depth)
    batch = SAMPLES if outside and not schedule.stores and number % 3 == 0 else 1
    if not outside:
        return compile_network(network, config, schedule, keep_maps=number % 4 < 2, keep_states=number % 3 == 0)
    early = place(network, config, schedule, keep_maps=False, batch=batch).early
    spilled = frozenset([*spillable_maps(network, config, schedule, early), *spillable_streams(network)])
    return compile_network(
        network, config, schedule, keep_maps=False, batch=batch, spilled=spilled if number % 4 < 2 else None
    )


def run(config: CoreConfig, count: int, first: int) -> list[Comparison]:
    """Return what ``count`` odd networks gave that a core runs, from number ``first`` on."""
    import odd_networks
    import ragged_networks

    found: list[Comparison] = []
    bar = tqdm(total=count, desc=config.name, disable=None)
    with SimulatedTransport(config) as transport, Driver(transport, config) as driver:
        for number in itertools.count(first):
            if len(found) == count:
                return found
            network = odd_networks.network(number)
            try:
                image = compiled(network, config, number)
            except CompileError:
                continue
            driver.load(image)
            found.append(compare_with_model(driver, network, ragged_networks.samples(network, SAMPLES)))
            bar.update()
            if found[-1].total:
                print(f"{config.name}, number {number}: {found[-1].mismatches}")
    raise AssertionError("there is always another network")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/odd.py --networks 20")
    parser.add_argument("--networks", type=int, default=NETWORKS, help=f"of each core (default: {NETWORKS})")
    parser.add_argument("--first", type=int, default=0, help="number of the first network (default: 0)")
    arguments = parser.parse_args()
    figures = []
    for config in cores():
        found = run(config, arguments.networks, arguments.first)
        compared = sum(sum(each.compared.values()) for each in found)
        figures += [
            Figure(f"odd networks on simulated boards: {config.name}", len(found), "networks"),
            Figure.at_most(f"odd networks on simulated boards: {config.name}, of {compared:,} values different",
                           sum(each.total for each in found), "values", 0),
        ]
    save("odd", figures)


if __name__ == "__main__":
    main()
