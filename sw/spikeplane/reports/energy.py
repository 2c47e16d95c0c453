"""Size, synaptic operations and energy of a trained network, as papers count them.

Energy is the estimate for 45 nm CMOS of Horowitz, "Computing's energy problem (and what we can do
about it)", ISSCC 2014: additions and multiplications of 32-bit floats, nothing else. It knows
neither the bits of weights and potentials, nor memory traffic, nor the updates of neurons. What a
network really takes of our core is in :mod:`spikeplane.compiler.footprint`; the two are not to be mixed.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from spikeplane_hw.memory_map import LOGIT_WIDTH
from spikeplane_hw.neuron import MULTIPLIER_WIDTH, OFFSET_WIDTH
from torch import Tensor

from ..network import model
from ..network.checks import NetworkError
from ..network.counting import count_windows
from ..network.graph import IntegerNetwork
from ..network.layer import Layer
from ..network.product import Product
from ..training.net.export import export_network
from ..training.net.layers import Classifier
from ..training.net.names import synapse_names
from ..training.net.networks import SpikingNetwork
from ..training.net.quantizers import WeightQuantizer
from ..training.net.streams import Heads
from ..training.run.checkpoint import Checkpoint, load_checkpoint
from ..training.run.evaluate import batches, load_test
from .probes import Neurons, Synapses, probe

__all__ = [
    "ACCUMULATE_PJ", "MULTIPLY_ACCUMULATE_PJ", "Cost", "Operations", "Size", "checkpoint_cost",
    "cost", "energy_nj",
]

ACCUMULATE_PJ = 0.9
"""A 32-bit float addition, 45 nm (Horowitz 2014)."""
MULTIPLY_PJ = 3.7
"""A 32-bit float multiplication, 45 nm (Horowitz 2014)."""
MULTIPLY_ACCUMULATE_PJ = ACCUMULATE_PJ + MULTIPLY_PJ
FLOAT_BITS = 32
BATCH = 25
"""Samples looked at together; large networks have some million neurons each."""


def energy_nj(accumulates: float, multiply_accumulates: float) -> float:
    """Return ``0.9 pJ * accumulates + 4.6 pJ * multiply_accumulates`` in nJ (Horowitz 2014)."""
    picojoules = ACCUMULATE_PJ * accumulates + MULTIPLY_ACCUMULATE_PJ * multiply_accumulates
    return picojoules / 1000


@dataclass(frozen=True, kw_only=True)
class Size:
    """Bits of everything a network keeps, by part and by layer."""

    weights: dict[str, int] = field(default_factory=dict)
    """Weights times their bits."""
    parameters: dict[str, int] = field(default_factory=dict)
    """A multiplier and an offset for each channel (normalization and scales), an offset for each
    class."""
    potentials: dict[str, int] = field(default_factory=dict)
    """Neurons times the bits of a stored potential."""
    input_spikes: dict[str, int] = field(default_factory=dict)
    """What memory-free neurons keep instead: the spikes of the last taps - 1 steps of each neuron
    (or pixel of an input) that they read, one bit each; by the first layer that reads them."""

    @property
    def parts(self) -> dict[str, int]:
        """Bits of each part."""
        return {name: sum(layers.values()) for name, layers in vars(self).items()}

    @property
    def total(self) -> int:
        """Bits of all parts."""
        return sum(self.parts.values())


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Operations of a layer for one sample, the mean of those seen."""

    accumulates: float
    """Additions of a weight: input spikes times the outputs that each one reaches."""
    multiply_accumulates: float
    """Of the layer that reads a direct-coded image, once: its sums are replayed."""
    dense: int
    """Multiply-accumulates of the same layer in a network that is no spiking one, for one image."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a network keeps and does for one sample, the mean of ``samples``."""

    samples: int
    size_bits: Size
    float32_bits: Size
    """The same with 32-bit weights, parameters and potentials; spikes stay one bit."""
    operations: dict[str, Operations]
    """Of each layer with weights, and of products of two maps; pools add nothing. Without an integer model, products
    are left out."""
    rates: dict[str, float]
    """Share of (step, pixel, channel) that spike, of each layer but the classifier."""
    core_operations: dict[str, float] | None
    """One-bit additions of the core, schedule REGISTERS: each accumulate once for each bit of its
    weight (and of a direct-coded image), pools included. None: no integer model."""
    missing: str = ""
    """Why there is no integer model; spikes are then those of the float network."""

    @property
    def accumulates(self) -> float:
        """Of all layers."""
        return sum(layer.accumulates for layer in self.operations.values())

    @property
    def multiply_accumulates(self) -> float:
        """Of all layers."""
        return sum(layer.multiply_accumulates for layer in self.operations.values())

    @property
    def dense(self) -> int:
        """Multiply-accumulates of a dense network of the same shape."""
        return sum(layer.dense for layer in self.operations.values())

    @property
    def energy_nj(self) -> float:
        """Estimated energy of a sample, see :func:`energy_nj`."""
        return energy_nj(self.accumulates, self.multiply_accumulates)

    @property
    def dense_energy_nj(self) -> float:
        """That of a float32 network of the same shape, all multiply-accumulates once."""
        return energy_nj(0, self.dense)


