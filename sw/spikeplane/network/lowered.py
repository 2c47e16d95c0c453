"""What a core runs: windows over maps, each with its own scale, summed up; then neurons or logits."""

import enum
from dataclasses import dataclass

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.descriptor import POOL_LIMIT
from spikeplane_hw.neuron import SHIFTS, Neuron

from .checks import NetworkError
from .geometry import Walk
from .weights import WeightKind

__all__ = ["CoreLayer", "CoreTerm", "TermKind", "UnsupportedError", "pool_shares_weights"]


class UnsupportedError(NetworkError):
    """No core runs a node yet; the message names the node and says why."""


class TermKind(enum.Enum):
    """What a term sums up."""

    WINDOW = "window"
    """Weights over a map."""
    SHORTCUT = "shortcut"
    """The spike of the channel of the same number, without weights of its own."""
    PRODUCT = "product"
    """Another spike map over a map, as {0,1} weights."""
    STREAM = "stream"
    """Integers that another layer stored, at the same place."""
    NOTHING = "nothing"
    """It stands behind streams where there is no other term: see docs/core.md."""


def pool_shares_weights(walk: Walk, config: CoreConfig) -> bool:
    """Return whether a pool on a core reads each pixel of its windows with the weights that all shortcuts share.

    Where there are more channels than lanes this takes no weights, and a channel group reads its own channels
    alone; with fewer channels a window at once takes fewer cycles. What would be padding has to be read.
    """
    return (
        config.term_count > 1 and not walk.padding and walk.channels > config.lanes
        and max(walk.kernel) <= POOL_LIMIT
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class CoreTerm:
    """A term as the core's descriptors know it; see docs/core.md."""

    source: str
    """The map that it reads."""
    channels: int
    """Output channels."""
    kind: TermKind = TermKind.WINDOW
    weight: np.ndarray | None = None
    """int64 (output channels, input channels, kernel height, kernel width), of a window."""
    weight_bits: int = 1
    weight_kind: WeightKind = WeightKind.UNIT
    identity: bool = False
    """Its weights are 1 from each channel to the one of the same number, 0 else: a pool."""
    stride: int = 1
    padding: int = 0
    groups: int = 1
    """Groups of input channels, each read by as many groups of output channels."""
    operand: str | None = None
    """Of a product the map that stands in for the weights."""
    transposed: bool = False
    """Whether the channels of the operand are the output channels of a group, or its pixels."""
    second: str | None = None
    """Of a mean the other stream: their sum and one more is what M and B scale, see docs/core.md."""
    taps: tuple[int, ...] = (0,)
    """Exponents of what earlier steps count, see :class:`.window.Window`."""
    multiplier: np.ndarray | None = None
    """M, int64 (output channels,), or (1,) of a shortcut or stream; None: sums are added to the logits."""
    offset: np.ndarray | None = None
    shift: int = SHIFTS[0]

    @property
    def shortcut(self) -> bool:
        """Whether it adds spikes as they are, without weights of its own."""
        return self.kind is TermKind.SHORTCUT

    def shares_weights(self, config: CoreConfig) -> bool:
        """Whether a core reads its map with the weights that all shortcuts share."""
        return self.shortcut or (self.identity and pool_shares_weights(self.walk, config))

    @property
    def sources(self) -> tuple[str, ...]:
        """All maps that it reads."""
        return tuple(name for name in (self.source, self.operand, self.second) if name is not None)

    @property
    def scaled(self) -> bool:
        """Whether each output channel has its own M and B."""
        return self.kind in (TermKind.WINDOW, TermKind.PRODUCT)

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width of the window."""
        if self.weight is None:
            return 1, 1
        _, _, height, width = self.weight.shape
        return height, width

    @property
    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """M and B, int64, of a layer with neurons."""
        assert self.multiplier is not None and self.offset is not None
        return self.multiplier.astype(np.int64), self.offset.astype(np.int64)

    @property
    def walk(self) -> Walk:
        """How its windows go over the map that it reads."""
        return Walk(kernel=self.kernel, stride=self.stride, padding=self.padding, channels=self.channels,
                    groups=self.groups, weight_bits=self.weight_bits)


@dataclass(frozen=True, kw_only=True, eq=False)
class CoreLayer:
    """A node as the core's descriptors know it: terms, and what becomes of their sum."""

    name: str = ""
    terms: tuple[CoreTerm, ...]
    neuron: Neuron | None = None
    """None: sums are added to the logits."""
    pool: tuple[int, int] = (1, 1)
    """Height and width of the windows, side by side, whose spikes become one on the way out."""
    digit: int | None = None
    """Which bit of the current the spikes are, if they are one."""
    exponent: int = 0
    """Of two: what sums are times before they are added to the logits."""
    stores: bool = False
    """Whether it makes a stream: the potentials of ``neuron`` are its integers, spikes there are none."""

    @property
    def channels(self) -> int:
        """Output channels."""
        return self.terms[0].channels
