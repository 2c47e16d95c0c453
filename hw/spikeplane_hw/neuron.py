"""The neuron of the core in integers: affine, leak, fire, reset, re-quantize (Q-SNN, section 1.1).

This is the specification. It works element-wise on NumPy and PyTorch integer arrays alike, and the
integer model, the training quantizers and the gateware (:mod:`spikeplane_hw.update`) all use it.
"""

import enum as py_enum
import math
from dataclasses import dataclass

import numpy as np
from amaranth.lib import enum

__all__ = [
    "DECODE_SHIFT", "FRACTION_BITS", "MULTIPLIER_WIDTH", "OFFSET_WIDTH", "QUANTIZED_BITS", "SHIFTS",
    "STATE_WIDTH", "TABLE_INDEX_SHIFT", "TABLE_INDEX_WIDTH", "Levels", "Neuron", "Reset", "code_limit",
    "leak_limit", "quantizer_table", "saturate", "scale_sum", "table_centers",
]

FRACTION_BITS = 12
"""A membrane potential of 1.0 is ``2**FRACTION_BITS``."""
STATE_WIDTH = 16
"""Bits of u, of x and of an unquantized state, signed."""
MULTIPLIER_WIDTH = 16
"""Bits of M, signed."""
OFFSET_WIDTH = 32
"""Bits of B, signed; B includes the rounding half."""
SHIFTS = (1, 5, 9, 13)
"""Shifts a layer may choose."""
DECODE_SHIFT = 4
"""Fraction bits of ``decode_scale``."""
TABLE_INDEX_WIDTH = 10
TABLE_INDEX_SHIFT = FRACTION_BITS + 3 - TABLE_INDEX_WIDTH
"""A quantizer table covers potentials from -4.0 to 4.0."""
TABLE_CODE_WIDTH = 8
"""Bits of a code in a quantizer table, signed."""
QUANTIZED_BITS = range(2, TABLE_CODE_WIDTH + 1)
"""Bits that a quantized state may have."""


class Reset(enum.Enum, shape=2):
    """What a spike does to the potential."""

    NONE = 0
    HARD = 1
    """Set it to 0."""
    SOFT = 2
    """Subtract the threshold, 1.0."""


class Levels(py_enum.Enum):
    """Where the levels of a quantized potential lie."""

    TANH = "tanh"
    """``round(tanh(v) * n)``: Q-SNN's quantizer with a = 1, n = 2**(b-1) - 1."""
    UNIFORM = "uniform"
    """``round(v * n)``, clipped to -n..n."""


def code_limit(bits: int) -> int:
    """Return n of a ``bits``-wide potential: its codes are -n to n, and n stands for 1.0."""
    return (1 << (bits - 1)) - 1


