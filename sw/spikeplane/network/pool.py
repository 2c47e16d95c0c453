"""OR-pools: a spike wherever there is one in the window."""

from dataclasses import dataclass, replace

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.memory_map import Counter
from spikeplane_hw.neuron import Neuron, Reset

from .checks import NetworkError
from .counting import count_pool, count_reads
from .geometry import Walk
from .lowered import CoreLayer, CoreTerm, pool_shares_weights
from .maps import MapFormat, Maps, find_map
from .node import Node, NodePlan, Outcome
from .schedule import Schedule
from .tensors import Tensor, functional, torch
from .term import Values
from .window import KERNEL_LIMIT

__all__ = ["OrPool", "Pooling"]

POOL_NEURON = Neuron(fire_above=0, reset=Reset.HARD, state_bits=0)
POOL_SHIFT = 1


@dataclass(frozen=True, kw_only=True)
class Pooling:
    """Windows whose spikes become one."""

    kernel: tuple[int, int]
    """Height and width."""
    stride: int
    padding: int = 0

    def walk(self, channels: int) -> Walk:
        """Return how the windows go over a map."""
        return Walk(kernel=self.kernel, stride=self.stride, padding=self.padding, channels=channels)

    def shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return (channels, height, width) of the pooled map."""
        channels, height, width = shape
        return channels, *self.walk(channels).output(height, width)

    def verify(self, where: str, shape: tuple[int, int, int]) -> None:
        """Raise a NetworkError naming the value and the limit if a rule is broken."""
        full = self.walk(shape[0]).fills(*shape[1:])
        if min(self.kernel) < 1 or (max(self.kernel) > KERNEL_LIMIT and not full):
            raise NetworkError(f"{where}: the pool's kernel is {self.kernel[0]}x{self.kernel[1]}, must be 1 to "
                               f"{KERNEL_LIMIT} a side or the whole {shape[1]}x{shape[2]} map")
        if self.stride < 1 or (self.stride > KERNEL_LIMIT and not full):
            raise NetworkError(f"{where}: the pool's stride is {self.stride!r}, must be in 1..{KERNEL_LIMIT}")
        if not 0 <= self.padding < min(self.kernel):
            raise NetworkError(f"{where}: the pool's padding is {self.padding!r}, must be from 0 to less than "
                               f"the {self.kernel[0]}x{self.kernel[1]} kernel")
        if min(self.shape(shape)) < 1:
            raise NetworkError(f"{where}: its output map is empty: {self.shape(shape)}")

    def side_by_side(self, shape: tuple[int, int, int]) -> bool:
        """Return whether no pixel of the map is in two windows, or between two, and none is padding."""
        return not self.padding and all(
            count == side // kernel and (count == 1 or kernel == self.stride)
            for count, side, kernel in zip(self.shape(shape)[1:], shape[1:], self.kernel, strict=True)
        )

    def pool(self, spikes: Tensor) -> Tensor:
        """Return the pooled spikes, uint8, of (inputs, steps, channels, height, width)."""
        flat = spikes.flatten(0, 1)
        if self.padding:
            flat = functional.pad(flat, [self.padding] * 4)
        pooled = functional.max_pool2d(flat.to(torch.float32), self.kernel, self.stride)
        return pooled.to(torch.uint8).unflatten(0, spikes.shape[:2])


@dataclass(frozen=True, kw_only=True)
class OrPool(Node):
    """A node that fires where any spike of its own channel is in the window.

    On the core it is a convolution with {0,1} identity weights, whose neurons fire above 0, or a sum of
    shortcuts of all pixels of the window.
    """

    kind = "or_pool"

    name: str
    source: str
    pooling: Pooling

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source,)

    def output(self, maps: Maps) -> MapFormat:
        channels, height, width = self.pooling.shape(find_map(self.where, maps, self.source).shape)
        return MapFormat(channels=channels, height=height, width=width)

    def verify(self, maps: Maps) -> None:
        source = find_map(self.where, maps, self.source)
        if not source.spikes:
            raise NetworkError(f"{self.where}: an OR-pool reads spikes; {self.source!r} is {source.text}")
        self.pooling.verify(self.where, source.shape)

    def plan(self, maps: Maps, steps: int) -> "OrPoolPlan":
        return OrPoolPlan(self, maps)

    def lower(self, maps: Maps) -> CoreLayer:
        channels = maps[self.source].channels
        weight = np.zeros((channels, channels, *self.pooling.kernel), np.int64)
        weight[np.arange(channels), np.arange(channels)] = 1
        term = CoreTerm(
            source=self.source, channels=channels, weight=weight, identity=True, stride=self.pooling.stride,
            padding=self.pooling.padding, shift=POOL_SHIFT,
            multiplier=np.full(channels, 1 << POOL_SHIFT, np.int64), offset=np.zeros(channels, np.int64),
        )
        return CoreLayer(name=self.name, terms=(term,), neuron=POOL_NEURON)

    @property
    def text(self) -> str:
        height, width = self.pooling.kernel
        return f"OR-pool {height} x {width}, stride {self.pooling.stride}"


class OrPoolPlan(NodePlan):
    """A pool ready to run."""

    def __init__(self, node: OrPool, maps: Maps):
        self.node, self.walk = node, node.pooling.walk(maps[node.source].channels)

    def run(
        self, values: Values, schedule: Schedule, config: CoreConfig | None, counted: bool
    ) -> Outcome:
        source = values[self.node.source]
        pooled = self.node.pooling.pool(source)
        if not counted:
            return Outcome(output=pooled)
        count, flat = len(source), source.flatten(0, 1)
        if config is not None and pool_shares_weights(self.walk, config):
            reads = replace(
                count_pool(flat, self.walk, config), operations=count_reads([flat], self.walk, None).operations
            )
        else:
            reads = count_reads([flat], self.walk, config)
        return Outcome(
            output=pooled,
            counters={
                **{key: value.view(count, -1).sum(1) for key, value in reads.counters.items()},
                Counter.SATURATIONS: torch.zeros(count, dtype=torch.int64),
                Counter.SPIKES: pooled.flatten(1).sum(1, dtype=torch.int64),
            },
            operations=reads.operations.view(count, -1).sum(1),
        )
