"""One inner convolution on the simulated board: cycles and operations at a given firing rate."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from spikeplane.compiler.compile import compile_network
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network import model
from spikeplane.network.endings import Fire, Logits
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.pool import OrPool, Pooling
from spikeplane.network.weights import WeightKind
from spikeplane.network.window import Window
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.memory_map import Counter
from spikeplane_hw.neuron import FRACTION_BITS, Neuron

__all__ = ["Shape", "measure", "open_driver"]

STEPS = 2
SHIFT = 5
LAYER = "convolution"
"""The measured layer; the one before it copies the input, so that it comes from the core."""


@dataclass(frozen=True)
class Shape:
    """A 3x3 convolution with padding 1 on a square map."""

    inputs: int
    outputs: int
    size: int
    stride: int = 1
    weight_bits: int = 1

    def __str__(self) -> str:
        return (f"{self.inputs} to {self.outputs} channels, {self.size}x{self.size}, stride {self.stride}, "
                f"{self.weight_bits}-bit")


def network_of(shape: Shape) -> IntegerNetwork:
    """Return a network around the layer: random weights, thresholds that a few neurons pass."""
    generator = np.random.default_rng(1)
    kind = WeightKind.ODD if shape.weight_bits < 8 else WeightKind.TWOS
    codes = generator.integers(0, 1 << shape.weight_bits, (shape.outputs, shape.inputs, 3, 3))
    weight = 2 * codes - ((1 << shape.weight_bits) - 1)
    spread = np.sqrt((weight**2).sum((1, 2, 3)).mean() * 0.15)
    neuron = Neuron(state_bits=4)
    gain = round(2.0 ** (FRACTION_BITS + SHIFT) / spread)
    convolution = Window(
        source="copy", weight=weight, weight_bits=shape.weight_bits, weight_kind=kind,
        stride=shape.stride, padding=1, shift=SHIFT,
        multiplier=np.full(shape.outputs, min(gain, (1 << 15) - 1), np.int64),
        offset=np.full(shape.outputs, 1 << (SHIFT - 1), np.int64),
    )
    classifier = Window(
        source=LAYER, weight=generator.choice([-1, 1], (2, shape.outputs, 1, 1)),
        weight_bits=1, weight_kind=WeightKind.ODD,
    )
    return IntegerNetwork(
        input=InputFormat(channels=shape.inputs, height=shape.size, width=shape.size, steps=STEPS),
        nodes=[
            OrPool(name="copy", source=INPUT, pooling=Pooling(kernel=(1, 1), stride=1)),
            Layer(name=LAYER, terms=(convolution,), ending=Fire(neuron=neuron)),
            Layer(name="classifier", terms=(classifier,), ending=Logits()),
        ],
        logit_offset=np.zeros(2, np.int64),
    )


def open_driver(config: CoreConfig) -> Driver:
    """Return a driver of an open simulated board; the caller closes it."""
    driver = Driver(SimulatedTransport(config, Path("build") / "boards"), config)
    driver.open()
    return driver


def measure(driver: Driver, shape: Shape, rate: float) -> dict:
    """Run one uniformly random input at ``rate``; raise if the device differs from the model.

    Returns cycles, synaptic operations, the ideal cycles (every bank busy in every cycle) and the
    lane utilization of the measured layer.
    """
    config = driver.config
    network = network_of(shape)
    if driver.image is None or driver.image.metadata.get("shape") != str(shape):
        image = compile_network(network, config, samples=np.zeros((1, *network.input.shape), np.uint8))
        image.metadata["shape"] = str(shape)
        driver.load(image, verify=False)
    generator = np.random.default_rng(2)
    sample = (generator.random(network.input.shape) < rate).astype(np.uint8)
    expected = model.run(network, sample[None], config=config)
    answer = driver.run(sample)
    number = network.names.index(LAYER)
    events = int(expected.counters[LAYER][Counter.EVENTS][0])
    if not (answer.sums == expected.sums[0].numpy()).all() or (
        answer.counters[number, Counter.EVENTS.value] != events
    ):
        raise RuntimeError(f"{shape} at {rate:.0%}: the device differs from the integer model")
    cycles = int(answer.counters[number, Counter.CYCLES.value])
    operations = int(expected.synaptic_operations[LAYER][0])
    return {
        "rate": rate,
        "cycles": cycles,
        "operations": operations,
        "ideal_cycles": events / config.banks,
        "utilization": operations / (cycles * config.peak_operations),
    }
