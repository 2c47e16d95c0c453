"""PyTorch, imported when something first computes with it: who only reads networks and images does without.

``Tensor`` stands in annotations alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["Tensor", "functional", "torch"]

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import functional
else:
    class _Later:
        """A module that is imported at the first use of one of its names."""

        def __init__(self, name: str):
            self._name = name

        def __getattr__(self, name: str) -> Any:
            value = getattr(import_module(self._name), name)
            setattr(self, name, value)  # Found at once from now on.
            return value

    torch, functional, Tensor = _Later("torch"), _Later("torch.nn.functional"), Any
