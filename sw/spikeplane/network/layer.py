"""Layers of an integer network: convolutions with neurons, OR-pools and the classifier."""

import enum
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from spikeplane_hw.neuron import MULTIPLIER_WIDTH, OFFSET_WIDTH, Neuron, Reset

__all__ = [
    "Layer", "NetworkError", "WeightKind", "or_pool", "verify_integers", "verify_layer",
]

WEIGHT_BITS = (1, 2, 4, 8)
POOL_NEURON = Neuron(shift=1, fire_above=0, reset=Reset.HARD, state_bits=0)
KERNEL_LIMIT = 7
PADDING_LIMIT = 7
TAP_LIMIT = 7


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
    taps: tuple[int, ...] = (0,)
    """Exponents k of a memory-free neuron: the input spikes of d steps ago count ``2**-taps[d]``,
    those before the first step nothing. Sums are in units of ``2**-taps[-1]``."""

    @property
    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """M and B, int64 (output channels,); a classifier has none."""
        if self.multiplier is None or self.offset is None:
            raise NetworkError(f"layer {self.name!r}: no multiplier and offset")
        return self.multiplier.astype(np.int64), self.offset.astype(np.int64)

    @property
    def tap_weights(self) -> list[int]:
        """What a spike of 0, 1, ... steps ago counts in the sums, powers of two."""
        return [1 << (self.taps[-1] - exponent) for exponent in self.taps]

    def fills(self, height: int, width: int) -> bool:
        """Return whether the layer is fully connected: its kernel is the whole input map."""
        return self.weight.shape[2:] == (height, width) and self.padding == 0


def or_pool(
    name: str,
    channels: int,
    kernel: int | tuple[int, int],
    stride: int | None = None,
    padding: int = 0,
) -> Layer:
    """Return the layer that fires where any spike of its own channel is in the window.

    ``kernel`` is a side or (height, width), ``stride`` the height unless given. The neuron has no
    state: x is the number of spikes in the window, and it fires above 0.
    """
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    weight = np.zeros((channels, channels, height, width), np.int64)
    weight[np.arange(channels), np.arange(channels)] = 1
    return Layer(
        name=name,
        weight=weight,
        weight_bits=1,
        weight_kind=WeightKind.UNIT,
        stride=height if stride is None else stride,
        padding=padding,
        multiplier=np.full(channels, 1 << POOL_NEURON.shift, np.int64),
        offset=np.zeros(channels, np.int64),
        neuron=POOL_NEURON,
        pool=True,
    )


def verify_layer(layer: Layer, shape: tuple[int, int, int]) -> None:
    """Raise a NetworkError if ``layer`` breaks a rule on an input (channels, height, width)."""
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
    _verify_taps(layer)
    if layer.neuron is None:
        if layer.multiplier is not None or layer.offset is not None:
            raise NetworkError(f"{where}: a classifier has no multiplier and no offset")
    else:
        for name, bits in (("multiplier", MULTIPLIER_WIDTH), ("offset", OFFSET_WIDTH)):
            verify_integers(f"{where}: {name}", getattr(layer, name), weight.shape[:1], bits)


def _verify_taps(layer: Layer) -> None:
    where = f"layer {layer.name!r}"
    taps = layer.taps
    rising = all(a < b for a, b in pairwise(taps))
    if not taps or taps[0] != 0 or not rising or taps[-1] > TAP_LIMIT:
        raise NetworkError(f"{where}: taps are {list(taps)}, must rise from 0 to at most {TAP_LIMIT}")
    if len(taps) > 1 and (
        layer.neuron is None or layer.pool or layer.neuron.state_bits != 0
        or layer.neuron.reset is not Reset.NONE
    ):
        raise NetworkError(f"{where}: taps need neurons without state and reset")


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
        pool = or_pool(layer.name, layer.weight.shape[0], layer.weight.shape[2:])
        same = all(
            np.array_equal(getattr(layer, name), getattr(pool, name))
            for name in ("weight", "weight_bits", "weight_kind", "multiplier", "offset", "neuron")
        )
        if not same:
            raise NetworkError(f"{where}: a pool must be as or_pool makes it")


def verify_integers(what: str, values: np.ndarray | None, shape: tuple, bits: int) -> None:
    """Raise a NetworkError unless ``values`` are integers of ``shape`` that fit signed ``bits``."""
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
