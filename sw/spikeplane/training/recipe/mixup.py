"""Mixup: each sample is faded into another one of its batch, and so are their labels (arXiv 1710.09412)."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Mixture", "Mixup"]


@dataclass(frozen=True)
class Mixture:
    """What becomes of a batch: sample i is ``shares[i]`` of itself, the rest of it is sample ``others[i]``."""

    others: np.ndarray
    """int64 (samples,)."""
    shares: np.ndarray
    """float64 (samples,), in 0.5..1, so that a sample's own label is that of its larger part."""

    def mix(self, images: Tensor) -> Tensor:
        """Return images (samples, channels, height, width) of whole numbers, mixed and rounded to them."""
        if images.ndim != 4:
            raise ValueError(f"training.mixup needs images (count, channels, height, width), not {tuple(images.shape)}")
        shares = torch.from_numpy(self.shares.astype(np.float32)).to(images.device).view(-1, 1, 1, 1)
        others = images[torch.from_numpy(self.others).to(images.device)]
        return torch.round(torch.lerp(others.float(), images.float(), shares)).to(images.dtype)

    def targets(self, labels: np.ndarray, classes: int) -> Tensor:
        """Return how much of each class the mixed samples show, float32 (samples, classes), of labels (samples,)."""
        shares = torch.from_numpy(self.shares)[:, None]
        own, others = (functional.one_hot(torch.from_numpy(each), classes) for each in (labels, labels[self.others]))
        return (shares * own + (1 - shares) * others).float()


@dataclass(frozen=True, kw_only=True)
class Mixup:
    """How much samples are mixed: the parts of the two are drawn from a beta distribution, the larger is the own."""

    alpha: float = 0.5
    """Both parameters of the distribution: small ones leave most samples nearly as they are."""
    until: float = 1.0
    """Share of the training, from its start, in which samples are mixed."""

    def __post_init__(self):
        if not (math.isfinite(self.alpha) and self.alpha > 0):
            raise ValueError(f"training.mixup.alpha must be above 0, not {self.alpha}")
        if not 0 <= self.until <= 1:
            raise ValueError(f"training.mixup.until must be in 0..1, not {self.until}")

    def draw(self, count: int, progress: float, draw: np.random.RandomState) -> Mixture:
        """Return the mixture of a batch of so many samples when ``progress`` of the training, 0 to 1, is done."""
        others = draw.permutation(count)
        drawn = draw.beta(self.alpha, self.alpha, count)
        return Mixture(others, np.maximum(drawn, 1 - drawn) if progress < self.until else np.ones(count))
