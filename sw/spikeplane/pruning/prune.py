"""Pruning a checkpoint: judge channels, choose ratios, remove, and say what went where."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from spikeplane_hw.config import SMALL, CoreConfig
from torch import Tensor
from torch.nn import functional

from ..data.sets.datasets import load_parts
from ..training.net.layer_recipe import TRANSFORMER_OPTIONS
from ..training.net.networks import SpikingNetwork
from ..training.recipe.pruning import PruningRecipe
from ..training.run.checkpoint import Checkpoint, load_checkpoint
from ..training.run.evaluate import batches as parts_of
from ..training.run.start import file_digest
from .calibration import calibration_batches, renormalize
from .costs import BUDGETS, Budget, Meter, weight_bytes
from .criteria import CRITERIA, Judged, scores
from .groups import ChannelGroup, find_groups
from .removal import PruningError, check_counts, choose, kept_count, remove
from .search import Sensitivity, find_counts, sensitivities

__all__ = ["GroupResult", "Pruned", "prune", "settings_of"]

SEARCH_SAMPLES = 500
"""Held-out samples whose loss the search looks at."""
METER_SAMPLES = 20
"""Of these, those whose operations are counted."""


@dataclass(frozen=True, kw_only=True)
class GroupResult:
    """What became of a group of channels."""

    name: str
    layers: list[str]
    before: int
    after: int
    kept: list[int]
    """Of the former channels, in the order of the new ones."""
    scores: list[float]
    """Of the former channels, by the criterion."""
    weight_bytes: tuple[float, float]
    """Of the modules that have these channels as outputs, before and after."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pruned:
    """A pruned network, not trained again."""

    checkpoint: Checkpoint
    """Of the smaller network; its history is that of the larger one."""
    source: Path
    criterion: str
    config: str
    groups: list[GroupResult]
    costs: dict[str, tuple[float, float]]
    """Of each kind of BUDGETS before and after; cycles are infinite where the core is too small."""
    searched: dict[str, Sensitivity] | None
    """What the search found; None where ratios were given."""
    losses: tuple[float, float]
    """Cross entropy on the samples looked at, before and after, without training."""
    samples: str
    """Which samples these are."""


def prune(
    source: Path,
    *,
    ratios: Mapping[str, float] | None = None,
    budget: Budget | None = None,
    settings: PruningRecipe | None = None,
    config: CoreConfig = SMALL,
    data_root: Path | None = None,
    device: torch.device | str = "cpu",
    shown: bool = True,
) -> Pruned:
    """Return the network of checkpoint ``source`` without some of its channels.

    Which: to ``ratios`` by group, to what a search finds within a ``budget``, or else to the ratios of the recipe.
    ``settings`` are those of the recipe unless given. A PruningError names the layer that cannot be pruned so, and
    the nearest budget that can be met; other ValueErrors name the file and what is wrong with it.
    """
    source = Path(source)
    loaded = load_checkpoint(source)
    recipe, network = loaded.recipe, loaded.network
    settings = settings or recipe.pruning or PruningRecipe()
    groups = _groups(source, loaded)
    if budget is not None and ratios is not None:
        raise ValueError("give either ratios or a budget")
    counts: Mapping[str, int] = {}
    if budget is None:
        counts = _counts_of(source, groups, settings.ratios if ratios is None else ratios)
    train, held_out = load_parts(recipe.data, data_root)
    train.check_classes(str(source), loaded.classes, loaded.class_names)
    calibration = calibration_batches(recipe, train, settings.batches, settings.batch_size)
    looked = train if held_out is None else held_out
    inputs, labels = looked.inputs[:SEARCH_SAMPLES], looked.labels[:SEARCH_SAMPLES]
    meter = Meter(inputs=inputs[:METER_SAMPLES], config=config)
    network.to(device)
    found = scores(settings.criterion, Judged(
        network=network, groups=groups, batches=calibration, tolerance=settings.tolerance, seed=recipe.seed,
        shown=shown,
    ))

    def smaller(counts: Mapping[str, int]) -> SpikingNetwork:
        made = remove(recipe, network, loaded.classes, choose(groups, found, counts))[1]
        made.set_progress(loaded.epoch / recipe.training.epochs)
        made.to(device)
        renormalize(made, calibration)
        return made

    searched = None
    if budget is not None:
        total = tuple(group.channels for group in groups)
        known = {(budget.kind, total): meter.measure(budget.kind, network.cpu())}
        network.to(device)
        # Where the unpruned network does not fit the core, its cycles do not tell what a removed channel saves.
        saved = budget.kind if math.isfinite(known[budget.kind, total]) else "operations"

        def measure(kind: str, counts: Mapping[str, int], made: SpikingNetwork | None = None) -> float:
            key = kind, tuple(counts.values())
            if key not in known:
                known[key] = meter.measure(kind, (smaller(counts) if made is None else made).cpu())
            return known[key]

        def cost(counts: Mapping[str, int]) -> float:
            return measure(budget.kind, counts)

        def probe(counts: Mapping[str, int]) -> tuple[float, float]:
            made = smaller(counts)
            return _loss(made, inputs, labels), measure(saved, counts, made)

        searched = sensitivities(groups, probe, shown=shown)
        counts = find_counts(groups, searched, budget, cost)

    kept = choose(groups, found, counts)
    made, result = remove(recipe, network, loaded.classes, kept)
    result.set_progress(loaded.epoch / recipe.training.epochs)
    result.to(device)
    renormalize(result, calibration)
    before, after = _loss(network, inputs, labels), _loss(result, inputs, labels)
    network.cpu()
    result.cpu()
    record = {
        "file": source.name, "sha256": file_digest(source), "taken": [], "left": {}, "pruned": {
            "criterion": settings.criterion, "channels": {g.name: [g.channels, counts[g.name]] for g in groups},
        },
    }
    return Pruned(
        checkpoint=dataclasses.replace(
            loaded, recipe=dataclasses.replace(made, name=f"{recipe.name}-pruned"), network=result, begun=record,
            optimizer={},
        ),
        source=source, criterion=settings.criterion, config=config.name,
        groups=[_result(group, network, result, kept[group.name], found[group.name]) for group in groups],
        costs={kind: (meter.measure(kind, network), meter.measure(kind, result)) for kind in BUDGETS},
        searched=searched, losses=(before, after),
        samples=f"{len(labels)} {'training' if held_out is None else 'held-out training'} samples",
    )


