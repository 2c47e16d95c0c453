"""How fast simulated boards run: clock cycles a CPU second, with loading, events and results."""

import argparse
import tempfile
import time
from pathlib import Path

import layers
from figures import Figure, save
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
    """A simulated board that counts the CPU seconds it takes; those of driver and model are not its own."""

    seconds = 0.0

    def _exchange(self) -> bytes:
        begun = time.process_time()
        content = super()._exchange()
        self.seconds += time.process_time() - begun
        return content

    def rest(self, seconds: float) -> None:
        begun = time.process_time()
        super().rest(seconds)
        self.seconds += time.process_time() - begun


def speed(config: CoreConfig, libraries: list[Path | None]) -> list[float]:
    """Return of each library the million cycles a CPU second, the best of a few runs in turn: the machine may be busy.

    None stands for the board that users get. A run that differs from the integer model, or in cycles, is an error.
    """
    best, cycles = [0.0] * len(libraries), set()
    for _ in range(RUNS):
        for number, library in enumerate(libraries):
            with TimedTransport(config, library=library) as transport, Driver(transport, config) as driver:
                cycles.add(layers.measure(driver, SHAPES[config.name], RATE)["cycles"])
                best[number] = max(best[number], transport.cycles / transport.seconds / 1e6)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/simulation.py --config small")
    parser.add_argument("--config", nargs="*", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--plain", action="store_true", help="also boards of the Verilog for testbenches (minutes)")
    arguments = parser.parse_args()
    save("simulation", [figure for name in arguments.config for figure in measure(CONFIGS[name], arguments.plain)])


if __name__ == "__main__":
    main()
