"""How fast simulated boards run: clock cycles a CPU second, with loading, events and results."""

import argparse
import tempfile
import time
from pathlib import Path

import layers
from figures import Figure, save
from simulation_tried import TRIED, build
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.device.verilate import compile_library, generate_verilog
from spikeplane_hw.config import CONFIGS, CoreConfig
from spikeplane_hw.device import Device

SHAPES = {
    "small": layers.Shape(64, 64, 24, weight_bits=2),
    "large": layers.Shape(128, 128, 16, weight_bits=2),
}
"""An inner convolution that the core holds."""
RATE = 0.15
"""Share of the inputs that fire."""
RUNS = 4
TARGET = {"small": 1.0, "large": None}


class TimedTransport(SimulatedTransport):
    """A simulated board that counts the seconds that it takes; those of driver and model are not its own.

    They are CPU seconds, or with ``wall`` those that pass.
    """

    seconds = 0.0

    def __init__(self, config: CoreConfig, library: Path | None, *, wall: bool):
        super().__init__(config, library=library)
        self.clock = time.perf_counter if wall else time.process_time

    def _exchange(self) -> bytes:
        begun = self.clock()
        content = super()._exchange()
        self.seconds += self.clock() - begun
        return content

    def rest(self, seconds: float) -> None:
        begun = self.clock()
        super().rest(seconds)
        self.seconds += self.clock() - begun


def run_once(config: CoreConfig, library: Path | None, *, wall: bool = False) -> tuple[int, float]:
    """Return the cycles that the core took for the layer, and how many million a second were simulated.

    None stands for the board that users get. A run that differs from the integer model is an error.
    """
    with TimedTransport(config, library, wall=wall) as transport, Driver(transport, config) as driver:
        cycles = layers.measure(driver, SHAPES[config.name], RATE)["cycles"]
        return cycles, transport.cycles / transport.seconds / 1e6


def speed(config: CoreConfig, libraries: list[Path | None], *, wall: bool = False) -> list[float]:
    """Return of each library the million cycles a second, the best of a few runs in turn: the machine may be busy.

    A run that differs from the others in cycles is an error.
    """
    best, cycles = [0.0] * len(libraries), set()
    for _ in range(RUNS):
        for number, library in enumerate(libraries):
            taken, rate = run_once(config, library, wall=wall)
            cycles.add(taken)
            best[number] = max(best[number], rate)
    if len(cycles) != 1:
        raise RuntimeError(f"{config.name}: the layer took {sorted(cycles)} cycles")
    return best


def measure(config: CoreConfig, plain: bool) -> list[Figure]:
    """Return the speed of a configuration's board; with ``plain`` also that of one of the testbenches' Verilog."""
    name, target = f"simulated {config.name}: cycles a CPU second", TARGET[config.name]
    with tempfile.TemporaryDirectory() as folder:
        libraries: list[Path | None] = [None]
        if plain:
            library = Path(folder) / "plain.so"
            compile_library(
                lambda work: [generate_verilog(Device(config), work)], library, label=f"{config.name}, plain"
            )
            libraries.append(library)
        board, *before = speed(config, libraries)
    figure = Figure(name, board, "million") if target is None else Figure.at_least(name, board, "million", target)
    return [figure, *(Figure(f"{name}, of the Verilog for testbenches", each, "million") for each in before)]


def tried(config: CoreConfig) -> list[Figure]:
    """Return how many times as fast boards are that are built otherwise, by the seconds that pass."""
    with tempfile.TemporaryDirectory() as folder:
        libraries: list[Path | None] = [None]
        for number, each in enumerate(TRIED.values()):
            libraries.append(build(config, each, Path(folder) / str(number)))
        board, *others = speed(config, libraries, wall=True)
    return [
        Figure(f"simulated {config.name}, {name}: speed over that of the board as it is, by the clock", each / board,
               "times")
        for name, each in zip(TRIED, others, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/simulation.py --config small")
    parser.add_argument("--config", nargs="*", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--plain", action="store_true", help="also boards of the Verilog for testbenches (minutes)")
    parser.add_argument("--tried", action="store_true", help="also boards that are built otherwise (minutes)")
    parser.add_argument("--once", type=Path, metavar="LIBRARY", help="run the layer once on a compiled board, no more")
    arguments = parser.parse_args()
    configs = [CONFIGS[name] for name in arguments.config]
    if arguments.once is not None:
        run_once(configs[0], arguments.once)
        return
    save("simulation", [
        figure for config in configs
        for figure in (*measure(config, arguments.plain), *(tried(config) if arguments.tried else ()))
    ], kept=lambda name: not any(name.startswith(f"simulated {config.name}") for config in configs))


if __name__ == "__main__":
    main()
