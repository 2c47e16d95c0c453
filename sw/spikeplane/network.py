"""The integer network: what a trained network is exported to, and what the integer model runs."""

import enum
from dataclasses import dataclass, field

import numpy as np
from spikeplane_hw.neuron import MULTIPLIER_WIDTH, OFFSET_WIDTH, Neuron

__all__ = ["InputFormat", "IntegerNetwork", "Layer", "NetworkError", "Schedule", "WeightKind"]


class NetworkError(ValueError):
    """A network breaks a rule; the message names the layer, the value and the limit."""


class WeightKind(enum.Enum):
    """Which integers b-bit weights stand for."""

    ODD = "odd"
    """Odd integers -(2**b - 1) ... 2**b - 1: 1-bit weights are -1 and 1."""
    TWOS = "twos"
    """Two's complement integers -2**(b-1) ... 2**(b-1) - 1."""
    UNIT = "unit"
    """0 ... 2**b - 1."""

    def codes(self, weights: np.ndarray, bits: int) -> np.ndarray:
        """Return the unsigned codes, 0 to 2**bits - 1, that the lanes add."""
        if self is WeightKind.ODD:
            return (weights + (1 << bits) - 1) >> 1
        if self is WeightKind.TWOS:
            return weights + (1 << (bits - 1))
        return weights

    def reference(self, bits: int) -> int:
        """Return k in ``sum = a * code sum - k * active inputs``."""
        return {WeightKind.ODD: (1 << bits) - 1, WeightKind.TWOS: 1 << (bits - 1)}.get(self, 0)


class Schedule(enum.Enum):
    """Which loop is outside: both give the same spikes, states and logits."""

    REGISTERS = "registers"
    """All time steps of a pixel run while its potential is at hand; nothing is stored after."""
    STORED = "stored"
    """All layers run one time step at a time; quantized potentials are stored in between."""


@dataclass(frozen=True, kw_only=True)
class InputFormat:
    """Shape of the network's input: spikes (steps, channels, height, width), or one image of
    ``bits``-bit unsigned integers (channels, height, width) that is replayed every step."""

    channels: int
    height: int
    width: int
    steps: int
    bits: int = 1
    direct: bool = False
    """Direct coding: an image, accumulated once and replayed over the time steps."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One layer: a convolution and its neurons, an OR-pool, or a classifier.

    A fully connected layer is a convolution whose kernel covers its whole input. A pooled
    classifier is a 1x1 convolution with ``neuron=None``: logits add up over pixels and steps.
    An OR-pool is a convolution with {0,1} identity weights: see ``pool``.
    """

    name: str
    weight: np.ndarray
    """int64 (output channels, input channels, kernel height, kernel width)."""
    weight_bits: int
    weight_kind: WeightKind
    stride: int = 1
    padding: int = 0
    multiplier: np.ndarray | None = None
    """M, int64 (output channels,). None with ``neuron=None``."""
    offset: np.ndarray | None = None
    """B, int64 (output channels,), the rounding half included."""
    neuron: Neuron | None = None
    """None: a classifier, whose sums are added to the logits."""
    pool: bool = False
    """An OR-pool: weights are implied by kernel size, not stored in checkpoints."""


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerNetwork:
    """A whole network in integers. ``verify()`` names the first thing that is wrong."""

    input: InputFormat
    layers: list[Layer]
    logit_offset: np.ndarray
    """int64 (classes,), added to the summed logits once a recording (the classifier's bias)."""
    logit_scale: float = 1.0
    """Logits in the units of the trained network: ``logit_scale * (sums + logit_offset)``."""
    metadata: dict = field(default_factory=dict)

    def shapes(self) -> list[tuple[int, int, int]]:
        """Return (channels, height, width) of the input and of every layer's output."""
        shapes = [(self.input.channels, self.input.height, self.input.width)]
        for layer in self.layers:
            _, height, width = shapes[-1]
            out, _, kernel_height, kernel_width = layer.weight.shape
            shapes.append((
                out,
                (height + 2 * layer.padding - kernel_height) // layer.stride + 1,
                (width + 2 * layer.padding - kernel_width) // layer.stride + 1,
            ))
        return shapes
