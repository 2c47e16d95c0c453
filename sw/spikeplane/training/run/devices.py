"""Devices that a training computes on, and in which precision."""

from typing import cast

import torch
from torch import nn

from .options import RunOptions

__all__ = ["Precision", "choose_device", "compiled"]


def choose_device(name: str, local_rank: int | None = None) -> torch.device:
    """Return the device that ``name`` stands for; see :attr:`.RunOptions.device`.

    Of several processes on a machine, each takes the GPU of its ``local_rank``.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, separator, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (separator and not (kind == "cuda" and number.isdecimal())):
        raise ValueError(f"device must be auto, cpu, cuda or cuda:N, not {name!r}")
    if kind == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ValueError(f"device {name}: PyTorch {torch.__version__} finds no GPU here")
    if local_rank is not None and separator:
        raise ValueError(f"device {name}: of several processes each takes its own GPU, say cuda")
    index = int(number) if separator else local_rank or 0
    if index >= torch.cuda.device_count():
        raise ValueError(f"device cuda:{index}: there are {torch.cuda.device_count()} GPUs here")
    return torch.device("cuda", index)


class Precision:
    """The types of a training's numbers; ``scaler`` keeps float16 gradients from vanishing."""

    def __init__(self, options: RunOptions, device: torch.device):
        self._kind = device.type
        self._type = None if options.amp is None else getattr(torch, options.amp)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self._type is torch.float16)

    def products(self) -> torch.autocast:
        """Return the context of a forward pass, whose products are in the chosen type."""
        return torch.autocast(self._kind, dtype=self._type, enabled=self._type is not None)


def compiled(network: nn.Module) -> nn.Module:
    """Return ``network``, whose passes are compiled for the shapes and the mode at their first call."""
    return cast(nn.Module, torch.compile(network, dynamic=False))
