"""Samples that channels are judged by: shuffled and augmented training samples, in batches."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from ..data.sets.datasets import Dataset
from ..training.net.networks import SpikingNetwork
from ..training.recipe.augmentations import create_augmentations
from ..training.recipe.recipes import Recipe

__all__ = ["calibration_batches", "renormalize"]


def calibration_batches(recipe: Recipe, train: Dataset, batches: int, batch_size: int) -> list[Tensor]:
    """Return so many batches of training samples as the training sees them, drawn from the recipe's seed.

    Fewer or smaller ones where the data set has not as many samples.
    """
    order = np.random.RandomState([recipe.seed, 0]).permutation(len(train.labels))[: batches * batch_size]
    augmentations = create_augmentations(recipe.training.augmentations)
    found = []
    for number, start in enumerate(range(0, len(order), batch_size)):
        samples = torch.from_numpy(train.inputs[order[start : start + batch_size]])
        draw = np.random.RandomState([recipe.seed, 0, number])
        for augment in augmentations:
            samples = augment(samples, draw)
        found.append(samples)
    return found


def renormalize(network: SpikingNetwork, batches: list[Tensor]) -> None:
    """Set the means and variances of all normalizations to those of ``batches``; leaves evaluation mode on.

    Removing inputs of a layer changes its sums, and with them what normalization has to take off.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    former = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # The plain mean of all batches.
    network.train()
    device = next(network.parameters()).device
    with torch.no_grad():
        for batch in batches:
            network(batch.to(device))
    for norm, momentum in zip(norms, former, strict=True):
        norm.momentum = momentum
    network.eval()
