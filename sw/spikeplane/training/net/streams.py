"""Streams: numbers on a common fixed-point grid that layers hand on beside spikes.

A residual stream holds what blocks have added so far. It is rounded in training as the core rounds it: each term
once, to the grid, and a mean of two streams upwards at half; the gradient is that of the unrounded numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...network.maps import STREAM_BITS
from .layers import NormConv
from .neuron import SpikingNeurons
from .quantizers import WeightQuantizer, straight_through

__all__ = ["Embedding", "EmbeddingOptions", "Grid", "HeadOptions", "Heads", "Projection", "StreamLayer", "Streams"]

Streams = tuple[Tensor, ...]
"""One or two streams (steps, batch, channels, height, width), the last one made last."""


@dataclass(frozen=True)
class Grid:
    """Multiples of ``2**-fraction_bits`` that STREAM_BITS signed bits hold."""

    fraction_bits: int
    rounds: bool = True
    """Whether anything is rounded; the float32 twin of a network has no grid."""

    def __post_init__(self):
        if not 0 <= self.fraction_bits < STREAM_BITS:
            raise ValueError(f"fraction_bits must be in 0..{STREAM_BITS - 1}, not {self.fraction_bits}")

    def round(self, values: Tensor) -> Tensor:
        """Return the nearest multiples, upwards at half."""
        if not self.rounds:
            return values
        unit = 2.0**self.fraction_bits
        return straight_through(values, torch.floor(values.detach() * unit + 0.5) / unit)

    def add(self, values: Tensor, stream: Tensor) -> Tensor:
        """Return ``values``, rounded, plus ``stream``, saturated."""
        return self.saturate(self.round(values) + stream)

    def saturate(self, stream: Tensor) -> Tensor:
        """Return the nearest numbers that a stream can hold."""
        if not self.rounds:
            return stream
        limit, unit = 2.0 ** (STREAM_BITS - 1), 2.0**self.fraction_bits
        return straight_through(stream, stream.detach().clamp(-limit / unit, (limit - 1) / unit))

    def mean(self, streams: Streams) -> Tensor:
        """Return one stream as it is, or the mean of two, rounded."""
        if len(streams) == 1:
            return streams[0]
        first, second = streams
        return self.round((first + second) / 2)


@dataclass(frozen=True, kw_only=True)
class EmbeddingOptions:
    """What recipes set of an embedding, beside its convolution."""

    fraction_bits: int = 10
    """Of the network's streams."""


@dataclass(frozen=True, kw_only=True)
class HeadOptions:
    """What recipes set of heads, beside their weights."""

    count: int = 2
    """How many heads there are; their logits are averaged."""
    bits: int = 5
    """Of a stream's number that a head reads: a layer of its own on the core for each."""
    fraction_bits: int = 2
    """Of these, below the point."""


class StreamLayer:
    """What layers that make or read streams have; a layer of it returns the spikes of its parts, and what comes out."""

    def named_neurons(self) -> Iterator[tuple[str, SpikingNeurons]]:
        """Yield the neurons of all parts by the parts' names."""
        yield from ()

    @property
    def neuron_shapes(self) -> dict[str, tuple[int, int, int]]:
        """(channels, height, width) of the neurons of each part."""
        return {}


class Projection(NormConv):
    """Convolution and normalization; the result is added to a stream, not to currents of neurons."""

    def forward(self, maps: Tensor) -> Tensor:
        return self.currents(maps, lambda sums: sums)


class Embedding(StreamLayer, NormConv):
    """A convolution of spikes whose normalized sums are the first stream: what each token begins with."""

    def __init__(self, inputs: int, channels: int, kernel: tuple[int, int], *, grid: Grid, **options):
        super().__init__(inputs, channels, kernel, **options)
        self.grid = grid

    def forward(self, maps: Tensor, steps: int) -> tuple[dict[str, Tensor], Streams]:
        return {}, (self.grid.saturate(self.grid.round(self.currents(maps, lambda sums: sums))),)


class Heads(StreamLayer, nn.Module):
    """Classifiers of the means of streams over tokens: two read a stream each, or the only one, one the last.

    Each reads ``bits`` of a stream's number: it is rounded down to ``2**-fraction_bits`` and clipped to what is left,
    since every bit is a layer of its own on the core. The weights of all have one scale.
    """

    def __init__(
        self, shape: tuple[int, int, int], classes: int, *, count: int, bits: int, fraction_bits: int, grid: Grid,
        quantizer: WeightQuantizer,
    ):
        if not 1 <= count <= 2:
            raise ValueError(f"count must be 1 or 2, not {count}")
        if not 2 <= bits <= STREAM_BITS:
            raise ValueError(f"bits must be in 2..{STREAM_BITS}, not {bits}")
        if not 0 <= fraction_bits <= min(bits - 1, grid.fraction_bits):
            raise ValueError(f"fraction_bits must be in 0..{min(bits - 1, grid.fraction_bits)}, below bits and at most "
                             f"the stream's, not {fraction_bits}")
        super().__init__()
        channels, height, width = shape
        self.pixels = height * width
        self.weight = nn.Parameter(torch.randn(count * classes, channels, 1, 1) * channels**-0.5)
        self.bias = nn.Parameter(torch.zeros(count * classes))
        self.quantizer = quantizer
        self.count, self.classes, self.bits, self.fraction_bits, self.grid = count, classes, bits, fraction_bits, grid

    def source(self, head: int, streams: int) -> int:
        """Return which of so many streams a head reads."""
        return max(0, streams - self.count + head)

    def read(self, stream: Tensor) -> Tensor:
        """Return what a head sees of a stream."""
        if not self.grid.rounds:
            return stream
        unit, limit = 2.0**self.fraction_bits, 2.0 ** (self.bits - 1)
        inside = stream.clamp(-limit / unit, (limit - 1) / unit)
        return straight_through(inside, torch.floor(inside.detach() * unit) / unit)

    def forward(self, streams: Streams, steps: int) -> tuple[dict[str, Tensor], Tensor]:
        """Return no spikes, and the logits (heads, steps, batch, classes)."""
        weights = self.quantizer(self.weight).flatten(1).unflatten(0, (self.count, self.classes))
        biases = self.bias.unflatten(0, (self.count, self.classes))
        return {}, torch.stack([
            functional.linear(self.read(streams[self.source(head, len(streams))]).mean((3, 4)), weight, bias)
            for head, (weight, bias) in enumerate(zip(weights, biases, strict=True))
        ])
