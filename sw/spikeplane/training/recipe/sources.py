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
        _check("training.teacher", self)


@dataclass(frozen=True, kw_only=True)
class StartRecipe:
    """Which weights a training starts from: a checkpoint of ours, see :func:`spikeplane.training.run.start.take_over`,
    or a classifier without spikes, see :func:`spikeplane.training.run.start_classifier.take_over_classifier`.

    Paths are relative to the folder that the training is started in.
    """

    checkpoint: str | None = None
    """File of a training of ours."""
    classifier: str | None = None
    """A name in TEACHERS, in place of ``checkpoint``."""
    weights: str | None = None
    """Safetensors file of the classifier's tensors."""

    def __post_init__(self):
        _check("training.start", self)


def _check(key: str, source: TeacherRecipe | StartRecipe) -> None:
    """Raise a ValueError if the table ``key`` does not name one of both."""
    if (source.checkpoint is None) == (source.classifier is None):
        raise ValueError(f"{key} must have either checkpoint or classifier")
    if (source.classifier is None) != (source.weights is None):
        raise ValueError(f"{key}.classifier and {key}.weights go together")
    if source.classifier is not None:
        TEACHERS.find(source.classifier, f"{key}.classifier")
