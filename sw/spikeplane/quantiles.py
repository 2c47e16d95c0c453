"""Quantiles of latencies: a mean says nothing of the slowest."""

from collections.abc import Sequence

import numpy as np

__all__ = ["QUANTILES", "quantiles"]

QUANTILES = {"50 %": 0.5, "90 %": 0.9, "99 %": 0.99, "greatest": 1.0}
"""The share of values that are at most a quantile, by what it is called."""


def quantiles(values: Sequence[float] | np.ndarray) -> dict[str, float]:
    """Return the values that QUANTILES names, each one of ``values``; empty where there are none."""
    if not len(values):
        return {}
    found = np.quantile(values, list(QUANTILES.values()), method="inverted_cdf")
    return dict(zip(QUANTILES, found.tolist(), strict=True))
