"""The input of a network: its shape and what its numbers mean."""

from dataclasses import dataclass

from spikeplane_hw.config import CoreConfig

from .checks import NetworkError, verify_fields

__all__ = ["INPUT", "INPUT_BITS_LIMIT", "InputFormat", "planes_beside"]

INPUT_BITS_LIMIT = 8
INPUT = "input"
"""The name by which nodes read it."""


def planes_beside(channels: int, bits: int, config: CoreConfig) -> int:
    """Return how many bits of a pixel of an image lie beside each other in a slot of a core.

    Of as many as fit, channel c of the i-th one is channel ``i * channels + c`` of the slot.
    """
    return max(1, min(config.banks // channels, bits, config.image_planes))


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

    def verify(self) -> None:
        """Raise a NetworkError naming the first field that is wrong."""
        verify_fields(INPUT, self)
        for name in ("channels", "height", "width", "steps", "bits"):
            value = getattr(self, name)
            if value < 1:
                raise NetworkError(f"input: {name} must be a positive integer, not {value!r}")
        if self.bits > (INPUT_BITS_LIMIT if self.direct else 1):
            raise NetworkError(
                f"input: bits is {self.bits}, limit "
                f"{INPUT_BITS_LIMIT} for a direct-coded image, 1 for spikes"
            )
