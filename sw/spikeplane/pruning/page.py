"""The page of a pruning: tables, and pictures of what went where."""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from ..reports.report import Report
from .prune import Pruned
from .written import cost_rows, group_rows

__all__ = ["write_page"]

KEPT, GONE = "#3b6fb6", "#d9a0a0"


def write_page(pruned: Pruned, path: Path) -> Path:
    """Write the page of a pruning and return its path."""
    report = Report(
        f"{pruned.checkpoint.recipe.name}: what was removed",
        f"Channels of {pruned.source} by criterion {pruned.criterion}, before any fine-tuning.",
    )
    report.table("Costs", ["what", "before", "after", "left"], cost_rows(pruned),
                 "Operations and cycles are means of held-out samples; cycles are predicted.")
    report.table("Channels", ["layers", "channels", "left", "removed", "bytes of weights"], group_rows(pruned))
    report.picture("Where channels went", went_where(pruned),
                   "Channels of each group by their score; removed ones are light.")
    if pruned.searched:
        report.picture("What each group bears", borne(pruned),
                       "How much the loss rises if a group alone is pruned, without fine-tuning, and what it saves.")
    return report.write(path)


def went_where(pruned: Pruned) -> Figure:
    """Return bars of all channels of each group, greatest score first, removed ones light."""
    columns = min(4, len(pruned.groups))
    rows = -(-len(pruned.groups) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.9 * columns, 1.9 * rows), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(pruned.groups):]:
        axis.set_axis_off()
    for axis, group in zip(axes.flat, pruned.groups, strict=False):
        kept = set(group.kept)
        order = sorted(range(group.before), key=lambda channel: -group.scores[channel])
        axis.bar(range(group.before), [group.scores[channel] for channel in order], width=1.0,
                 color=[KEPT if channel in kept else GONE for channel in order])
        axis.set_title(f"{group.name}: {group.after} of {group.before}", fontsize=9)
        axis.set_xticks([])
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def borne(pruned: Pruned) -> Figure:
    """Return, of each group, the rise of the loss and what is saved over the channels that are left."""
    assert pruned.searched is not None
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    for name, found in pruned.searched.items():
        left = [count / found.counts[0] for count in found.counts]
        for axis, values in zip(axes, (found.losses, found.savings), strict=True):
            axis.plot(left, values, marker="o", markersize=3, label=name)
    for axis, title in zip(axes, ("rise of the loss", "saved of the budget"), strict=True):
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("part of the channels that is left", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.grid(color="#dde3ec", linewidth=0.6)
    axes[0].legend(fontsize=6, ncols=1 + len(pruned.searched) // 10)
    return figure
