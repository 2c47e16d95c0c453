"""A network as it was trained, in floating point: a chain of operators and neurons, and how it is run."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from spikeplane_hw.neuron import Reset
from torch import Tensor
from torch.nn import functional

from ..network.pool import Pooling
from .operators import Operator, Shape

__all__ = ["Chain", "ImportedNeuron", "Stage", "predict_chain", "run_stage"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ImportedNeuron:
    """``v = leak * v + current``, a spike where v is above the threshold, then the reset."""

    leak: float
    threshold: np.ndarray
    """float64 (channels,), above 0."""
    strict: bool
    """Whether v must be above the threshold, or may equal it."""
    reset: Reset
    delayed: bool = False
    """Whether SOFT takes the threshold from the potential behind the next leak, as snnTorch does, not ahead of it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """An operator and the neurons that take its sums; without neurons, the sums are the network's answer."""

    name: str
    """Of the node whose weights these are."""
    operator: Operator
    neuron: ImportedNeuron | None
    pooling: Pooling | None = None
    """Of the neurons' spikes."""

    @property
    def shape(self) -> Shape:
        """Channels, height, width of what comes out."""
        return self.operator.shape if self.pooling is None else self.pooling.shape(self.operator.shape)

    def pooled(self, pooling: Pooling) -> "Stage":
        """Return it with a pool of its spikes."""
        if self.pooling is not None:
            raise ValueError("the spikes before it are pooled already: have one pool in place of two")
        return replace(self, pooling=pooling)


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """Stages in their order."""

    source: Shape
    """Channels, height, width of the input."""
    stages: list[Stage]
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    """What was read: (node, what it is, what it becomes)."""

    @property
    def classes(self) -> int:
        """Values of the answer."""
        return int(np.prod(self.stages[-1].shape))


def run_stage(stage: Stage, inputs: Tensor, scale: float = 1.0) -> Tensor:
    """Return what a stage makes of ``inputs``, (count, steps, channels, height, width), in floating point.

    They are ``1 / scale`` times what they stand for. Neurons give spikes uint8, an answer float64 sums over pixels and
    steps (count, classes).
    """
    operator = stage.operator
    weight, bias = torch.from_numpy(operator.weight * scale).float(), torch.from_numpy(operator.bias).float()
    count, steps = inputs.shape[:2]
    currents = functional.conv2d(
        inputs.flatten(0, 1).float(), weight, bias, operator.stride, operator.padding
    ).unflatten(0, (count, steps))
    neuron = stage.neuron
    if neuron is None:
        return currents.double().sum((1, 3, 4))
    threshold = torch.from_numpy(neuron.threshold).float().view(-1, 1, 1)
    spikes = torch.empty(currents.shape, dtype=torch.uint8)
    potential = torch.zeros_like(currents[:, 0])
    taken = torch.zeros_like(threshold)
    for step in range(steps):
        potential = neuron.leak * potential + currents[:, step] - taken
        fired = potential > threshold if neuron.strict else potential >= threshold
        spikes[:, step] = fired
        if neuron.reset is Reset.HARD:
            potential = potential * ~fired
        elif neuron.reset is Reset.SOFT and neuron.delayed:
            taken = fired * threshold
        elif neuron.reset is Reset.SOFT:
            potential = potential - fired * threshold
    return spikes if stage.pooling is None else stage.pooling.pool(spikes)


def predict_chain(chain: Chain, inputs: np.ndarray, input_scale: float, batch: int = 10) -> Iterator[np.ndarray]:
    """Yield the float network's predictions, int64, for parts of ``inputs``, uint8 as a data set has them."""
    for start in range(0, len(inputs), batch):
        values = torch.from_numpy(np.ascontiguousarray(inputs[start : start + batch]))
        scale = input_scale
        for stage in chain.stages:
            values, scale = run_stage(stage, values, scale), 1.0
        answer = values if chain.stages[-1].neuron is None else values.double().sum((1, 3, 4))
        yield answer.argmax(1).numpy()
