"""What the parts of BESTformer give, as figures, a table and a picture."""

from pathlib import Path
from statistics import fmean

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from bestformer_networks import PARTS, TASKS, VARIANTS
from figures import Figure

__all__ = ["HEADER", "PICTURE", "Found", "ablation", "draw", "rows"]

PICTURE = Path("docs/pictures/bestformer.png")
HEADER = ["data", "network", "accuracy, %", "seeds: least to greatest", "bytes", "operations a sample"]
Found = dict[str, list[dict]]
"""What was measured of each variant, a seed each."""


def accuracies(each: list[dict]) -> list[float]:
    """Return the accuracy of each seed in percent."""
    return [one["accuracy"] for one in each]


def ablation(task: str, found: Found) -> list[Figure]:
    """Return the figures of all variants on a task."""
    title = TASKS[task].title

    def mean(key: str, what: str = "accuracy") -> float:
        return fmean(each[what] for each in found[key])

    def seeds(key: str) -> str:
        count = len(found[key])
        return f"mean of {count} seeds" if count > 1 else "one seed"

    result = [Figure(f"{title}, {VARIANTS[key].title}: accuracy, {seeds(key)}", mean(key), "%") for key in found]
    result += [
        Figure(f"{title}, {VARIANTS[key].title}: greatest less least accuracy", max(values) - min(values), "points")
        for key, each in found.items() if len(values := accuracies(each)) > 1
    ]
    for what, unit in (("bytes", "bytes"), ("operations", "operations a sample")):
        result += [Figure(f"{title}, {VARIANTS[key].title}: {what}", mean(key, what), unit)
                   for key in ("float32", "binary", "both")]
    lost, back = mean("float32") - mean("binary"), mean("both") - mean("binary")
    return [
        *result,
        Figure(f"{title}: what binarization loses", lost, "points"),
        Figure.at_least(f"{title}: what of it both parts bring back, in points {back:.2f}",
                        100 * back / lost if lost > 0 else 100.0, "%", 50),
        Figure(f"{title}, both parts, least agreement of a layer's spikes with the export's", mean("both", "spikes"),
               "%"),
        Figure(f"{title}, both parts, agreement of predictions with the export's", mean("both", "predictions"), "%"),
    ]


def rows(task: str, found: Found) -> list[list[str]]:
    """Return a row of the table for each variant: accuracies over the seeds, and what the first network costs."""
    table = []
    for key, each in found.items():
        values, variant = accuracies(each), VARIANTS[key]
        table.append([
            TASKS[task].title, variant.title, f"{fmean(values):.2f}",
            f"{len(values)}: {min(values):.2f} to {max(values):.2f}", f"{each[0]['bytes']:,.0f}",
            f"{each[0]['operations']:,.0f}" + ("" if variant.binary else ", without products"),
        ])
    return table


def draw(results: dict[str, Found]) -> None:
    """Draw the accuracies of all parts on all tasks, a dot for each seed."""
    figure, axes = plt.subplots(1, len(results), figsize=(3 + 2 * len(results), 2.6), sharey=True, layout="constrained")
    for axis, (task, found) in zip(axes, results.items(), strict=True):
        for at, key in enumerate(PARTS):
            values = accuracies(found[key])
            axis.plot(values, [at] * len(values), "o", color=f"C{at}", alpha=0.6)
            axis.plot(fmean(values), at, "|", color=f"C{at}", markersize=18, markeredgewidth=2)
        axis.set_title(TASKS[task].title, fontsize=8)
        axis.grid(color="#dde3ec", linewidth=0.6)
    axes[0].set_yticks(range(len(PARTS)), [VARIANTS[key].title for key in PARTS], fontsize=8)
    axes[0].invert_yaxis()
    figure.supxlabel("test accuracy, %", fontsize=8)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)
    plt.close(figure)
