"""What readers of trained modules share: their classes, their parameters, and how their neurons fire."""

from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["Leaf", "fires_above", "library", "numbers", "plain"]

Leaf = tuple[str, nn.Module, nn.Module | None]
"""A module that holds no others: its name, itself, and the outermost container of SpikingJelly's around it."""
PROBE = (-1.0, -1e-3, 0.0, 1e-3, 1.0)
"""Distances to the threshold at which neurons are asked whether they fire."""


def library(module: nn.Module) -> str:
    """Return the package that a module's class is of."""
    return type(module).__module__.partition(".")[0]


def plain(module: nn.Module) -> type:
    """Return the class of PyTorch that a module is: its own, or that of a layer of SpikingJelly with step modes."""
    kind = type(module)
    if library(module) == "spikingjelly" and kind.__module__.startswith("spikingjelly.activation_based.layer"):
        return next((each for each in kind.__mro__ if each.__module__.startswith("torch.nn.modules.")), kind)
    return kind


def numbers(values: Any) -> np.ndarray:
    """Return a parameter, float64."""
    return torch.as_tensor(values).detach().double().cpu().numpy()


def fires_above(name: str, function: Any) -> bool:
    """Return whether neurons fire only above their threshold, or at it too, by asking what decides on it.

    ``function`` takes potentials less the threshold. A ValueError says that it is neither.
    """
    found = torch.as_tensor(function(torch.tensor(PROBE))).tolist()
    for above in (True, False):
        if found == [float(value > 0 or (value == 0 and not above)) for value in PROBE]:
            return above
    raise ValueError(f"{name} of {list(PROBE)} is {[round(value, 4) for value in found]}: no step from 0 to 1")
