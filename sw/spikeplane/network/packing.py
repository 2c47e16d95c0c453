"""Integers in files in as few bits as they need: a million 1-bit weights take 125 kB."""

import math
from typing import Any

import numpy as np

__all__ = ["PackingError", "pack", "unpack"]

MOST_BITS = 16


class PackingError(ValueError):
    """What is to be unpacked is not what was packed."""


def pack(values: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """Return integers as bytes, uint8 (bytes,), and what :func:`unpack` needs to know of them, as JSON values.

    A value is ``lowest + step * code``; each code takes ``bits`` bits, the most significant first, in the order of the
    values, and the last byte is filled up with zeros. A ValueError says that they need more than MOST_BITS bits.
    """
    flat = values.astype(np.int64).ravel()
    lowest = int(flat.min())
    step = int(np.gcd.reduce(flat - lowest)) or 1
    codes = (flat - lowest) // step
    bits = max(int(codes.max()).bit_length(), 1)
    if bits > MOST_BITS:
        raise ValueError(f"integers {lowest}..{int(flat.max())} need {bits} bits, limit {MOST_BITS}")
    places = np.empty((len(codes), bits), np.uint8)
    for place in range(bits):
        places[:, place] = codes >> (bits - 1 - place) & 1
    return np.packbits(places), {"bits": bits, "lowest": lowest, "step": step, "shape": list(values.shape)}


def unpack(packed: np.ndarray, form: dict[str, Any]) -> np.ndarray:
    """Return the integers, int64 of ``form["shape"]``, that :func:`pack` made ``packed`` of.

    A PackingError names what of ``form`` is no such value, or does not fit the bytes.
    """
    if set(form) != {"bits", "lowest", "step", "shape"}:
        raise PackingError(f"packed integers have bits, lowest, step and shape, not {', '.join(map(str, form))}")
    shape = form["shape"]
    if not isinstance(shape, list) or not all(type(side) is int and side > 0 for side in shape):
        raise PackingError(f"shape must be a list of positive integers, not {shape!r}")
    for name, least, most in (("bits", 1, MOST_BITS), ("step", 1, 1 << MOST_BITS),
                              ("lowest", -1 << MOST_BITS, 1 << MOST_BITS)):
        if type(form[name]) is not int or not least <= form[name] <= most:
            raise PackingError(f"{name} must be an integer in {least}..{most}, not {form[name]!r}")
    bits, count = form["bits"], math.prod(shape)
    size = -(-count * bits // 8)
    if packed.dtype != np.uint8 or packed.shape != (size,):
        raise PackingError(f"{count} integers of {bits} bits take {size} bytes, not {packed.dtype} of {packed.shape}")
    codes = np.zeros(count, np.int64)
    for places in np.unpackbits(packed, count=count * bits).reshape(count, bits).T:
        codes = 2 * codes + places
    return (form["lowest"] + form["step"] * codes).reshape(shape)
