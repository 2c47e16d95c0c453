"""A network as it was trained, in floating point: a chain of operators and neurons, and how it is run."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from spikeplane_hw.neuron import Reset
from torch import Tensor
from torch.nn import functional

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """An operator and the neurons that take its sums; without neurons, the sums are the network's answer."""

    name: str
    """Of the node whose weights these are."""
    operator: Operator
    neuron: ImportedNeuron | None


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
        return int(np.prod(self.stages[-1].operator.shape))


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
    for step in range(steps):
        potential = neuron.leak * potential + currents[:, step]
        fired = potential > threshold if neuron.strict else potential >= threshold
        spikes[:, step] = fired
        if neuron.reset is Reset.HARD:
            potential = potential * ~fired
        elif neuron.reset is Reset.SOFT:
            potential = potential - fired * threshold
    return spikes


def predict_chain(chain: Chain, inputs: np.ndarray, input_scale: float, batch: int = 10) -> Iterator[np.ndarray]:
    """Yield the float network's predictions, int64, for parts of ``inputs``, uint8 as a data set has them."""
    for start in range(0, len(inputs), batch):
        values = torch.from_numpy(np.ascontiguousarray(inputs[start : start + batch]))
        scale = input_scale
        for stage in chain.stages:
            values, scale = run_stage(stage, values, scale), 1.0
        answer = values if chain.stages[-1].neuron is None else values.double().sum((1, 3, 4))
        yield answer.argmax(1).numpy()
