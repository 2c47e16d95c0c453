"""The integer network: what a trained network is exported to, and what the integer model runs."""

import enum
import math
from dataclasses import dataclass, field

import numpy as np
from spikeplane_hw.neuron import MULTIPLIER_WIDTH, OFFSET_WIDTH, Neuron, Reset

__all__ = [
    "InputFormat", "IntegerNetwork", "Layer", "NetworkError", "Schedule", "WeightKind", "or_pool",
]

WEIGHT_BITS = (1, 2, 4, 8)
POOL_NEURON = Neuron(shift=1, fire_above=0, reset=Reset.HARD, state_bits=0)
KERNEL_LIMIT = 7
PADDING_LIMIT = 7
INPUT_BITS_LIMIT = 8


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

    def limits(self, bits: int) -> tuple[int, int]:
        """Return the least and the greatest weight."""
        if self is WeightKind.ODD:
            return 1 - (1 << bits), (1 << bits) - 1
        if self is WeightKind.TWOS:
            return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        return 0, (1 << bits) - 1


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

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input: (steps, channels, height, width), without steps if direct."""
        image = (self.channels, self.height, self.width)
        return image if self.direct else (self.steps, *image)


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

    def fills(self, height: int, width: int) -> bool:
        """Return whether the layer is fully connected: its kernel is the whole input map."""
        return self.weight.shape[2:] == (height, width) and self.padding == 0


def or_pool(
    name: str, channels: int, kernel: int, stride: int | None = None, padding: int = 0
) -> Layer:
    """Return the layer that fires where any spike of its own channel is in the window.

    ``stride`` is ``kernel`` unless given. The neuron has no state: x is the number of spikes in
    the window, and it fires above 0.
    """
    weight = np.zeros((channels, channels, kernel, kernel), np.int64)
    weight[np.arange(channels), np.arange(channels)] = 1
    return Layer(
        name=name,
        weight=weight,
        weight_bits=1,
        weight_kind=WeightKind.UNIT,
        stride=kernel if stride is None else stride,
        padding=padding,
        multiplier=np.full(channels, 1 << POOL_NEURON.shift, np.int64),
        offset=np.zeros(channels, np.int64),
        neuron=POOL_NEURON,
        pool=True,
    )


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

    def verify(self) -> None:
        """Raise a NetworkError naming the layer, the value and the limit if a rule is broken."""
        self._verify_input()
        if not self.layers:
            raise NetworkError("the network has no layers")
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise NetworkError(f"layer {name!r}: {names.count(name)} layers have this name")
        shape = (self.input.channels, self.input.height, self.input.width)
        for index, layer in enumerate(self.layers):
            last = index == len(self.layers) - 1
            if last != (layer.neuron is None):
                rule = "the last layer must be" if last else "only the last layer may be"
                raise NetworkError(f"layer {layer.name!r}: {rule} a classifier (neuron=None)")
            _verify_layer(layer, shape)
            shape = self.shapes()[index + 1]
            if min(shape) < 1:
                raise NetworkError(f"layer {layer.name!r}: its output map is empty: {shape}")
        if len(self.layers) == 1 and self.input.direct:
            raise NetworkError(
                f"layer {names[0]!r}: a classifier cannot read a direct-coded image, only spikes"
            )
        _verify_integers("logit_offset", self.logit_offset, shape[:1], 32)
        if not math.isfinite(self.logit_scale) or self.logit_scale <= 0:
            raise NetworkError(f"logit_scale must be finite and positive, not {self.logit_scale!r}")

    def _verify_input(self) -> None:
        form = self.input
        for name in ("channels", "height", "width", "steps", "bits"):
            value = getattr(form, name)
            if not isinstance(value, int) or value < 1:
                raise NetworkError(f"input: {name} must be a positive integer, not {value!r}")
        if form.bits > (INPUT_BITS_LIMIT if form.direct else 1):
            raise NetworkError(
                f"input: bits is {form.bits}, limit "
                f"{INPUT_BITS_LIMIT} for a direct-coded image, 1 for spikes"
            )


def _verify_layer(layer: Layer, shape: tuple[int, int, int]) -> None:
    where = f"layer {layer.name!r}"
    channels, height, width = shape
    weight = layer.weight
    if layer.weight_bits not in WEIGHT_BITS:
        raise NetworkError(f"{where}: weight_bits is {layer.weight_bits!r}, must be 1, 2, 4 or 8")
    if not isinstance(weight, np.ndarray) or weight.dtype.kind not in "iu":
        raise NetworkError(f"{where}: weight must be an integer array, not "
                           f"{getattr(weight, 'dtype', type(weight).__name__)}")
    if weight.ndim != 4 or weight.size == 0:
        raise NetworkError(f"{where}: weight must have 4 dimensions, none 0, not {weight.shape}")
    if weight.shape[1] != channels:
        raise NetworkError(f"{where}: weight has {weight.shape[1]} input channels, "
                           f"the map before it {channels}")
    if layer.stride not in (1, 2) and not layer.fills(height, width):
        raise NetworkError(f"{where}: stride is {layer.stride!r}, must be 1 or 2")
    kernel = weight.shape[2:]
    if max(kernel) > KERNEL_LIMIT and not layer.fills(height, width):
        raise NetworkError(f"{where}: kernel is {kernel[0]}x{kernel[1]}, limit {KERNEL_LIMIT} a "
                           f"side or the whole {height}x{width} input without padding")
    if not 0 <= layer.padding < min(*kernel, PADDING_LIMIT + 1):
        raise NetworkError(f"{where}: padding is {layer.padding!r}, must be from 0 to less than "
                           f"the {kernel[0]}x{kernel[1]} kernel")
    _verify_weights(layer)
    if layer.neuron is None:
        if layer.multiplier is not None or layer.offset is not None:
            raise NetworkError(f"{where}: a classifier has no multiplier and no offset")
    else:
        for name, bits in (("multiplier", MULTIPLIER_WIDTH), ("offset", OFFSET_WIDTH)):
            _verify_integers(f"{where}: {name}", getattr(layer, name), weight.shape[:1], bits)


def _verify_weights(layer: Layer) -> None:
    where = f"layer {layer.name!r}"
    low, high = layer.weight_kind.limits(layer.weight_bits)
    wrong = (layer.weight < low) | (layer.weight > high)
    if layer.weight_kind is WeightKind.ODD:
        wrong |= layer.weight % 2 == 0
    if wrong.any():
        place = np.argwhere(wrong)[0]
        kind = layer.weight_kind.value
        raise NetworkError(
            f"{where}: weight {place.tolist()} is {layer.weight[tuple(place)]}; "
            f"{layer.weight_bits}-bit {kind} weights are "
            f"{'odd ' if kind == 'odd' else ''}integers in {low}..{high}"
        )
    if layer.pool:
        pool = or_pool(layer.name, layer.weight.shape[0], 1)
        identity = pool.weight * np.ones(layer.weight.shape[2:], np.int64)
        if not np.array_equal(layer.weight, identity) or layer.neuron != pool.neuron:
            raise NetworkError(f"{where}: a pool must be as or_pool makes it")


def _verify_integers(what: str, values: np.ndarray | None, shape: tuple, bits: int) -> None:
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iu":
        raise NetworkError(f"{what} must be an integer array, not "
                           f"{getattr(values, 'dtype', type(values).__name__)}")
    if values.shape != tuple(shape):
        raise NetworkError(f"{what} has shape {values.shape}, must be {tuple(shape)}")
    wrong = (values < -(1 << (bits - 1))) | (values >= 1 << (bits - 1))
    if wrong.any():
        index = int(np.argmax(wrong))
        raise NetworkError(
            f"{what} of channel {index} is {values[index]}, limit {bits} signed bits"
        )
