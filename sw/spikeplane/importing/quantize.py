"""Post-training quantization of weights: integers whose sums are nearest to those of the trained weights.

Of each output channel the scale is the one of a grid that leaves the least error, weighted by how often each input is
active on given data. Then weights are rounded one after the other, and what one loses the others that are not rounded
yet make up for, as far as their inputs are active together (Frantar et al., GPTQ, arXiv 2210.17323). The mean that is
still lost becomes a part of the bias (Nagel et al., arXiv 1906.04721).
"""

from dataclasses import dataclass

import numpy as np

from ..network.weights import WEIGHT_BITS, WeightKind

__all__ = ["Quantized", "quantize_weights"]

GRID = np.linspace(0.3, 1.0, 36)
"""Scales that are tried, as parts of the one at which no weight is clipped."""
FINE = (0.8, 0.86, 0.93, 1.0, 1.07, 1.15)
"""Of the best of these, the parts that are tried again with errors made up for."""
DAMPING = 0.01
"""Part of the mean of the second moments that is added to each, so that their matrix has an inverse."""
SIZE_LIMIT = 4096
"""Inputs of an output up to which errors are made up for: a matrix of so many rows is inverted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantized:
    """Weights in integers."""

    integers: np.ndarray
    """int64, of the weights' shape."""
    scale: np.ndarray
    """float64 (output channels,): what an integer is worth."""
    kind: WeightKind
    error: float
    """Root mean square error of the sums over the root mean square of the sums, on the data."""


def quantize_weights(
    weight: np.ndarray, bits: int, moments: np.ndarray | None = None, *, one_scale: bool = False
) -> Quantized:
    """Return ``weight``, float64 (output channels, ...), in ``bits`` bits: 1, 2, 4 or 8.

    ``moments`` (inputs, inputs) are the mean products of the inputs of a sum; None: all count alike. With ``one_scale``
    all output channels share one.
    """
    if bits not in WEIGHT_BITS:
        raise ValueError(f"bits must be one of {', '.join(map(str, WEIGHT_BITS))}, not {bits!r}")
    flat = weight.reshape(len(weight), -1).astype(np.float64)
    if moments is None:
        moments = np.eye(flat.shape[1])
    kinds = {1: [WeightKind.ODD], 2: [WeightKind.ODD, WeightKind.TWOS]}.get(bits, [WeightKind.TWOS])
    found = [_quantize(flat, bits, kind, moments, one_scale) for kind in kinds]
    integers, scale, kind, error = min(found, key=lambda each: each[3])
    power = _errors(flat, np.zeros_like(flat), np.ones(len(flat)), moments).sum()
    return Quantized(
        integers=integers.reshape(weight.shape), scale=scale, kind=kind,
        error=float(np.sqrt(error / max(power, 1e-30))),
    )


def _quantize(
    flat: np.ndarray, bits: int, kind: WeightKind, moments: np.ndarray, one_scale: bool
) -> tuple[np.ndarray, np.ndarray, WeightKind, float]:
    importance = np.diag(moments) + DAMPING * np.diag(moments).mean() + 1e-12
    scale = _scales(flat, bits, kind, importance, one_scale)
    best = _nearest(flat / scale[:, None], bits, kind)
    least, scales = _errors(flat, best, scale, moments), scale
    if flat.shape[1] <= SIZE_LIMIT:
        order, upper = _order(moments, importance)
        for part in FINE:
            integers = _compensate(flat, part * scale, bits, kind, order, upper)
            errors = _errors(flat, integers, part * scale, moments)
            better = np.full(len(flat), errors.sum() < least.sum()) if one_scale else errors < least
            best, least = np.where(better[:, None], integers, best), np.where(better, errors, least)
            scales = np.where(better, part * scale, scales)
    return best, scales, kind, float(least.sum())


def _errors(flat: np.ndarray, integers: np.ndarray, scale: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Return the mean square error of each output channel's sums."""
    lost = flat - integers * scale[:, None]
    return np.einsum("oi,oi->o", lost @ moments, lost)


def _scales(flat: np.ndarray, bits: int, kind: WeightKind, importance: np.ndarray, one_scale: bool) -> np.ndarray:
    greatest = kind.limits(bits)[1]
    largest = np.abs(flat).max(1)
    largest = np.full_like(largest, largest.max()) if one_scale else largest
    unit = np.where(largest > 0, largest, 1.0) / greatest
    errors = np.stack([
        (np.square(flat - _nearest(flat / (part * unit[:, None]), bits, kind) * part * unit[:, None]) @ importance)
        for part in GRID
    ])
    if one_scale:
        return unit * GRID[errors.sum(1).argmin()]
    return unit * GRID[errors.argmin(0)]


def _nearest(values: np.ndarray, bits: int, kind: WeightKind) -> np.ndarray:
    low, high = kind.limits(bits)
    if kind is WeightKind.ODD:
        return (2 * np.floor(values / 2) + 1).clip(low, high).astype(np.int64)
    return np.rint(values).clip(low, high).astype(np.int64)


def _order(moments: np.ndarray, importance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs, the most important ones first, and how later ones make up for the error of each."""
    order = np.argsort(-importance, kind="stable")
    matrix = moments[np.ix_(order, order)].copy()
    matrix[np.diag_indices_from(matrix)] = importance[order]
    inverse = np.linalg.inv(matrix)
    return order, np.linalg.cholesky((inverse + inverse.T) / 2).T


def _compensate(
    flat: np.ndarray, scale: np.ndarray, bits: int, kind: WeightKind, order: np.ndarray, upper: np.ndarray
) -> np.ndarray:
    """Return integers whose errors later ones, in this order, make up for."""
    left = flat[:, order].copy()
    integers = np.empty(left.shape, np.int64)
    for index in range(left.shape[1]):
        integers[:, index] = _nearest(left[:, index] / scale, bits, kind)
        lost = (left[:, index] - integers[:, index] * scale) / upper[index, index]
        left[:, index + 1 :] -= lost[:, None] * upper[index, index + 1 :]
    result = np.empty_like(integers)
    result[:, order] = integers
    return result
