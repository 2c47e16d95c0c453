"""Fixed point: a layer's gains and biases as the core's integers M, B and shift.

A layer's current is ``gain * sum + bias`` of the integer sum. In the core's fixed point that is
``(sum * M + B) >> shift`` with ``M = gain * 2**(FRACTION_BITS + shift)``, likewise B, which includes
the half that makes ``>>`` round to nearest. What is added to a stream has the stream's fraction bits instead.

A layer has one shift, and M has few bits: what is enough for one channel rounds the gains
of others coarsely. A channel whose sums hardly varied in the training has a gain so large that M fits
at no shift. So M is clipped, channel by channel, and the shift is the one at which currents are least
wrong over the sums that the training saw.
"""

from dataclasses import dataclass

import numpy as np
from spikeplane_hw.neuron import FRACTION_BITS, OFFSET_WIDTH, SHIFTS

from ...network.checks import NetworkError
from ...network.term import MULTIPLIER_LIMITS

__all__ = ["Currents", "fixed_point"]

OFFSET_LIMIT = 1 << (OFFSET_WIDTH - 1)


@dataclass(frozen=True, kw_only=True)
class Currents:
    """What a layer makes of its integer sums, and which sums it saw; float64 (channels,) each."""

    gain: np.ndarray
    """What a current grows by with each unit of the sum, in thresholds."""
    bias: np.ndarray
    """The current of the sum 0, in thresholds."""
    mean: np.ndarray
    """Of the sums that the training saw."""
    deviation: np.ndarray
    """Standard deviation of these sums."""


def fixed_point(
    name: str, currents: Currents, fraction_bits: int = FRACTION_BITS
) -> tuple[int, np.ndarray, np.ndarray]:
    """Return (shift, M, B) of layer ``name``, M and B int64 (channels,); the sum has ``fraction_bits``.

    The mean square error of the currents, rounding and clipping of M together, is least at this shift,
    the greatest one of equals. The current at the mean of the sums stays what it is where M is
    clipped. A NetworkError names the channel whose B fits at no shift.
    """
    best, least = None, np.inf
    for shift in sorted(SHIFTS, reverse=True):
        multiplier, offset = _integers(currents, shift, fraction_bits)
        if (offset < -OFFSET_LIMIT).any() or (offset >= OFFSET_LIMIT).any():
            continue
        wrong = multiplier / _unit(shift, fraction_bits) - currents.gain
        error = np.square(wrong * currents.deviation).sum()
        if error < least:
            best, least = (shift, multiplier.astype(np.int64), offset.astype(np.int64)), error
    if best is None:
        _, offset = _integers(currents, min(SHIFTS), fraction_bits)
        channel = int(np.abs(offset).argmax())
        raise NetworkError(
            f"layer {name!r}: B of channel {channel} is {offset[channel]:.0f} at the least shift {min(SHIFTS)}, "
            f"limit {OFFSET_LIMIT - 1}: at the sum 0 its current is {currents.bias[channel]:.4g} thresholds; train "
            f"it again with a lower training.learning_rate"
        )
    return best


def _unit(shift: int, fraction_bits: int) -> float:
    """Return what stands for 1.0 ahead of the shift."""
    return 2.0 ** (fraction_bits + shift)


def _integers(currents: Currents, shift: int, fraction_bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return M, clipped, and the B that goes with it, as floats; B may be outside of its limits."""
    unit = _unit(shift, fraction_bits)
    rounded = np.rint(currents.gain * unit)
    multiplier = rounded.clip(*MULTIPLIER_LIMITS)
    lost = np.where(multiplier == rounded, 0.0, currents.gain - multiplier / unit)
    return multiplier, np.rint((currents.bias + lost * currents.mean) * unit) + (1 << (shift - 1))
