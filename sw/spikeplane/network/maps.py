"""Maps: what flows along the edges of a network."""

from dataclasses import dataclass
from typing import Any

from .checks import NetworkError
from .tensors import Tensor

__all__ = ["STREAM_BITS", "MapFormat", "Maps", "find_map"]

STREAM_BITS = 16
"""Signed bits of the integers of a stream."""


@dataclass(frozen=True, kw_only=True)
class MapFormat:
    """Shape and meaning of a map: (inputs, steps or 1, channels, height, width)."""

    channels: int
    height: int
    width: int
    bits: int = 1
    """1 for spikes, up to 8 for an image, STREAM_BITS for a stream."""
    fraction_bits: int | None = None
    """Of a stream, whose integers are signed: 1.0 is ``2**fraction_bits``. None: spikes or an image."""
    replayed: bool = False
    """An image, the same in every time step."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.channels, self.height, self.width

    @property
    def signed(self) -> bool:
        """Whether its values are a stream's."""
        return self.fraction_bits is not None

    @property
    def spikes(self) -> bool:
        """Whether its values are 0 and 1, new in every step."""
        return self.bits == 1 and not self.signed and not self.replayed

    @property
    def greatest(self) -> int:
        """Greatest absolute value."""
        return 1 << (self.bits - 1) if self.signed else (1 << self.bits) - 1

    @property
    def text(self) -> str:
        """What it is, in words."""
        if self.signed:
            return "a stream"
        return "an image" if self.replayed else "spikes"

    def planes(self, values: Tensor) -> list[Tensor]:
        """Return the bit planes of ``values``, tensors of 0 and 1; a stream's in two's complement."""
        return [values >> bit & 1 for bit in range(self.bits)]


Maps = dict[str, MapFormat]
"""The maps of a network by the names of the nodes that make them; the input's is "input"."""


def find_map(where: str, maps: Maps, source: Any) -> MapFormat:
    """Return the map that a node reads; a NetworkError says if there is none of this name."""
    if source not in maps:
        raise NetworkError(f"{where}: source {source!r} is no map; there are {', '.join(maps)}")
    return maps[source]
