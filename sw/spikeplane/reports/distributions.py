"""Distributions of weights and potentials, layer by layer."""

from dataclasses import dataclass

import numpy as np
import torch
from spikeplane_hw.neuron import code_limit
from torch import Tensor

from ..training.net.networks import SpikingNetwork
from ..training.run.evaluate import batches
from .probes import Neurons, Synapses, probe

__all__ = ["POTENTIAL_RANGE", "Distributions", "Histogram", "distributions"]

BATCH = 25
BINS = 80
POTENTIAL_RANGE = 4.0
"""Potentials are counted from -4 to 4 thresholds, the rest in the outermost bins."""


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How often values fall into bins of equal width."""

    left: float
    """Where the first bin begins."""
    width: float
    counts: list[int]


@dataclass(frozen=True, kw_only=True)
class Distributions:
    """Histograms by layer."""

    latent: dict[str, Histogram]
    """Weights as they are trained."""
    quantized: dict[str, Histogram]
    """Weights in integers, a bin for each; nothing of float weights."""
    before: dict[str, Histogram]
    """Potentials that the threshold is compared with, in units of the threshold."""
    stored: dict[str, Histogram]
    """Potentials kept for the next step in the same units, a bin for each level; nothing of neurons
    that keep none."""


def distributions(network: SpikingNetwork, inputs: np.ndarray) -> Distributions:
    """Return the distributions of ``network``, potentials on ``inputs``, all neurons and steps."""
    latent, quantized = {}, {}
    before: dict[str, Histogram] = {}
    stored: dict[str, Histogram] = {}

    def weights(name: str, module: Synapses, maps: Tensor, target: Neurons | None) -> None:
        values = module.weight.detach()
        low, high = values.min().item(), values.max().item()
        latent[name] = _histogram(values, low, max(high - low, 1e-6) / BINS, BINS)
        if module.quantizer.has_integers:
            integers, _ = module.quantizer.integers(values)
            low, high = module.quantizer.kind.limits(module.quantizer.bits)
            quantized[name] = _histogram(integers, low - 0.5, 1.0, high - low + 1)

    def potentials(name: str, module: Neurons, currents: Tensor) -> None:
        for potential, state in module.trace(currents, network.form.steps):
            _add(before, name, _bins(potential))
            if state is not None:
                _add(stored, name, _levels(module, state))

    for part in batches(network, inputs, BATCH):
        probe(network, torch.from_numpy(part), neurons=potentials)
    probe(network, torch.zeros(1, *network.form.shape, dtype=torch.uint8), synapses=weights)
    return Distributions(latent=latent, quantized=quantized, before=before, stored=stored)


def _histogram(values: Tensor, left: float, width: float, count: int) -> Histogram:
    """Return the histogram of ``values``; those outside count in the outermost bins."""
    index = ((values.double().flatten() - left) / width).floor().clamp(0, count - 1)
    counts = torch.bincount(index.long(), minlength=count)
    return Histogram(left=left, width=width, counts=counts.tolist())


def _bins(potentials: Tensor) -> Histogram:
    return _histogram(potentials, -POTENTIAL_RANGE, 2 * POTENTIAL_RANGE / BINS, BINS)


def _levels(module: Neurons, state: Tensor) -> Histogram:
    neuron, _ = module.integers()
    if not neuron.quantized:
        return _bins(state)
    limit = code_limit(neuron.state_bits)
    return _histogram(state, -1 - 0.5 / limit, 1 / limit, 2 * limit + 1)


def _add(histograms: dict[str, Histogram], name: str, found: Histogram) -> None:
    known = histograms.get(name)
    counts = found.counts
    if known is not None:
        counts = [a + b for a, b in zip(known.counts, counts, strict=True)]
    histograms[name] = Histogram(left=found.left, width=found.width, counts=counts)
