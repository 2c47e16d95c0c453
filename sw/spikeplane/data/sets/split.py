"""A validation part: some of the training samples of each class, chosen by a seed."""

import numpy as np

__all__ = ["split_training"]


def split_training(labels: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices, int64 and rising, of the samples that stay, and of ``count`` held out.

    Of each class as many are held out as its share of ``labels``, int64 (samples,), rounded so that
    they sum to ``count`` (largest remainders, the lower class first). A ValueError names the limit.
    """
    if not 0 <= count < len(labels):
        raise ValueError(f"data.validation must be in 0..{len(labels) - 1}, not {count}")
    classes, sizes = np.unique(labels, return_counts=True)
    exact = count * sizes / len(labels)
    shares = exact.astype(np.int64)
    order = np.argsort(-(exact - shares), kind="stable")
    shares[order[: count - shares.sum()]] += 1
    draw = np.random.RandomState(seed)
    held = [
        draw.permutation(np.flatnonzero(labels == label))[:share]
        for label, share in zip(classes, shares, strict=True)
    ]
    out = np.zeros(len(labels), bool)
    out[np.concatenate(held)] = True
    return np.flatnonzero(~out), np.flatnonzero(out)
