"""Everything that a report says of a trained network, as plain values."""

import dataclasses
import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..compiler.footprint import Footprint, footprints
from ..confusion import confusion_matrix
from ..network.schedule import Schedule
from ..training.net.export import export_network
from ..training.run.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from ..training.run.evaluate import Evaluation, evaluate, load_test
from .distributions import Distributions, distributions
from .energy import Cost, cost

__all__ = ["RunFigures", "check_twin", "confusion_matrix", "plain", "run_figures"]

SAMPLES = 100
"""Test samples on which operations, rates, potentials and agreement are counted."""
CYCLE_SAMPLES = 20
"""Of these, those whose cycles are predicted."""


@dataclass(frozen=True, kw_only=True)
class RunFigures:
    """What is known of one checkpoint."""

    path: Path
    checkpoint: Checkpoint
    evaluation: Evaluation
    """Accuracies, 0 to 1, and how far integers agree."""
    confusion: np.ndarray
    """int64 (classes, classes): samples of a class (row) by predicted class (column), of the integer
    model if there is one."""
    cost: Cost
    distributions: Distributions
    footprints: list[Footprint]
    """What it takes of each configuration, with each schedule, that it fits."""
    refusals: dict[tuple[str, Schedule], str]
    """Why it does not fit the others; nothing of a network that has no integer model."""

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.checkpoint.recipe.name

    @property
    def lost_points(self) -> float | None:
        """Accuracy of the network as trained less the integer model's, in percentage points."""
        integer = self.evaluation.integer
        return None if integer is None else 100 * (self.evaluation.trained - integer)

    def core_ratio(self, footprint: Footprint) -> float:
        """Return the network's size in float32 over all memories it takes of a core."""
        return self.cost.float32_bits.total / footprint.total_bits

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; distributions are left to the pictures."""
        checkpoint, evaluation = self.checkpoint, self.evaluation
        return {
            "checkpoint": str(self.path),
            "recipe": checkpoint.recipe.to_dict(),
            "epochs": checkpoint.epoch,
            "finished": checkpoint.finished,
            "history": checkpoint.history,
            "checksums": checkpoint.checksums,
            "versions": checkpoint.versions,
            "dataset": evaluation.dataset,
            "test_samples": evaluation.samples,
            "accuracy": {"trained": evaluation.trained, "integer": evaluation.integer},
            "lost_points": self.lost_points,
            "findings": plain(evaluation.findings),
            "agreement": plain(evaluation.agreement),
            "class_names": list(checkpoint.class_names),
            "confusion": self.confusion.tolist(),
            "cost": plain(self.cost),
            "distributions": plain(self.distributions),
            "core": [
                plain(found) | {"float32_ratio": self.core_ratio(found)}
                for found in self.footprints
            ],
            "refusals": [
                {"config": config, "schedule": schedule.value, "reason": reason}
                for (config, schedule), reason in self.refusals.items()
            ],
        }


def run_figures(
    checkpoint: Path,
    data_root: Path | None = None,
    *,
    test_samples: int | None = None,
    device: torch.device | str = "cpu",
) -> RunFigures:
    """Return the figures of a checkpoint on the test part of its data, or its first samples.

    ``device`` is where the network as trained predicts the test part. A network without an integer
    model (float weights, residual blocks) has the figures that need none; ``cost.missing`` says why.
    """
    path = Path(checkpoint)
    loaded = load_checkpoint(path)
    test = load_test(loaded, data_root, path)
    if test_samples is not None:
        test = test.part(test.name, np.arange(min(test_samples, len(test.labels))))
    network, inputs = loaded.network, test.inputs[:SAMPLES]
    evaluation = evaluate(loaded, test, agreement_samples=SAMPLES, device=device)
    spent = cost(network, inputs)
    taken, refusals = [], {}
    if not spent.missing:
        taken, refusals = footprints(export_network(network), inputs[:CYCLE_SAMPLES])
    return RunFigures(
        path=path, checkpoint=loaded, evaluation=evaluation,
        confusion=confusion_matrix(test.labels, evaluation.predictions, loaded.classes), cost=spent,
        distributions=distributions(network, inputs), footprints=taken, refusals=refusals,
    )


def check_twin(network: Checkpoint, path: Path, twin: Checkpoint, twin_path: Path) -> None:
    """Raise a CheckpointError unless ``twin`` is a float32 network on the same data; paths are those of the files."""
    wrong = [layer for layer in twin.recipe.layers if layer.kind != "pool" and layer.weights != "float"]
    if wrong:
        raise CheckpointError(
            f"{twin_path}: no float32 network: layer {wrong[0].name!r} has {wrong[0].weights} weights"
        )
    if twin.recipe.data != network.recipe.data:
        raise CheckpointError(f"{twin_path}: its data are {twin.recipe.data}, those of {path} {network.recipe.data}")


def plain(value: Any) -> Any:
    """Return ``value`` in types of JSON: dataclasses as their fields and properties."""
    if dataclasses.is_dataclass(value):
        names = [item.name for item in dataclasses.fields(value)]
        names += [name for name, item in vars(type(value)).items() if isinstance(item, property)]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return value.value if isinstance(value.value, str) else value.name.lower()
    return value
