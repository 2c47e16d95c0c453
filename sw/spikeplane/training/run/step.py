"""A step of a training: from a batch's inputs to new weights, in operations on one device."""

from contextlib import nullcontext
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..net.leaky import firing_rate
from ..net.networks import SpikingNetwork
from ..recipe.answers import BatchAnswers
from ..recipe.losses import SumOfLosses
from ..recipe.regularizers import Regularizer
from .devices import Precision, compiled
from .processes import Processes, sum_over_processes
from .teacher import Teacher

__all__ = ["Answering", "Batch", "Step"]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What a process computes of a batch, on its device."""

    inputs: Tensor
    labels: Tensor
    """int64 (samples,)."""
    mixed: Tensor | None = None
    """As in :class:`.BatchAnswers`."""
    taught: Tensor | None = None
    """What :meth:`.Teacher.question` gave; None without a teacher."""

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors by their names, those that there are."""
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in found.items() if value is not None}


class Answering(nn.Module):
    """A network whose spikes are given out only if something looks at them: maps cost memory and time."""

    def __init__(self, network: SpikingNetwork, spikes: bool):
        super().__init__()
        self.network, self.spikes = network, spikes

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return logits (heads, steps, batch, classes), the rates of all neurons, (layers,), and spikes by layer."""
        heads, spikes = self.network.answer(inputs)
        # The compiler makes its own gradient of a mean.
        rate = torch.mean if torch.compiler.is_compiling() else firing_rate
        rates = torch.stack([rate(spikes[name]) for name in self.network.neuron_shapes])
        return heads, rates, spikes if self.spikes else {}


class Step:
    """Answers of the network, losses, gradients, and the optimizer's update."""

    def __init__(
        self,
        network: SpikingNetwork,
        *,
        losses: SumOfLosses,
        regularizers: list[Regularizer],
        optimizer: torch.optim.Optimizer,
        precision: Precision,
        processes: Processes,
        teacher: Teacher | None = None,
        compile: bool = False,
    ):
        self.network, self.losses, self.regularizers = network, losses, regularizers
        self.optimizer, self.precision, self.processes = optimizer, precision, processes
        self.teacher = teacher
        model: nn.Module = Answering(network, losses.spikes)
        if compile:
            model = compiled(model)
        self.model = DistributedDataParallel(model) if processes.count > 1 else model

    def __call__(self, batch: Batch, samples: int) -> Tensor:
        """Train on a process's share of a batch of ``samples``; return sums of what it was like.

        They are float64: the loss and how many classes were told, summed over the share's samples; then,
        alike in all processes, 1.0 if all weights are finite, and the rates of all neurons.
        """
        share = len(batch.labels) / samples
        taught = None
        if self.teacher is not None and batch.taught is not None:
            taught = self.teacher.respond(batch.taught)
        recording = self.network.recording() if self.losses.potentials else nullcontext({})
        with recording as potentials, self.precision.products():
            heads, rates, spikes = self.model(batch.inputs)
        heads = heads.float()
        logits = heads[0] if len(heads) == 1 else heads.mean(0)
        if self.processes.count > 1:
            rates = sum_over_processes(rates * share)
        data_loss = self.losses(BatchAnswers(
            logits=logits, labels=batch.labels, mixed=batch.mixed, spikes=spikes, potentials=potentials,
            teacher=taught, heads=heads,
        ))
        penalty = sum((regularizer(rates) for regularizer in self.regularizers), rates.new_zeros(()))
        self.optimizer.zero_grad()
        # The gradients of all processes are averaged; their sum is what is wanted.
        loss = data_loss * (share * self.processes.count) + penalty
        self.precision.scaler.scale(loss).backward()
        self.precision.scaler.step(self.optimizer)
        self.precision.scaler.update()

        finite = torch.stack([p.isfinite().all() for p in self.network.parameters()]).all()
        right = (logits.detach().mean(0).argmax(1) == batch.labels).sum()
        summed = torch.stack([(data_loss + penalty).detach().double() * len(batch.labels), right.double()])
        return torch.cat([summed, finite.double()[None], rates.detach().double()])
