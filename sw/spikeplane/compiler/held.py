"""What the layers of an image that were checked so far hold of a core, and what every check says alike."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spikeplane_hw.memory_map import Space

from .spike_map import SpikeMap

if TYPE_CHECKING:
    from .image import Image

__all__ = ["Held", "ImageError", "integers", "limit", "meets", "must"]


class ImageError(ValueError):
    """An image is unusable; the message names the file, or the value and its limit."""


@dataclass(kw_only=True)
class Held:
    """What terms read, and what of it those before them take."""

    image: "Image"
    passes: list[dict[str, int]]
    maps: dict[str, SpikeMap]
    rings: dict[str, int]
    """Steps of each map that taps look back in, less one."""
    streams: dict[str, SpikeMap]
    """Where stored integers are, see :class:`.placed.PlacedTerm`."""
    streaming: bool
    """Whether weights stream in: places are then counted from the layer's first slot on."""
    ring: int
    """The slots into which they do."""
    next_pass: int = 0
    next_weight: int = 1
    next_slot: int = 0
    """Slots that stream in, those of layers that run sample by sample as often as there are samples."""
    samples: int = 1
    """Samples for which the layer at hand runs at once."""
    group: int = 0
    """Those of a channel group of the layer at hand."""
    next_parameter: int = 0
    spilled: dict[str, tuple[int, bool, SpikeMap]] = field(default_factory=dict)
    """Maps that are stored outside the chip: burst, whether for each sample by itself, and the map as it lies there."""
    pieces: dict[str, tuple[SpikeMap, range]] = field(default_factory=dict)
    """Of maps outside the chip the pieces that were loaded for the part at hand, and their rows."""
    in_pieces: bool = False
    """Whether the layer at hand runs row by row of a channel group, of whose streams no more is there."""
    loads_parameters: bool = False
    """Whether parameters of the layer at hand are loaded ahead of it, so that they begin with the first chunk."""
    parameter_bursts: int = 0
    """Of all that are."""
    next_burst: int = 0
    spilled_streams: dict[str, tuple[int, SpikeMap]] = field(default_factory=dict)
    """The same of streams: burst, and the whole stream as it lies there."""
    first_stream: int | None = None
    """Their first burst, behind those of all maps."""
    potentials: list[range] = field(default_factory=list)
    """Chunks of potentials, which last from run to run."""


def meets(one: range, other: range) -> bool:
    """Return whether two ranges have something in common."""
    return max(one.start, other.start) < min(one.stop, other.stop)


def must(where: str, name: str, found: Any, expected: Any) -> None:
    """Raise an ImageError unless what the image says is what its words say."""
    if found != expected:
        raise ImageError(f"{where}: {name} is {found!r}, by its descriptor {expected!r}")


def limit(where: str, name: str, value: int, low: int, high: int) -> None:
    """Raise an ImageError unless a descriptor's value is within its limits."""
    if not low <= value <= high:
        raise ImageError(f"{where}: its descriptor's {name} is {value}, limit {low}..{high}")


def integers(image: "Image", space: Space) -> list[int]:
    """Return the words of a memory as integers."""
    return [int.from_bytes(word.tobytes(), "little") for word in image.contents[space][1]]
