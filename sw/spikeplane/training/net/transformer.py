"""Spiking transformer blocks on residual streams (BESTformer, arXiv 2501.05904)."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from spikeplane_hw.neuron import FRACTION_BITS
from torch import Tensor, nn

from .layers import SpikingConv
from .neuron import SpikingNeurons
from .quantizers import WeightQuantizer, straight_through
from .streams import Grid, Projection, StreamLayer, Streams

__all__ = ["LEAST_SCALE", "AttentionScale", "TransformerBlock", "TransformerOptions"]

LEAST_SCALE = 2.0**-6
"""Of a head's learned scale: it becomes part of a threshold, which has to be above 0."""


@dataclass(frozen=True, kw_only=True)
class TransformerOptions:
    """What recipes set of a block, beside its channels, weights and neurons."""

    heads: int = 8
    """Parts of the channels that attend on their own."""
    mlp_ratio: int = 4
    """Hidden channels of the MLP, for each of the block's."""
    reversible: bool = True
    """Whether two streams are coupled, so that the inputs can be had again from the outputs; else one residual
    stream is added to."""
    map_gain: float = 0.5
    """What a spike that query and key share adds to the current of the attention map, in thresholds."""
    value_gain: float = 0.125
    """What a value that the map picks adds to the current of the attention's output at first, in thresholds; the
    learned scale is a multiple of it."""
    scales: str = "head"
    """What has a learned scale of its own: each ``head``, or each ``step`` and head, which no core has."""

    def __post_init__(self):
        for name in ("heads", "mlp_ratio"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        for name in ("map_gain", "value_gain"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        if self.scales not in ("head", "step"):
            raise ValueError(f"scales must be one of head, step, not {self.scales!r}")


class AttentionScale(nn.Module):
    """A learned scale for each head, or each step and head: positive, a multiple of what currents resolve."""

    def __init__(self, steps: int, heads: int, gain: float):
        super().__init__()
        self.steps, self.heads, self.gain = steps, heads, gain
        # One axis: what has more, decays as weights do.
        self.scale = nn.Parameter(torch.ones(steps * heads))

    def factors(self) -> Tensor:
        """Return what a count is multiplied by, in thresholds, (steps or 1, heads)."""
        smooth = self.gain * self.scale.clamp(min=LEAST_SCALE)
        unit = 2.0**FRACTION_BITS
        return straight_through(smooth, torch.round(smooth.detach() * unit) / unit).view(self.steps, self.heads)

    def forward(self, counts: Tensor) -> Tensor:
        """Return currents of counts (steps, batch, heads, ..., ...)."""
        if self.training:  # So that a scale does not get lost where its gradient is 0.
            with torch.no_grad():
                self.scale.clamp_(min=LEAST_SCALE)
        return counts * self.factors()[:, None, :, None, None]


class TransformerBlock(StreamLayer, nn.Module):
    """Spiking self-attention with a 1-bit map, then an MLP, on one residual stream or on two that are coupled.

    With streams ``x0`` and ``x1`` (in the first block ``x1`` alone)::

        attended = attention(x1) + (x0 + x1) / 2
        mixed = mlp(attended) + (x1 + attended) / 2

    and ``attended`` and ``mixed`` go on; not ``reversible``, each is added to the stream before it and ``mixed`` alone
    goes on. The map is ``LIF(gain * Q K^T)`` with a soft reset, its product with V is scaled by what is learned.
    Queries, keys and values are spikes; maps have a channel for each head and token that is attended to.
    """

    def __init__(
        self, shape: tuple[int, int, int], steps: int, options: TransformerOptions, *, grid: Grid,
        quantizer: Callable[[], WeightQuantizer], neurons: Callable[..., SpikingNeurons],
    ):
        super().__init__()
        channels, height, width = shape
        if channels % options.heads:
            raise ValueError(f"{options.heads} heads do not divide {channels} channels")
        self.shape, self.options, self.grid = shape, options, grid
        self.heads, self.tokens = options.heads, height * width

        def spiking(inputs: int, outputs: int) -> SpikingConv:
            return SpikingConv(
                inputs, outputs, (1, 1), stride=1, padding=0, quantizer=quantizer(), neurons=neurons()
            )

        def projection(inputs: int) -> Projection:
            return Projection(inputs, channels, (1, 1), stride=1, padding=0, quantizer=quantizer())

        self.spikes = neurons()
        self.query, self.key, self.value = (spiking(channels, channels) for _ in range(3))
        self.map = neurons(reset="soft")
        self.scale = AttentionScale(steps if options.scales == "step" else 1, self.heads, options.value_gain)
        self.picked = neurons()
        self.attended = projection(channels)
        self.inner = neurons()
        self.hidden = spiking(channels, options.mlp_ratio * channels)
        self.mixed = projection(options.mlp_ratio * channels)

    def named_neurons(self) -> Iterator[tuple[str, SpikingNeurons]]:
        yield "spikes", self.spikes
        for name in ("query", "key", "value"):
            yield name, getattr(self, name).neurons
        yield from (("map", self.map), ("picked", self.picked), ("inner", self.inner), ("hidden", self.hidden.neurons))

    @property
    def neuron_shapes(self) -> dict[str, tuple[int, int, int]]:
        channels, height, width = self.shape
        others = {"map": self.heads * self.tokens, "hidden": self.options.mlp_ratio * channels}
        return {name: (others.get(name, channels), height, width) for name, _ in self.named_neurons()}

    def attention(self, stream: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Return the spikes of the attention's parts, and what it adds to a stream, not rounded."""
        steps, batch, _, height, width = stream.shape
        found = {"spikes": self.spikes(stream, steps)}
        for name in ("query", "key", "value"):
            found[name] = getattr(self, name)(found["spikes"], steps)
        # (steps, batch, heads, channels of a head, tokens)
        query, key, value = (found[name].reshape(steps, batch, self.heads, -1, self.tokens)
                             for name in ("query", "key", "value"))
        counts = torch.matmul(key.transpose(3, 4), query) * self.options.map_gain
        found["map"] = self.map(counts.reshape(steps, batch, -1, height, width), steps)
        picture = found["map"].reshape(steps, batch, self.heads, self.tokens, self.tokens)
        picked = self.scale(torch.matmul(value, picture))
        found["picked"] = self.picked(picked.reshape(steps, batch, -1, height, width), steps)
        return found, self.attended(found["picked"])

    def mlp(self, stream: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Return the spikes of the MLP's parts, and what it adds to a stream, not rounded."""
        steps = len(stream)
        inner = self.inner(stream, steps)
        hidden = self.hidden(inner, steps)
        return {"inner": inner, "hidden": hidden}, self.mixed(hidden)

    def forward(self, streams: Streams, steps: int) -> tuple[dict[str, Tensor], Streams]:
        """Return the spikes of all parts, and the streams that go on."""
        last = streams[-1]
        found, added = self.attention(last)
        coupled = self.options.reversible
        attended = self.grid.add(added, self.grid.mean(streams if coupled else (last,)))
        more, added = self.mlp(attended)
        mixed = self.grid.add(added, self.grid.mean((last, attended) if coupled else (attended,)))
        return found | more, (attended, mixed) if coupled else (mixed,)

    def invert(self, streams: Streams) -> Streams:
        """Return the two streams that a reversible block made ``streams`` of, in evaluation mode.

        Where streams are rounded, the last one returned is at most one unit of the grid above what it was, since a
        mean forgets the last bit of its sum; the first one likewise, where the attention sees the same spikes.
        """
        if not self.options.reversible:
            raise ValueError("a block with one residual stream has no inverse")
        attended, mixed = streams
        last = 2 * (mixed - self.grid.round(self.mlp(attended)[1])) - attended
        return 2 * (attended - self.grid.round(self.attention(last)[1])) - last, last
