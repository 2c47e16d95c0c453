"""Windows on a map: the one place for the size of what comes out."""

from dataclasses import dataclass

__all__ = ["Walk", "output_side"]


def output_side(side: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """Return how many windows of ``kernel`` fit a ``side``, in steps of ``stride``; 0 if none does."""
    return max(0, (side + 2 * padding - kernel) // stride + 1)


@dataclass(frozen=True, kw_only=True)
class Walk:
    """How windows go over a map, and what each input that is read there is added to."""

    kernel: tuple[int, int]
    """Height and width."""
    stride: int = 1
    padding: int = 0
    channels: int
    """Output channels."""
    groups: int = 1
    """Groups of input channels; each is read by as many groups of output channels."""
    weight_bits: int = 1

    def output(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the output map of a ``height`` x ``width`` input."""
        rows, columns = (
            output_side(side, kernel, self.stride, self.padding)
            for side, kernel in zip((height, width), self.kernel, strict=True)
        )
        return rows, columns

    def fills(self, height: int, width: int) -> bool:
        """Return whether the window is the whole ``height`` x ``width`` map: fully connected."""
        return self.kernel == (height, width) and self.padding == 0
