"""What a core runs: one window over one map, then neurons or logits."""

from dataclasses import dataclass

import numpy as np
from spikeplane_hw.neuron import SHIFTS, Neuron

from .checks import NetworkError
from .geometry import Walk
from .weights import WeightKind

__all__ = ["CoreLayer", "UnsupportedError"]


class UnsupportedError(NetworkError):
    """No core runs a node yet; the message names the node and says why."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CoreLayer:
    """A node as the core's descriptors know it; see docs/core.md."""

    name: str = ""
    source: str
    """The map that it reads."""
    weight: np.ndarray
    """int64 (output channels, input channels, kernel height, kernel width)."""
    weight_bits: int
    weight_kind: WeightKind
    stride: int = 1
    padding: int = 0
    taps: tuple[int, ...] = (0,)
    """Exponents of what earlier steps count, see :class:`.window.Window`."""
    multiplier: np.ndarray | None = None
    """M, int64 (output channels,); None: sums are added to the logits."""
    offset: np.ndarray | None = None
    shift: int = SHIFTS[0]
    neuron: Neuron | None = None
    """None: sums are added to the logits."""

    @property
    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """M and B, int64 (output channels,), of a layer with neurons."""
        assert self.multiplier is not None and self.offset is not None
        return self.multiplier.astype(np.int64), self.offset.astype(np.int64)

    @property
    def walk(self) -> Walk:
        """How its windows go over the map that it reads."""
        channels, _, height, width = self.weight.shape
        return Walk(kernel=(height, width), stride=self.stride, padding=self.padding, channels=channels,
                    weight_bits=self.weight_bits)
