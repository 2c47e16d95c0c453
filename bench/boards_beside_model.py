"""Random networks on simulated boards of every configuration, in both schedules, beside the integer model."""

import argparse
import itertools
import sys
from pathlib import Path

from figures import Figure, save
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.placement import CompileError
from spikeplane.device.comparison import Comparison, compare_with_model
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network.schedule import Schedule
from spikeplane_hw.config import CONFIGS, CoreConfig
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "sw"), str(ROOT / "sim")]
NETWORKS = 120
"""Of each core."""
SAMPLES = 2
STALL = 0.2
"""Share of the cycles in which the byte streams of every other network stall."""


def run(config: CoreConfig, count: int, seed: int) -> list[Comparison]:
    """Return what ``count`` random networks that fit a core gave; those of several terms in turn with chains."""
    import ragged_networks
    import residual_networks

    ways = itertools.cycle(itertools.product((residual_networks, ragged_networks), Schedule, (False, True)))
    found: list[Comparison] = []
    with SimulatedTransport(config) as transport, Driver(transport, config) as driver:
        for number in tqdm(itertools.count(seed), desc=config.name, total=count, disable=None):
            if len(found) == count:
                return found
            made, schedule, direct = next(ways)
            more = {"most_terms": config.term_count} if made is residual_networks else {"taps": number % 3 == 0}
            network = made.network(number, direct=direct, **more)
            try:
                image = compile_network(network, config, schedule, keep_states=True)
            except CompileError:
                continue
            transport.stall(number + 1, STALL if number % 2 else 0.0)
            driver.load(image)
            found.append(compare_with_model(driver, network, ragged_networks.samples(network, SAMPLES)))
            if found[-1].total:
                print(f"{config.name}, seed {number}, {schedule.value}, {network.text if False else made.__name__}: "
                      f"{found[-1].mismatches}")
    return found


def main() -> None:
    from configurations import SIMULATED

    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/boards_beside_model.py --count 20")
    parser.add_argument("--count", type=int, default=NETWORKS, help=f"networks of each core (default: {NETWORKS})")
    parser.add_argument("--config", nargs="*", choices=SIMULATED, default=["narrow", "chunky", *CONFIGS])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    found = {name: run(SIMULATED[name], arguments.count, arguments.seed) for name in arguments.config}
    every = [each for comparisons in found.values() for each in comparisons]
    print({name: (len(c), sum(x.total for x in c), sum(sum(x.compared.values()) for x in c)) for name, c in found.items()})


if __name__ == "__main__":
    main()