def checkpoint_cost(
    checkpoint: Checkpoint | Path, data_root: Path | None = None, samples: int = 100
) -> Cost:
    """Return the cost of a checkpoint's network on the first ``samples`` of its test data."""
    path = None
    if not isinstance(checkpoint, Checkpoint):
        path, checkpoint = checkpoint, load_checkpoint(checkpoint)
    test = load_test(checkpoint, data_root, path)
    return cost(checkpoint.network, test.inputs[:samples])


def cost(network: SpikingNetwork, inputs: np.ndarray) -> Cost:
    """Return size, operations, energy and firing rates of a network on ``inputs``.

    Spikes are counted in the integer model, or in the network as trained if it has none.
    """
    if not len(inputs):
        raise ValueError("the cost of a network needs at least one sample")
    synapses, size, float32 = _structure(network)
    try:
        integers, missing = export_network(network), ""
    except NetworkError as error:
        integers, missing = None, str(error)
    if integers is None:
        accumulates, rates = _count_spikes(network, inputs)
        core = None
    else:
        core, accumulates, rates = _count_integers(integers, inputs)
    synapses |= {} if integers is None else _products(integers)
    return Cost(
        samples=len(inputs), size_bits=size, float32_bits=float32, rates=rates,
        operations={
            name: Operations(
                accumulates=0 if direct else accumulates[name],
                multiply_accumulates=dense if direct else 0, dense=dense,
            )
            for name, (dense, direct) in synapses.items()
        },
        core_operations=core, missing=missing,
    )


def _structure(network: SpikingNetwork) -> tuple[dict[str, tuple[int, bool]], Size, Size]:
    """Return (dense operations, whether it reads an image) by layer, size, size in float32."""
    synapses: dict[str, tuple[int, bool]] = {}
    size, float32 = Size(), Size()
    sources: list[tuple[Tensor, str]] = []
    floats = any(
        isinstance(module, WeightQuantizer) and not module.has_integers for module in network.modules()
    )

    def add_synapses(name: str, module: Synapses, maps: Tensor, target: Neurons | None) -> None:
        weight, quantizer = module.weight, module.quantizer
        bits = quantizer.bits if quantizer.has_integers else FLOAT_BITS
        size.weights[name] = weight.numel() * bits
        float32.weights[name] = weight.numel() * FLOAT_BITS
        readers = [reader for source, reader in sources if source is maps] or [name]
        sources.append((maps, name))
        dense = _additions(module, torch.ones_like(maps[0]))
        kept, folded = 2 * FLOAT_BITS, MULTIPLIER_WIDTH + OFFSET_WIDTH
        if isinstance(module, Classifier | Heads):
            # An ordinary network averages over pixels first.
            dense = weight.numel()
            kept, folded = FLOAT_BITS, LOGIT_WIDTH
        float32.parameters[name] = len(weight) * kept
        size.parameters[name] = len(weight) * (kept if floats else folded)
        synapses[name] = dense, network.form.direct and sources[0][0] is maps
        if _taps(target) > 1:
            bits = (_taps(target) - 1) * maps[0].numel()
            bits = max(bits, size.input_spikes.get(readers[0], 0))
            size.input_spikes[readers[0]] = float32.input_spikes[readers[0]] = bits

    def add_neurons(name: str, module: Neurons, currents: Tensor) -> None:
        if module.stored_bits:
            bits = FLOAT_BITS if floats else module.stored_bits
            size.potentials[name] = currents[0].numel() * bits
            float32.potentials[name] = currents[0].numel() * FLOAT_BITS

    sample = torch.zeros(1, *network.form.shape, dtype=torch.uint8)
    probe(network, sample, synapses=add_synapses, neurons=add_neurons)
    return synapses, size, float32


