"""What a network and its teacher answered to a batch: everything that a loss may use."""

from dataclasses import dataclass, field

from torch import Tensor

__all__ = ["BatchAnswers", "TeacherAnswers"]


@dataclass(frozen=True, kw_only=True)
class TeacherAnswers:
    """A teacher's answers, without gradients."""

    logits: Tensor
    """(batch, classes), means over the steps of a spiking teacher."""
    spikes: dict[str, Tensor] = field(default_factory=dict)
    """Of a spiking teacher, as in BatchAnswers; empty unless potentials are asked for."""
    potentials: dict[str, Tensor] = field(default_factory=dict)
    """Of a spiking teacher, as in BatchAnswers."""


@dataclass(frozen=True, kw_only=True)
class BatchAnswers:
    """Answers to the samples of one batch that a process computes; float32."""

    logits: Tensor
    """(steps, batch, classes), means of all heads'."""
    labels: Tensor
    """int64 (batch,)."""
    mixed: Tensor | None = None
    """Where samples were mixed, how much of each class they show: (batch, classes)."""
    spikes: dict[str, Tensor] = field(default_factory=dict)
    """(steps, batch, channels, height, width) of all layers but the classifier, by name; empty if no loss
    asks for them."""
    potentials: dict[str, Tensor] = field(default_factory=dict)
    """Potentials before the reset, in units of the threshold, with gradients, of all neurons but those
    of pools, shaped as their spikes; empty unless a loss asks for them."""
    teacher: TeacherAnswers | None = None
    heads: Tensor | None = None
    """(heads, steps, batch, classes); None: there is one, whose logits are these."""

    @property
    def targets(self) -> Tensor:
        """What a cross entropy compares with: labels, or the classes that mixed samples show."""
        return self.labels if self.mixed is None else self.mixed

    def of_head(self, head: int | None) -> Tensor:
        """Return the logits (steps, batch, classes) of one head, or the mean of all; a ValueError if there is none."""
        if head is None:
            return self.logits
        count = 1 if self.heads is None else len(self.heads)
        if head >= count:
            raise ValueError(f"head is {head}: the network has {count}, counted from 0")
        return self.logits if self.heads is None else self.heads[head]
