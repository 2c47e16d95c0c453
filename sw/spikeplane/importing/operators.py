"""Linear operators between maps of spikes: convolutions that are folded into each other where that is exact."""

import math
from dataclasses import dataclass, replace

import numpy as np

from ..network.geometry import output_side

__all__ = ["Operator", "Shape", "channel_values", "dense", "one", "pair", "scaling", "window_sums"]

Shape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Operator:
    """A convolution of a map, zeros around it, and a constant: ``weight * map + bias``."""

    weight: np.ndarray
    """float64 (output channels, input channels, kernel height, kernel width)."""
    bias: np.ndarray
    """float64 (output channels,)."""
    source: Shape
    """Channels, height, width of the map."""
    stride: int = 1
    padding: int = 0

    @classmethod
    def convolution(
        cls, weight: np.ndarray, bias: np.ndarray, source: Shape, *, stride: int = 1, padding: int = 0,
        groups: int = 1, dilation: int = 1,
    ) -> "Operator":
        """Return a convolution without groups and dilation; a ValueError says that it does not fit ``source``."""
        out, inputs, height, width = weight.shape
        if inputs * groups != source[0] or out % groups:
            raise ValueError(f"its weights {weight.shape} in {groups} groups take {inputs * groups} channels, the map "
                             f"has {source[0]}")
        spread = np.zeros((out, source[0], dilation * (height - 1) + 1, dilation * (width - 1) + 1))
        each = out // groups
        for group in range(groups):
            rows, columns = slice(group * each, (group + 1) * each), slice(group * inputs, (group + 1) * inputs)
            spread[rows, columns, ::dilation, ::dilation] = weight[rows]
        made = cls(weight=spread, bias=bias.astype(np.float64), source=source, stride=stride, padding=padding)
        if min(made.shape) < 1:
            raise ValueError(f"its kernel {spread.shape[2:]} is larger than the map {source[1:]}")
        return made

    @property
    def shape(self) -> Shape:
        """Channels, height, width of what comes out."""
        height, width = (
            output_side(side, kernel, self.stride, self.padding)
            for side, kernel in zip(self.source[1:], self.weight.shape[2:], strict=True)
        )
        return len(self.weight), height, width

    def scaled(self, factor: np.ndarray | float, added: np.ndarray | float = 0.0) -> "Operator":
        """Return it times ``factor`` and plus ``added``, of each output channel or of all."""
        factors = np.broadcast_to(np.asarray(factor, np.float64), self.bias.shape)
        return replace(
            self, weight=self.weight * factors[:, None, None, None], bias=self.bias * factors + added
        )

    def then(self, second: "Operator") -> "Operator":
        """Return ``second`` of what comes out of this one, as one convolution.

        A ValueError says why that is not exact: a bias or a part of the map that the one pads and the other sees.
        """
        if second.source != self.shape:
            raise ValueError(f"it takes a map of {second.source}, the one before it is {self.shape}")
        kernel = self.weight.shape[2:]
        if second.padding:
            if (self.bias != 0).any():
                raise ValueError("it pads what a bias was added to")
            for side, size, count in zip(self.source[1:], kernel, self.shape[1:], strict=True):
                before, after = size <= self.stride + self.padding, count * self.stride - self.padding >= side
                if not (before and after):
                    raise ValueError(f"it pads a map of which {size} x {size} windows with stride {self.stride} leave "
                                     f"out a part of the {side} pixels")
        height, width = (
            self.stride * (outer - 1) + inner for outer, inner in zip(second.weight.shape[2:], kernel, strict=True)
        )
        weight = np.zeros((len(second.weight), self.source[0], height, width))
        for row in range(second.weight.shape[2]):
            for column in range(second.weight.shape[3]):
                y, x = row * self.stride, column * self.stride
                weight[:, :, y : y + kernel[0], x : x + kernel[1]] += np.einsum(
                    "om,mikl->oikl", second.weight[:, :, row, column], self.weight
                )
        bias = second.bias + second.weight.sum((2, 3)) @ self.bias
        made = Operator(
            weight=weight, bias=bias, source=self.source, stride=self.stride * second.stride,
            padding=self.padding + second.padding * self.stride,
        )
        if made.shape != second.shape:
            raise ValueError(f"folded into what comes before it, it makes a map of {made.shape}, not {second.shape}")
        return made


def dense(weight: np.ndarray, bias: np.ndarray, source: Shape) -> Operator:
    """Return a fully connected layer, weights (outputs, inputs), over a map, channels first."""
    if weight.ndim != 2 or weight.shape[1] != math.prod(source):
        raise ValueError(f"its weights {weight.shape} do not take the {math.prod(source)} values of a map {source}")
    return Operator.convolution(weight.reshape(len(weight), *source).astype(np.float64), bias, source)


def scaling(factor: np.ndarray, added: np.ndarray, source: Shape) -> Operator:
    """Return what multiplies each channel by its factor and adds to it."""
    channels = source[0]
    weight = np.zeros((channels, channels, 1, 1))
    weight[np.arange(channels), np.arange(channels), 0, 0] = factor
    return Operator(weight=weight, bias=np.broadcast_to(np.float64(added), (channels,)).copy(), source=source)


def window_sums(kernel: tuple[int, int], stride: int, source: Shape, factor: float) -> Operator:
    """Return sums over windows of each channel, times ``factor``: sum and average pooling."""
    channels = source[0]
    weight = np.zeros((channels, channels, *kernel))
    weight[np.arange(channels), np.arange(channels)] = factor
    made = Operator(weight=weight, bias=np.zeros(channels), source=source, stride=stride)
    if min(made.shape) < 1:
        raise ValueError(f"its window {kernel} is larger than the map {source[1:]}")
    return made


def channel_values(name: str, values: object, shape: Shape) -> np.ndarray:
    """Return a parameter of neurons, float64 (channels,); a ValueError says that it differs within a channel."""
    array = np.asarray(values, np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has a value that is not finite")
    if array.size == 1:
        return np.full(shape[0], array.item())
    if array.ndim == 1 and len(array) == shape[0]:
        return array.copy()
    if array.size == math.prod(shape):
        flat = array.reshape(shape[0], -1)
        if (flat != flat[:, :1]).any():
            channel = int((flat != flat[:, :1]).any(1).argmax())
            raise ValueError(f"{name} differs within channel {channel}; it must be one value a channel")
        return flat[:, 0].copy()
    if array.size == shape[0]:
        return array.reshape(-1).copy()
    raise ValueError(f"{name} has the shape {array.shape}, the map before it {shape}")


def pair(name: str, value: object, least: int = 1) -> tuple[int, int]:
    """Return the two sides of a setting that may be given as one number; a ValueError says that one is too small."""
    values = np.ravel(np.asarray(value))
    if values.size not in (1, 2) or values.dtype.kind not in "iu":
        raise ValueError(f"{name} is {value!r}, must be one or two integers")
    if (values < least).any():
        raise ValueError(f"{name} is {' by '.join(map(str, values))}, must be {least} or more")
    return int(values[0]), int(values[-1])


def one(name: str, value: object, least: int = 1) -> int:
    """Return a setting that must be the same both ways."""
    first, second = pair(name, value, least)
    if first != second:
        raise ValueError(f"{name} is {first} by {second}, must be the same both ways")
    return first