def table_centers() -> np.ndarray:
    """Return the potentials, float64, in the middle of what each entry of a quantizer table covers."""
    count = 1 << TABLE_INDEX_WIDTH
    return (np.arange(count) - count // 2 + 0.5) * 2.0 ** (TABLE_INDEX_SHIFT - FRACTION_BITS)


def quantizer_table(bits: int, levels: Levels) -> np.ndarray:
    """Return the quantizer table of a ``bits``-wide potential, 2 to 8 bits.

    Entry ``i`` is the code, int64, for potentials from ``(i - 512) << TABLE_INDEX_SHIFT`` on; a code
    q stands for q / n, n the code limit.
    """
    if not 2 <= bits <= TABLE_CODE_WIDTH:
        raise ValueError(f"bits must be in 2..{TABLE_CODE_WIDTH}, not {bits!r}")
    center = table_centers()
    n = code_limit(bits)
    value = np.tanh(center) if levels is Levels.TANH else center
    return np.rint(np.clip(value, -1, 1) * n).astype(np.int64)


def leak_limit(state_bits: int) -> float:
    """Return the greatest leak of a neuron: ``decode_scale`` has STATE_WIDTH signed bits."""
    if state_bits not in QUANTIZED_BITS:
        return 1.0
    one = 2.0 ** (FRACTION_BITS + DECODE_SHIFT) / code_limit(state_bits)
    return min(1.0, 2.0 ** (STATE_WIDTH - 1) / one)


def saturate(value):
    """Clip ``value`` to STATE_WIDTH signed bits."""
    return value.clip(-(1 << (STATE_WIDTH - 1)), (1 << (STATE_WIDTH - 1)) - 1)


def scale_sum(total, multiplier, offset, shift: int):
    """Return what a weighted sum adds to a current, not saturated; all integer arrays that broadcast."""
    return (total * multiplier + offset) >> shift


@dataclass(frozen=True, kw_only=True)
class Neuron:
    """Parameters of a layer's neurons.

    One update is, with ``sat`` clipping to STATE_WIDTH bits and ``>>`` rounding down::

        x = sat((sum * M + B) >> shift)     # scale_sum, one for each term of a layer
        leaked = (state * decode_scale + 2**(DECODE_SHIFT - 1)) >> DECODE_SHIFT
        u = sat(leaked + x)
        spike = u > fire_above
        v = u if not spike else {NONE: u, HARD: 0, SOFT: u - 2**FRACTION_BITS}
        state = table[clip(v >> TABLE_INDEX_SHIFT)] if quantized else v
    """

    fire_above: int = 1 << FRACTION_BITS
    """2**FRACTION_BITS for a strict compare with 1.0, one less for a non-strict one."""
    reset: Reset = Reset.HARD
    state_bits: int = 16
    """0 (no state), 2 to 8 (through the table), or 16 (the potential itself)."""
    levels: Levels = Levels.TANH
    leak: float = 0.5
    """What is left of a potential after a step; 16-bit states resolve it to 1/16. At most
    ``leak_limit(state_bits)``."""

    def __post_init__(self):
        if self.state_bits not in (0, *QUANTIZED_BITS, STATE_WIDTH):
            raise ValueError(f"state_bits must be 0, 2 to 8 or 16, not {self.state_bits!r}")
        limit = leak_limit(self.state_bits)
        if not 0 <= self.leak <= limit:
            raise ValueError(
                f"leak must be in 0..{limit:g} with state_bits {self.state_bits}, not {self.leak!r}"
            )
        if not -(1 << (STATE_WIDTH - 1)) <= self.fire_above < 1 << (STATE_WIDTH - 1):
            raise ValueError(f"fire_above must fit {STATE_WIDTH} bits, not {self.fire_above!r}")
        lowest = (1 << FRACTION_BITS) - (1 << (STATE_WIDTH - 1)) - 1
        if self.reset is Reset.SOFT and self.fire_above < lowest:
            # A spike takes 1.0 from the potential, which must not leave the range of a state.
            raise ValueError(
                f"fire_above must be at least {lowest} with a soft reset, not {self.fire_above!r}"
            )

    @property
    def quantized(self) -> bool:
        """Whether the stored state goes through a quantizer table."""
        return self.state_bits in QUANTIZED_BITS

    @property
    def decode_scale(self) -> int:
        """Factor from a stored code to the leaked potential, DECODE_SHIFT fraction bits."""
        if self.state_bits == 0:
            return 0
        unit = 1.0
        if self.quantized:
            unit = 2.0**FRACTION_BITS / code_limit(self.state_bits)
        scale = math.floor(self.leak * unit * 2**DECODE_SHIFT + 0.5)
        # At leak_limit the scale is one too many; one less rounds to the same for codes -1 to 1.
        return min(scale, (1 << (STATE_WIDTH - 1)) - 1)

    @property
    def table(self) -> np.ndarray:
        """The quantizer table, if the state is quantized."""
        return quantizer_table(self.state_bits, self.levels)

    def step(self, x, state, table=None):
        """Return (spike, next state, whether u saturated) for currents ``x``.

        ``table`` is :attr:`table` as an array of the same library as ``x``.
        """
        leaked = (state * self.decode_scale + (1 << (DECODE_SHIFT - 1))) >> DECODE_SHIFT
        exact = leaked + x
        u = saturate(exact)
        spike = u > self.fire_above
        if self.reset is Reset.HARD:
            v = u * ~spike
        elif self.reset is Reset.SOFT:
            v = u - (spike * (1 << FRACTION_BITS))
        else:
            v = u
        if self.state_bits == 0:
            return spike, v * 0, u != exact
        if self.quantized:
            half = 1 << (TABLE_INDEX_WIDTH - 1)
            if table is None:
                table = self.table
            index = (v >> TABLE_INDEX_SHIFT).clip(-half, half - 1) + half
            return spike, table[index], u != exact
        return spike, v, u != exact