def _products(integers: IntegerNetwork) -> dict[str, tuple[int, bool]]:
    """Return, as :func:`_structure` does, the dense operations of products of two maps, which have no weights."""
    maps, found = integers.maps(), {}
    for node in integers.nodes:
        terms = [term for term in node.terms if isinstance(term, Product)] if isinstance(node, Layer) else []
        for term in terms:
            _, height, width = term.shape(node.where, maps)
            found[node.name] = int(term.bound(maps).sum()) * height * width, False
    return found


def _taps(neurons: Neurons | None) -> int:
    return 1 if neurons is None else len(neurons.integers()[1])


def _additions(module: Synapses, activity: Tensor) -> int:
    """Return how many weights ``activity``, (batch, channels, height, width), adds up."""
    shape = module.weight.shape
    strides = (1, 0) if isinstance(module, Classifier | Heads) else (module.stride, module.padding)
    return int(count_windows(activity, shape[2:], *strides).sum()) * shape[0]


def _count_integers(
    integers: IntegerNetwork, inputs: np.ndarray
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Return one-bit operations by node, accumulates by what has weights, and firing rates by node.

    All are means of ``inputs``; names are those of :func:`.probes.probe`.
    """
    maps = integers.maps()
    bits = {node.name: node.memory(maps).weight_bits for node in integers.nodes}
    operations = dict.fromkeys(integers.names, 0.0)
    accumulates: dict[str, float] = {}
    rates: dict[str, float] = {}
    for start in range(0, len(inputs), BATCH):
        result = model.run(integers, inputs[start : start + BATCH], trace=True)
        for name, values in result.synaptic_operations.items():
            operations[name] += float(values.sum()) / len(inputs)
        for name, terms in result.term_operations.items():
            parts = synapse_names(name, len(terms), integers.names) if terms else []
            # A product of two maps has no weights of its own: the bits of the other map stand in for them.
            for part, width, values in zip(parts, bits[name] or (1,) * len(parts), terms, strict=True):
                accumulates[part] = accumulates.get(part, 0.0) + float(values.sum()) / width / len(inputs)
        for name, spikes in result.spikes.items():
            rates[name] = rates.get(name, 0.0) + float(spikes.double().mean()) * len(spikes) / len(inputs)
    return operations, accumulates, rates


def _count_spikes(
    network: SpikingNetwork, inputs: np.ndarray
) -> tuple[dict[str, float], dict[str, float]]:
    """Return accumulates and firing rates by layer of the network as trained, means of ``inputs``."""
    operations: dict[str, float] = {}
    rates: dict[str, float] = {}

    def add(name: str, module: Synapses, maps: Tensor, target: Neurons | None) -> None:
        # A memory-free neuron adds a spike once more for each later step that looks back at it.
        times = torch.arange(len(maps), 0, -1).clamp(max=_taps(target)).view(-1, 1, 1, 1, 1)
        # Of a stream all numbers that are not 0 are multiplied.
        added = _additions(module, ((maps != 0) * times).sum(0))
        operations[name] = operations.get(name, 0.0) + added / len(inputs)

    for part in batches(network, inputs, BATCH):
        for name, spikes in probe(network, torch.from_numpy(part), synapses=add).items():
            share = float(spikes.double().mean()) * len(part) / len(inputs)
            rates[name] = rates.get(name, 0.0) + share
    return operations, rates