def settings_of(source: Path, criterion: str | None = None, tolerance: float | None = None) -> PruningRecipe:
    """Return the settings of a checkpoint's recipe, with some of them replaced; a ValueError says what is wrong."""
    settings = load_checkpoint(source).recipe.pruning or PruningRecipe()
    if criterion is not None and criterion not in CRITERIA:
        raise ValueError(f"criterion must be one of {', '.join(CRITERIA)}, not {criterion!r}")
    given = {"criterion": criterion, "tolerance": tolerance}
    return dataclasses.replace(settings, **{key: value for key, value in given.items() if value is not None})


def _groups(source: Path, loaded: Checkpoint) -> list[ChannelGroup]:
    """Return the groups of a checkpoint; a PruningError says that it cannot be pruned as it is."""
    if not loaded.finished:
        raise PruningError(
            f"{source}: its training is not finished ({loaded.epoch} of {loaded.recipe.training.epochs} epochs): "
            f"train first, then prune"
        )
    wrong = [layer for layer in loaded.recipe.layers if not layer.has_integers]
    if wrong:
        raise PruningError(
            f"{source}: layer {wrong[0].name!r} has {wrong[0].weights} weights, which no core runs: quantize first, "
            f"then prune; train it again without --float32"
        )
    kinds = [layer.kind for layer in loaded.recipe.layers if layer.kind in TRANSFORMER_OPTIONS]
    if kinds:
        raise PruningError(
            f"{source}: its layers of kinds {', '.join(dict.fromkeys(kinds))} share the channels of one stream: "
            f"transformers are not pruned; train one of fewer channels (network.width)"
        )
    return find_groups(loaded.network, loaded.recipe.layers)


def _counts_of(source: Path, groups: list[ChannelGroup], ratios: Mapping[str, float]) -> dict[str, int]:
    """Return the channels to keep by group."""
    if not ratios:
        raise PruningError(f"{source}: its recipe has no pruning.ratios: give a budget, or a ratio for a layer")
    names = [group.name for group in groups]
    for name, ratio in ratios.items():
        shared = [group.name for group in groups if name in group.layers and name != group.name and
                  not group.name.startswith(f"{name}.")]
        if name not in names:
            why = f"it shares its channels with {shared[0]!r}: give the ratio of that" if shared else (
                f"there is no such group of channels; there are {', '.join(names)}"
            )
            raise PruningError(f"ratio of layer {name!r}: {why}")
        if not 0 <= ratio <= 1:
            raise PruningError(f"ratio of layer {name!r}: must be a part, 0 to 1, not {ratio}")
    counts = {group.name: kept_count(group.channels, ratios.get(group.name, 0.0)) for group in groups}
    check_counts(groups, counts)
    return counts


def _loss(network: SpikingNetwork, inputs: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean cross entropy of the logits' mean over steps."""
    network.eval()
    device = next(network.parameters()).device
    total, done = 0.0, 0
    with torch.no_grad():
        for part in parts_of(network, inputs):
            right = torch.from_numpy(labels[done : done + len(part)]).to(device)
            logits = network(torch.from_numpy(part).to(device))[0].mean(0)
            total += float(functional.cross_entropy(logits, right, reduction="sum"))
            done += len(part)
    return total / len(labels)


def _result(
    group: ChannelGroup, before: SpikingNetwork, after: SpikingNetwork, kept: Tensor, judged: Tensor
) -> GroupResult:
    sizes = [sum(weight_bytes(network)[path] for path in group.producers) for network in (before, after)]
    return GroupResult(
        name=group.name, layers=group.layers, before=group.channels, after=len(kept), kept=kept.tolist(),
        scores=judged.tolist(), weight_bytes=(sizes[0], sizes[1]),
    )
