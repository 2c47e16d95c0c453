"""Weights over a stream: its binary digits are spikes, each of which counts a power of two."""

import numpy as np

from .checks import NetworkError
from .endings import Digit, Logits
from .layer import Layer
from .maps import STREAM_BITS
from .stored import Stored
from .weights import WeightKind
from .window import Window

__all__ = ["weighted_stream"]


def weighted_stream(
    name: str, stream: str, *, fraction_bits: int, weight: np.ndarray, weight_bits: int, weight_kind: WeightKind,
    lowest: int = 0, exponent: int = 0,
) -> list[Layer]:
    """Return layers that add ``weight`` over a stream to the logits, at each pixel: a head on a stream.

    ``weight`` is int64 (classes, channels, kernel height, kernel width), ``fraction_bits`` are the
    stream's. What is added is exact: the sum of ``weight * (sat(stream * 2**exponent) >> lowest)``: with an exponent
    the stream is clipped to fewer bits, of which there are fewer digits. For each digit there is
    a layer that makes it, named ``NAME digit K``, and one that weights it, ``NAME K``. The digit of
    the sign counts negative, with negated weights: a NetworkError says if one of them has none.
    """
    if not 0 <= lowest < STREAM_BITS:
        raise NetworkError(f"{name}: lowest is {lowest}, must be in 0..{STREAM_BITS - 1}")
    signs = dict.fromkeys(range(lowest, STREAM_BITS - 1), 1) | {STREAM_BITS - 1: -1}
    (low, high), least, greatest = weight_kind.limits(weight_bits), int(weight.min()), int(weight.max())
    for what, value in (("least", least), ("greatest", greatest)):
        if not low <= -value <= high:
            raise NetworkError(f"{name}: the {what} weight is {value}: negated it has no {weight_bits}-bit code")
    layers = []
    for digit, sign in signs.items():
        made = f"{name} digit {digit}"
        layers += [
            Layer(
                name=made, terms=(Stored(streams=(stream,), exponent=exponent),),
                ending=Digit(digit=digit, fraction_bits=fraction_bits + exponent),
            ),
            Layer(
                name=f"{name} {digit}",
                terms=(Window(source=made, weight=sign * weight, weight_bits=weight_bits, weight_kind=weight_kind),),
                ending=Logits(exponent=digit - lowest),
            ),
        ]
    return layers
