"""Which integers the bits of a weight stand for."""

import enum

import numpy as np

from .checks import NetworkError

__all__ = ["WEIGHT_BITS", "WeightKind", "verify_weights"]

WEIGHT_BITS = (1, 2, 4, 8)


class WeightKind(enum.Enum):
    """Which integers b-bit weights stand for."""

    ODD = "odd"
    """Odd integers -(2**b - 1) ... 2**b - 1: 1-bit weights are -1 and 1."""
    TWOS = "twos"
    """Two's complement integers -2**(b-1) ... 2**(b-1) - 1."""
    UNIT = "unit"
    """0 ... 2**b - 1."""

    def codes(self, weights: np.ndarray, bits: int) -> np.ndarray:
        """Return the unsigned codes, 0 to 2**bits - 1, that the lanes add."""
        if self is WeightKind.ODD:
            return (weights + (1 << bits) - 1) >> 1
        if self is WeightKind.TWOS:
            return weights + (1 << (bits - 1))
        return weights

    def reference(self, bits: int) -> int:
        """Return k in ``sum = a * code sum - k * active inputs``."""
        return {WeightKind.ODD: (1 << bits) - 1, WeightKind.TWOS: 1 << (bits - 1)}.get(self, 0)

    def limits(self, bits: int) -> tuple[int, int]:
        """Return the least and the greatest weight."""
        if self is WeightKind.ODD:
            return 1 - (1 << bits), (1 << bits) - 1
        if self is WeightKind.TWOS:
            return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        return 0, (1 << bits) - 1


def verify_weights(where: str, weight: np.ndarray, bits: int, kind: WeightKind) -> None:
    """Raise a NetworkError naming the first weight that ``bits`` of this kind do not stand for.

    ``weight`` is an integer array (output channels, input channels, kernel height, kernel width).
    """
    if bits not in WEIGHT_BITS:
        raise NetworkError(f"{where}: weight_bits is {bits!r}, must be 1, 2, 4 or 8")
    if not isinstance(weight, np.ndarray) or weight.dtype.kind not in "iu":
        raise NetworkError(f"{where}: weight must be an integer array, not "
                           f"{getattr(weight, 'dtype', type(weight).__name__)}")
    if weight.ndim != 4 or weight.size == 0:
        raise NetworkError(f"{where}: weight must have 4 dimensions, none 0, not {weight.shape}")
    low, high = kind.limits(bits)
    wrong = (weight < low) | (weight > high)
    if kind is WeightKind.ODD:
        wrong |= weight % 2 == 0
    if wrong.any():
        place = np.argwhere(wrong)[0]
        raise NetworkError(
            f"{where}: weight {place.tolist()} is {weight[tuple(place)]}; {bits}-bit {kind.value} weights "
            f"are {'odd ' if kind is WeightKind.ODD else ''}integers in {low}..{high}"
        )
