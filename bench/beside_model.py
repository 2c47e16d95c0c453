"""A whole network on a simulated board beside the model: what differs, its cycles, and those predicted."""

from dataclasses import dataclass

import numpy as np
from figures import Figure
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.device.comparison import Comparison, compare_with_model
from spikeplane.device.driver import Driver
from spikeplane.network.graph import IntegerNetwork

__all__ = ["MOST_OFF", "BesideModel", "beside_model"]

MOST_OFF = 10
"""Percent by which a prediction of cycles may be off."""


@dataclass(frozen=True, kw_only=True)
class BesideModel:
    """What batches of inputs gave."""

    compared: Comparison
    cycles: np.ndarray
    """float64 (batches, layers), of an input of each."""
    predicted: np.ndarray
    """The same, by the cycle model."""

    @property
    def mean(self) -> float:
        """Cycles of an input."""
        return float(self.cycles.sum(1).mean())

    def different(self, title: str) -> Figure:
        """Return how many values are not the model's; ``title`` says of what."""
        compared = sum(self.compared.compared.values())
        return Figure.at_most(f"{title} of {compared:,} values different", self.compared.total, "values", 0)

    def prediction(self, title: str) -> Figure:
        """Return how far off the prediction of a batch's cycles is at most."""
        off = 100 * float(np.abs(self.predicted.sum(1) / self.cycles.sum(1) - 1).max())
        return Figure.at_most(f"{title}: predicted cycles, off by", off, "%", MOST_OFF)


def beside_model(driver: Driver, network: IntegerNetwork, inputs: np.ndarray, *, batch: int = 1) -> BesideModel:
    """Run ``inputs`` in whole batches on the driver's core, maps not kept, and compare all that the core shows."""
    driver.load(compile_network(network, driver.config, keep_maps=False, samples=inputs[:batch], batch=batch))
    compared = compare_with_model(driver, network, inputs)
    predicted = predict_cycles(network, inputs, driver.config, keep_maps=False, batch=batch) / batch
    found = BesideModel(compared=compared, cycles=compared.cycles[::batch], predicted=predicted)
    print(f"{compared.mismatches}, {found.cycles.sum(1)} cycles, predicted {predicted.sum(1)}")
    return found
