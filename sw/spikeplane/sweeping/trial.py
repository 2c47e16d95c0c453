"""One trial of a sweep: does it fit, then train, prune and train on, then its accuracy and its costs."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from spikeplane_hw.config import CoreConfig

from ..compiler.fit import Fit, fit
from ..data.sets.datasets import Dataset, load_dataset
from ..fit_report import LONG_SEGMENTS
from ..locking import held
from ..network.checks import NetworkError
from ..pruning.costs import Budget, weight_bytes
from ..pruning.groups import find_groups
from ..pruning.prune import prune
from ..pruning.removal import PruningError, choose, kept_count, remove
from ..pruning.written import CHECKPOINT, RECIPE, write_pruned
from ..training.net.export import export_network
from ..training.net.networks import SpikingNetwork
from ..training.recipe.recipes import Recipe, load_recipe
from ..training.run.checkpoint import Checkpoint, load_checkpoint
from ..training.run.evaluate import predict_integer
from ..training.run.options import RunOptions
from ..training.run.train import DivergedError, train
from .space import chosen, ratios_of

__all__ = ["Infeasible", "Outcome", "Trials"]

CYCLE_SAMPLES = 2
"""Held-out samples whose cycles are predicted."""
NO_MEMORY = ("DefaultCPUAllocator", "Storage size calculation overflowed", "Overflow when unpacking long")
"""What PyTorch says of a tensor that there is no room for; on the CPU such errors have no class of their own."""


class Infeasible(Exception):
    """A trial's network does not fit the core, the budget or the memory, or diverges; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a trial came to."""

    accuracy: float
    """Of the integer model on the validation part, 0 to 1."""
    size: float
    """Bytes of weights."""
    cycles: float | None
    """Predicted cycles of a sample; None where the cycle model would take long and the budget is not one of cycles."""
    checkpoint: Path

    def cost(self, kind: str) -> float:
        """Return what a budget of this kind, size or cycles, limits."""
        return self.size if kind == "size" else self.cycles or math.inf


@dataclass(frozen=True, kw_only=True)
class Trials:
    """Runs trials of one recipe on one core, each in a folder of its own below ``folder``.

    A folder's name comes of what is trained in it: a trial that was interrupted goes on, and one that was run is not
    trained again.
    """

    recipe: Recipe
    config: CoreConfig
    budget: Budget
    limit: float
    """The budget in bytes or cycles."""
    folder: Path
    data_root: Path | None = None
    options: RunOptions = dataclasses.field(default_factory=RunOptions)

    def run(self, values: Mapping[str, Any]) -> Outcome:
        """Return what the network of some choices comes to; Infeasible says why there is none.

        What can be told without training is told first: whether the network can be made, its bytes, and whether it
        fits, with random weights.
        """
        try:
            return self._run(values)
        except DivergedError as error:
            reason = str(error)
        except (MemoryError, RuntimeError, TypeError) as error:
            if not _without_memory(error):
                raise
            reason = "not enough memory: " + str(error).partition("\n")[0]
        raise Infeasible(f"{', '.join(f'{name} {value}' for name, value in values.items())}: {reason}")

    def _run(self, values: Mapping[str, Any]) -> Outcome:
        recipe, ratios = chosen(self.recipe, values), ratios_of(values)
        untrained = self._untrained(recipe, ratios)
        if self.budget.kind == "size":
            self._check_cost(sum(weight_bytes(untrained).values()))
        self._fit(untrained, None)
        path = self._trained(recipe, ratios)
        validation = load_dataset(recipe.data, "validation", self.data_root)
        return self._outcome(path, validation)

    def _untrained(self, recipe: Recipe, ratios: Mapping[str, float]) -> SpikingNetwork:
        """Return a network of the shape that the trial ends with."""
        try:
            test = load_dataset(recipe.data, "test", self.data_root)
            network = Checkpoint.start(recipe, test.input, test.classes).network
            if not ratios:
                return network
            groups = find_groups(network, recipe.layers)
            counts = {group.name: kept_count(group.channels, ratios.get(group.name, 0.0)) for group in groups}
            equal = {group.name: torch.zeros(group.channels) for group in groups}
            return remove(recipe, network, test.classes, choose(groups, equal, counts))[1]
        except (NetworkError, PruningError, ValueError) as error:
            raise Infeasible(str(error)) from error

    def _fit(self, network: SpikingNetwork, inputs: np.ndarray | None) -> Fit:
        most = None if self.budget.kind == "cycles" else LONG_SEGMENTS
        try:
            found = fit(export_network(network), self.config, inputs=inputs, most_segments=most)
        except NetworkError as error:
            raise Infeasible(str(error)) from error
        if not found.fits:
            raise Infeasible(f"does not fit {self.config.name}: {'; '.join(map(str, found.exceeded)) or found.note}")
        return found

    def _check_cost(self, cost: float) -> None:
        if cost > self.limit:
            raise Infeasible(f"{self.budget.text(cost)} is above the budget, {self.budget.text(self.limit)}")

    def _trained(self, recipe: Recipe, ratios: Mapping[str, float]) -> Path:
        """Return the checkpoint of the trained network, pruned and trained on where there are ratios."""
        folder = self.folder / _digest(recipe.to_dict())
        folder.mkdir(parents=True, exist_ok=True)
        with held(folder / "lock"):  # Another process may have drawn the same.
            path = train(recipe, folder, self.data_root, progress=False, options=self.options)
            if not ratios:
                return path
            smaller = folder / f"pruned-{_digest(ratios)}"
            if not (smaller / RECIPE).is_file():  # It is written behind the checkpoint.
                write_pruned(prune(path, ratios=ratios, config=self.config, data_root=self.data_root, shown=False),
                             smaller)
            assert (smaller / CHECKPOINT).is_file()
            return train(load_recipe(smaller / RECIPE), smaller / "tuned", self.data_root, progress=False,
                         options=self.options)

    def _outcome(self, path: Path, validation: Dataset) -> Outcome:
        network = load_checkpoint(path).network
        found = self._fit(network, validation.inputs[:CYCLE_SAMPLES])
        right = predict_integer(export_network(network), validation.inputs) == validation.labels
        outcome = Outcome(
            accuracy=float(right.mean()), size=sum(weight_bytes(network).values()),
            cycles=found.total_cycles or None, checkpoint=path,
        )
        self._check_cost(outcome.cost(self.budget.kind))
        return outcome


def _without_memory(error: Exception) -> bool:
    """Return whether an error says that memory is used up, or that no machine has as much."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(part in str(error) for part in NO_MEMORY)


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
