"""Removal: a smaller network of the channels that are kept, with their weights."""

import dataclasses
from collections.abc import Mapping, Sequence, Set

import torch
from torch import Tensor

from ..training.net.networks import LayerRecipe, SpikingNetwork
from ..training.recipe.recipes import Recipe
from .groups import ChannelGroup, find_groups

__all__ = ["PruningError", "check_counts", "choose", "kept_count", "pruned_layers", "remove"]


class PruningError(ValueError):
    """A network cannot be pruned so; the message names the layer and what would do."""


def kept_count(channels: int, ratio: float) -> int:
    """Return how many of ``channels`` are left without the part ``ratio``, rounded down, as the authors do."""
    return int(channels * (1 - ratio) + 1e-9)


def check_counts(groups: Sequence[ChannelGroup], counts: Mapping[str, int]) -> None:
    """Raise a PruningError if a group keeps no channel, or fewer than a shortcut needs.

    ``counts`` are channels kept, by the names of the groups.
    """
    for group in groups:
        count = counts[group.name]
        if count < 1:
            raise PruningError(
                f"layer {group.name!r}: no channel of {group.channels} would be left; its ratio can be "
                f"{1 - 1 / group.channels:.4f} at most, which leaves one"
            )
        if group.base is not None and count < counts[group.base.name]:
            raise PruningError(
                f"layer {group.name!r}: {count} channels would be left, but its shortcut puts the "
                f"{counts[group.base.name]} of {group.base.name!r} into them: keep as many here, or at most "
                f"{count} there"
            )


def choose(
    groups: Sequence[ChannelGroup], scores: Mapping[str, Tensor], counts: Mapping[str, int]
) -> dict[str, Tensor]:
    """Return the channels to keep, int64 (count,), by group: those with the greatest scores.

    Of equal ones the first is kept. Channels of a group's base come first, as the shortcut brings them.
    """
    check_counts(groups, counts)
    kept: dict[str, Tensor] = {}
    for group in groups:
        base = kept[group.base.name] if group.base is not None else torch.zeros(0, dtype=torch.int64)
        order = scores[group.name].argsort(descending=True, stable=True)
        rest = order[~torch.isin(order, base)][: counts[group.name] - len(base)]
        kept[group.name] = torch.cat([base, rest.sort().values])
    return kept


def pruned_layers(
    layers: Sequence[LayerRecipe], groups: Sequence[ChannelGroup], counts: Mapping[str, int]
) -> list[LayerRecipe]:
    """Return the layers with so many channels."""
    changes: dict[str, dict[str, int]] = {}
    for group in groups:
        for layer, key in group.fields:
            changes.setdefault(layer, {})[key] = counts[group.name]
    return [dataclasses.replace(layer, **changes.get(layer.name, {})) for layer in layers]


def remove(
    recipe: Recipe, network: SpikingNetwork, classes: int, kept: Mapping[str, Tensor]
) -> tuple[Recipe, SpikingNetwork]:
    """Return the recipe and the network, in evaluation mode, of the channels ``kept`` by group.

    Weights and normalizations are those of the channels that are left; neurons are alike in a layer.
    """
    groups = find_groups(network, recipe.layers)
    layers = pruned_layers(recipe.layers, groups, {name: len(found) for name, found in kept.items()})
    with torch.random.fork_rng(devices=[]):
        smaller = SpikingNetwork(network.form, layers, recipe.neuron, classes)
    outputs = {path: kept[group.name] for group in groups for path in group.producers}
    inputs = {path: kept[group.name] for group in groups for path in group.consumers}
    state = {}
    for name, value in network.state_dict().items():
        value = value.detach().cpu()
        path, rest = _split(name, outputs.keys() | inputs.keys())
        if rest == "weight":
            value = value[:, inputs[path]] if path in inputs else value
            value = value[outputs[path]] if path in outputs else value
        elif path in outputs and value.ndim and rest.startswith("norm."):
            value = value[outputs[path]]
        state[name] = value.clone()
    smaller.load_state_dict(state)
    return dataclasses.replace(recipe, layers=layers, pruning=None), smaller.eval()


def _split(name: str, paths: Set[str]) -> tuple[str, str]:
    """Return the path of the module that a tensor belongs to, and the rest of its name."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        path = ".".join(parts[:count])
        if path in paths:
            return path, ".".join(parts[count:])
    return "", name
