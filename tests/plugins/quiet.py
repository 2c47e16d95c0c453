"""A loss of one's own: potentials near the threshold and spikes cost, whatever the label."""

from dataclasses import dataclass

import torch
from spikeplane.training.recipe.losses import LOSSES, Loss


@dataclass(frozen=True, kw_only=True)
class Quiet(Loss):
    needs_potentials = True
    margin: float = 0.25

    def __post_init__(self):
        if not self.margin >= 0:
            raise ValueError(f"margin must be 0 or more, not {self.margin!r}")

    def __call__(self, answers):
        above = [(values - 1 + self.margin).relu().mean() for values in answers.potentials.values()]
        return torch.stack(above).mean()


def register():
    LOSSES.register("quiet", Quiet)
