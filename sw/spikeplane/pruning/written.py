"""What pruning leaves behind: checkpoint, recipe of the fine-tuning, figures, tables, and a page with pictures."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Column, Table

from ..training.recipe.continued import continued_recipe
from ..training.recipe.recipes import Recipe
from ..training.run.checkpoint import save_checkpoint
from ..writing import write_json, write_text
from .prune import Pruned

__all__ = ["CHECKPOINT", "FILES", "RECIPE", "result_tables", "write_pruned"]

CHECKPOINT, RECIPE, FIGURES, PAGE = "checkpoint.safetensors", "recipe.toml", "pruning.json", "pruning.html"
FILES = (CHECKPOINT, RECIPE, FIGURES, PAGE)
COSTS = {
    "size": "bytes of weights", "operations": "synaptic operations a sample", "cycles": "cycles a sample",
}


def write_pruned(pruned: Pruned, folder: Path) -> dict[str, Path]:
    """Write everything into ``folder`` and return the files by what they are; the page if the extra is installed."""
    paths = {
        "checkpoint, not fine-tuned": folder / CHECKPOINT, "recipe of the fine-tuning": folder / RECIPE,
        "figures": folder / FIGURES,
    }
    save_checkpoint(pruned.checkpoint, folder / CHECKPOINT)
    write_text(folder / RECIPE, tuning_recipe(pruned.checkpoint.recipe, folder))
    write_json(folder / FIGURES, figures(pruned))
    try:
        from .page import write_page
    except ModuleNotFoundError:  # The extra `report`.
        return paths
    return paths | {"report": write_page(pruned, folder / PAGE)}


def tuning_recipe(recipe: Recipe, folder: Path) -> str:
    """Return the text of a recipe that trains the pruned network in ``folder`` on."""
    epochs = math.ceil(recipe.training.epochs / 2)  # As in QP-SNN's table 8.
    return continued_recipe(recipe.name, "pruned network", folder / CHECKPOINT, folder / RECIPE, epochs)


def figures(pruned: Pruned) -> dict[str, Any]:
    """Return everything that is known, in types of JSON; costs that are not finite are null."""
    return {
        "source": str(pruned.source), "criterion": pruned.criterion, "config": pruned.config,
        "costs": {
            kind: [value if math.isfinite(value) else None for value in values]
            for kind, values in pruned.costs.items()
        },
        "loss": list(pruned.losses), "samples": pruned.samples,
        "groups": [asdict(group) for group in pruned.groups],
        "search": None if pruned.searched is None else {
            name: asdict(found) for name, found in pruned.searched.items()
        },
    }


def group_rows(pruned: Pruned) -> list[tuple[str, int, int, str, str]]:
    """Return a row of each group: layers, channels before and after, part removed, bytes of weights."""
    return [
        (
            ", ".join(dict.fromkeys([group.name, *group.layers[1:]])), group.before, group.after,
            f"{1 - group.after / group.before:.1%}",
            f"{group.weight_bytes[0]:,.0f} to {group.weight_bytes[1]:,.0f}",
        )
        for group in pruned.groups
    ]


def cost_rows(pruned: Pruned) -> list[tuple[str, str, str, str]]:
    """Return a row of each cost: what, before, after, part left."""
    rows = []
    for kind, (before, after) in pruned.costs.items():
        name = f"{COSTS[kind]} on {pruned.config}" if kind == "cycles" else COSTS[kind]
        left = f"{after / before:.1%}" if math.isfinite(before) and math.isfinite(after) else ""
        rows.append((name, _shown(before), _shown(after), left))
    loss = f"loss on {pruned.samples}, not fine-tuned"
    return [*rows, (loss, f"{pruned.losses[0]:.3f}", f"{pruned.losses[1]:.3f}", "")]


def result_tables(pruned: Pruned) -> list[Table]:
    """Return what to print of a pruning."""
    right = [Column(head, justify="right") for head in ("channels", "left", "removed", "bytes of weights")]
    groups = Table("layers", *right, title=f"channels by criterion {pruned.criterion}")
    for row in group_rows(pruned):
        groups.add_row(*(cell if isinstance(cell, str) else f"{cell:,}" for cell in row))
    costs = Table("what", *(Column(head, justify="right") for head in ("before", "after", "left")))
    for row in cost_rows(pruned):
        costs.add_row(*row)
    return [groups, costs]


def _shown(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "does not fit"
