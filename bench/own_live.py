"""The link: round trips and bytes of a sample and of a live time step, counted on the simulated board.

A trip is a wait for an answer, for which a serial port's latency timer (1 to 16 ms) is paid. Bytes are those on the
line, with the delimiters that fill it while the device answers. The board is simulated: a run is always over in time.
"""

import argparse
from dataclasses import dataclass

import numpy as np
from accuracy import ZOO
from figures import Figure, save
from spikeplane.compiler.compile import compile_network
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network.schedule import Schedule
from spikeplane.training.net.export import export_network
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane_hw.config import CONFIGS

NETWORKS = {"mnist": False, "digits": True}
"""Of the zoo, and whether they take events."""
RATE = 0.05
"""Share of the places of a step that have an event."""
BITS, BAUD = 10, 3_000_000
"""Of a byte on the line, and a second."""


@dataclass(kw_only=True)
class Line:
    """What went over the line since the last look."""

    driver: Driver
    trips: int = 0
    sent: int = 0
    received: int = 0

    def look(self) -> tuple[int, int, int]:
        """Return trips, bytes sent and bytes received since the last look."""
        session = self.driver.session
        now = session.trips, session.bytes_sent, session.bytes_received
        since = now[0] - self.trips, now[1] - self.sent, now[2] - self.received
        self.trips, self.sent, self.received = now
        return since


def figures_of(what: str, every: list[tuple[int, int, int]]) -> list[Figure]:
    """Return the figures of what went over the line each time: most trips, and mean bytes."""
    trips, sent, received = np.array(every).T
    return [
        Figure.at_most(f"{what}: round trips, at most", int(trips.max()), "trips", 1),
        Figure(f"{what}: bytes to the board", float(sent.mean()), "bytes"),
        Figure(f"{what}: bytes from the board", float(received.mean()), "bytes"),
        Figure(f"{what}: on the line to the board at 3 Mbaud", float(sent.mean()) * BITS / BAUD * 1000, "ms"),
    ]


def measure(name: str, config: str, count: int) -> list[Figure]:
    """Return the figures of a network of the zoo."""
    network = export_network(load_checkpoint(ZOO / name / "checkpoint.safetensors").network)
    random = np.random.default_rng(1)
    form = network.input
    if form.direct:
        samples = random.integers(0, 1 << form.bits, (count, *form.shape)).astype(np.uint8)
    else:
        samples = (random.random((count, *form.shape)) < RATE).astype(np.uint8)
    figures = []
    core = CONFIGS[config]
    with SimulatedTransport(core) as transport, Driver(transport, core) as driver:
        line = Line(driver=driver)
        driver.load(compile_network(network, core), verify=False)
        driver.self_test()
        line.look()
        every = []
        for sample in samples:
            driver.run(sample)
            every.append(line.look())
        kind = f"{form.bits}-bit image" if form.direct else f"{int(samples.sum() / count):,} events"
        figures += figures_of(f"{name}, a sample ({kind})", every)
        if NETWORKS[name]:
            driver.load(compile_network(network, core, Schedule.STORED), verify=False)
            for counted, title in ((True, "with counters"), (False, "logits only")):
                every = []
                for _ in driver.stream(samples[0].repeat(3, 0), counted=counted):
                    every.append(line.look())
                events = int(samples[0].sum() / form.steps)
                figures += figures_of(f"{name}, a live step of {events:,} events, {title}", every[1:])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/own_live.py --config small")
    parser.add_argument("--config", default="small", choices=CONFIGS)
    parser.add_argument("--samples", type=int, default=5)
    arguments = parser.parse_args()
    figures = [
        figure for name in NETWORKS for figure in measure(name, arguments.config, arguments.samples)
    ]
    save("own_live", figures, {"note": __doc__})


if __name__ == "__main__":
    main()
