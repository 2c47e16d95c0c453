"""Steps that a GPU replays: all operations of a batch are recorded once, as one graph (CUDA graphs).

A step of a small network takes the GPU less time than the CPU needs to ask for its operations one by one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .step import Batch

__all__ = ["Graphs", "Reading"]

AHEAD = 3
"""Steps computed as ever before the one that is recorded: compilers and libraries choose what to run in them."""


@dataclass(frozen=True)
class _Recorded:
    graph: torch.cuda.CUDAGraph
    batch: Batch
    """Where the graph reads its batch."""
    result: Tensor
    """Where it leaves what the step returned."""


class Graphs:
    """A step, called as it is; of each size of batch the first steps are computed, the others replayed.

    What the step reads but its batch must stay where it is in memory: the learning rate is a tensor.
    """

    def __init__(self, step: Callable[[Batch, int], Tensor]):
        self._step = step
        self._stream = torch.cuda.Stream()
        self._computed: dict[int, int] = {}
        self._recorded: dict[int, _Recorded] = {}

    def __call__(self, batch: Batch, samples: int) -> Tensor:
        """Train on the batch; what is returned is overwritten by the next call."""
        computed = self._computed.get(samples, 0)
        if computed < AHEAD:
            self._computed[samples] = computed + 1
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                result = self._step(batch, samples)
            torch.cuda.current_stream().wait_stream(self._stream)
            return result
        if samples not in self._recorded:
            self._recorded[samples] = self._record(batch, samples)
        recorded = self._recorded[samples]
        own = recorded.batch.tensors()
        for name, value in batch.tensors().items():
            own[name].copy_(value)
        recorded.graph.replay()
        return recorded.result

    def _record(self, batch: Batch, samples: int) -> _Recorded:
        """Record the step; nothing is computed."""
        kept = Batch(**{name: value.clone() for name, value in batch.tensors().items()})
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            result = self._step(kept, samples)
        return _Recorded(graph, kept, result)


class Reading:
    """A copy of numbers on a GPU that the CPU reads when they have come, while the GPU works on."""

    def __init__(self, values: Tensor):
        self._values = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
        self._values.copy_(values, non_blocking=True)
        self._come = torch.cuda.Event()
        self._come.record()

    def tolist(self) -> list[float]:
        """Wait for the numbers and return them."""
        self._come.synchronize()
        return self._values.tolist()
