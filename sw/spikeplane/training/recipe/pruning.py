"""What a recipe says of pruning."""

from dataclasses import dataclass, field

__all__ = ["PruningRecipe"]


@dataclass(frozen=True, kw_only=True)
class PruningRecipe:
    """Which channels are removed after the training, see :mod:`spikeplane.pruning`."""

    criterion: str = "svs"
    """A name in CRITERIA."""
    ratios: dict = field(default_factory=dict)
    """Of each group of channels, by its name, the part that is removed; none of those that are not named."""
    batches: int = 5
    """Batches of augmented training samples that channels are judged by."""
    batch_size: int = 128
    tolerance: float | None = None
    """Singular values above it count in a rank; None: those that float32 tells from 0 beside the greatest one."""

    def __post_init__(self):
        for name, ratio in self.ratios.items():
            if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0 <= ratio <= 1:
                raise ValueError(f"pruning.ratios.{name} must be a part, 0 to 1, not {ratio!r}")
        for name in ("batches", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"pruning.{name} must be positive, not {getattr(self, name)}")
        if self.tolerance is not None and not self.tolerance >= 0:
            raise ValueError(f"pruning.tolerance must be 0 or more, not {self.tolerance}")
