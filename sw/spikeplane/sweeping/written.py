"""What a sweep leaves behind: tables of its Pareto front and of what is infeasible, all of it as JSON, and a plot."""

import io
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.table import Column, Table

from ..writing import write_bytes, write_json
from .sweep import Swept

__all__ = ["FIGURES", "PLOT", "front_lines", "front_table", "infeasible_lines", "result_text", "write_sweep"]

FIGURES, PLOT = "sweep.json", "sweep.png"
COSTS = {"size": "bytes of weights", "cycles": "cycles a sample"}


def write_sweep(swept: Swept, folder: Path) -> dict[str, Path]:
    """Write figures and plot into ``folder`` and return the files by what they are."""
    paths = {"figures": folder / FIGURES, "plot": folder / PLOT}
    write_json(paths["figures"], figures(swept))
    picture = io.BytesIO()
    plot(swept).savefig(picture, format="png", dpi=120)
    write_bytes(paths["plot"], picture.getvalue())
    return paths


def figures(swept: Swept) -> dict[str, Any]:
    """Return everything that is known, in types of JSON."""
    return {
        "recipe": swept.recipe, "config": swept.config, "budget": {swept.budget.kind: swept.limit},
        "validation_samples": swept.samples,
        "parameters": {name: list(values) for name, values in swept.parameters.items()},
        "front": [trial.number for trial in swept.front],
        "trials": [asdict(trial) for trial in swept.trials],
    }


def result_text(swept: Swept) -> str:
    """Return in a line how the best trial of the front stands."""
    if not swept.front:
        return "none feasible"
    best = swept.front[-1]
    return f"best {best.accuracy:.1%} at {swept.budget.text(best.cost(swept.budget.kind))}"


def front_table(swept: Swept) -> Table:
    """Return the Pareto front, cheapest first."""
    table = Table(
        Column("trial", justify="right"), Column("accuracy", justify="right"),
        *(Column(COSTS[kind], justify="right") for kind in COSTS),
        title=f"{swept.recipe}: best of {len(swept.trials)} trials, on {swept.samples:,} held-out samples",
    )
    for trial in swept.front:
        table.add_row(
            str(trial.number), f"{trial.accuracy:.2%}", f"{trial.size:,.0f}",
            "" if trial.cycles is None else f"{trial.cycles:,.0f}",
        )
    return table


def front_lines(swept: Swept) -> list[str]:
    """Return of each trial of the front its choices and its checkpoint."""
    return [
        f"trial {trial.number}: {', '.join(f'{name} {value}' for name, value in trial.values.items())}: "
        f"{trial.checkpoint}" for trial in swept.front
    ]


def infeasible_lines(swept: Swept) -> list[str]:
    """Return the reasons of trials that are infeasible, the most frequent first."""
    reasons = Counter(trial.reason for trial in swept.trials if trial.reason)
    return [f"infeasible, {count} of {len(swept.trials)} trials: {reason}" for reason, count in reasons.most_common()]


def plot(swept: Swept) -> Figure:
    """Return accuracy over cost of all feasible trials, their front, and the budget."""
    kind = swept.budget.kind
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axis = figure.add_subplot()
    others = [trial for trial in swept.trials if trial.accuracy is not None and not trial.best]
    axis.scatter([trial.cost(kind) for trial in others], [100 * (trial.accuracy or 0) for trial in others],
                 color="#9aa7b5", label="trials")
    axis.plot([trial.cost(kind) for trial in swept.front], [100 * (trial.accuracy or 0) for trial in swept.front],
              color="#3b6fb6", marker="o", drawstyle="steps-post", label="Pareto front")
    axis.axvline(swept.limit, color="#c0504d", linestyle="--", label=f"budget {swept.budget.text(swept.limit)}")
    unfit = sum(trial.reason is not None for trial in swept.trials)
    title = f"{swept.recipe} on {swept.config}: {len(swept.trials)} trials, {unfit} infeasible"
    axis.set_title(title, parse_math=False)  # A recipe's name may hold a $.
    axis.set_xlabel(COSTS[kind])
    axis.set_ylabel(f"accuracy on {swept.samples:,} held-out samples, %")
    axis.legend()
    axis.spines[["top", "right"]].set_visible(False)
    return figure
