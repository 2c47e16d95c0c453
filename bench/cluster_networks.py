"""Published networks at their size on a simulated board with two clusters: beside the model, and their cycles."""

import memory
import whole_networks
from beside_model import beside_model
from bestformer_published import published_network
from figures import Figure
from spikeplane.compiler.compile import random_samples
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.training.net.export import export_network
from spikeplane_boards.ulx3s_85f import ULX3S_85F_HUGE
from spikeplane_hw.config import HUGE

__all__ = ["WHOLE", "WHOLE_TARGETS", "whole_figures"]

WHOLE = "on the simulated huge board: "
WHOLE_TARGETS = {"ResNet-19, T = 2": 250, "BESTformer 4-384, T = 4, random weights": 40}
"""Least images a second."""


def whole_figures() -> list[Figure]:
    """Return what whole networks gave on a simulated `huge`, with SDRAM, in batches if their layers run whole."""
    resnet, transformer = WHOLE_TARGETS
    networks = {
        resnet: (export_network(memory.sparse_checkpoint(*memory.WHOLE[resnet]).network), max(memory.USUAL_BATCHES)),
        transformer: (published_network(), 1),
    }
    clock, figures = ULX3S_85F_HUGE.clock, []
    with SimulatedTransport(HUGE) as transport, Driver(transport, HUGE, run_timeout=3600) as driver:
        for title, (network, batch) in networks.items():
            inputs = random_samples(network.input, batch, whole_networks.DENSITY)
            found = beside_model(driver, network, inputs, batch=batch)
            name = f"{WHOLE}{title}, batch of {batch}"
            figures += [
                found.different(f"{name}:"),
                Figure(f"{name}: cycles an image", found.mean, "cycles"),
                found.prediction(name),
                Figure.at_least(f"{name}: images a second at {clock / 1e6:g} MHz", clock / found.mean, "1/s",
                                WHOLE_TARGETS[title]),
            ]
    return figures
