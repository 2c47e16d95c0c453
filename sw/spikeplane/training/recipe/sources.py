"""Files that a training learns from: a teacher, and a checkpoint that it starts from."""

from dataclasses import dataclass

from ..net.teachers import TEACHERS

__all__ = ["StartRecipe", "TeacherRecipe"]


@dataclass(frozen=True, kw_only=True)
class TeacherRecipe:
    """Whose answers the losses compare with: a checkpoint of ours, or a classifier without spikes.

    Paths are relative to the folder that the training is started in.
    """

    checkpoint: str | None = None
    """File of a finished training of ours on the same data set, of any network."""
    classifier: str | None = None
    """A name in TEACHERS, in place of ``checkpoint``."""
    weights: str | None = None
    """Safetensors file of the classifier's tensors."""
    cached: bool = False
    """Whether it is asked once for each sample as it is, not for each changed one in every epoch."""

    def __post_init__(self):
        if (self.checkpoint is None) == (self.classifier is None):
            raise ValueError("training.teacher must have either checkpoint or classifier")
        if (self.classifier is None) != (self.weights is None):
            raise ValueError("training.teacher.classifier and training.teacher.weights go together")
        if self.classifier is not None:
            TEACHERS.find(self.classifier, "training.teacher.classifier")


@dataclass(frozen=True, kw_only=True)
class StartRecipe:
    """Which weights a training starts from, see :func:`spikeplane.training.run.start.take_over`."""

    checkpoint: str
    """File of a training of ours; relative to the folder that the training is started in."""
