"""Several processes that train one network: torchrun starts them, each has a share of a batch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed

from .devices import choose_device

__all__ = ["Processes", "is_first", "join", "sum_over_processes"]


@dataclass(frozen=True)
class Processes:
    """The processes of a training, and which of them this one is."""

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and shows."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Return this process's part of ``count`` samples; parts differ by one sample at most."""
        return slice(count * self.rank // self.count, count * (self.rank + 1) // self.count)

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of all processes' ``values``, without a gradient."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    def check_same(self, what: str, value: Any) -> None:
        """Raise a ValueError if the processes do not have equal ``value``, which is named ``what``."""
        if self.count > 1:
            values: list[Any] = [None] * self.count
            distributed.all_gather_object(values, value)
            for rank, other in enumerate(values):
                if other != values[0]:
                    raise ValueError(
                        f"{what}: process 0 has {values[0]}, process {rank} has {other}; all must "
                        f"see the same folder"
                    )


def _launched() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ["WORLD_SIZE"]) > 1


def is_first() -> bool:
    """Return whether this process is the only one, or torchrun's first one."""
    return not _launched() or os.environ["RANK"] == "0"


@contextmanager
def join(device: str) -> Iterator[Processes]:
    """Join the processes that torchrun started, if it did, each on a device of its own."""
    if not _launched():
        yield Processes(choose_device(device))
        return
    chosen = choose_device(device, int(os.environ["LOCAL_RANK"]))
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Processes(chosen, distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value: Tensor) -> Tensor:
        total = value.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, *gradients: Tensor):
        (gradient,) = gradients
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        return total


def sum_over_processes(value: Tensor) -> Tensor:
    """Return the sum of all processes' ``value``; its gradient is the sum of all gradients."""
    return _Sum.apply(value)
