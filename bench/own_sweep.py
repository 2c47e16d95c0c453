"""A sweep of the digits: bits of the inner layers and all widths, held-out accuracy against bytes of weights."""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from figures import Figure, save
from spikeplane.progress import steps
from spikeplane.pruning.costs import parse_budget
from spikeplane.sweeping.space import Space
from spikeplane.sweeping.sweep import Swept, sweep
from spikeplane.sweeping.written import figures as sweep_figures
from spikeplane.training.recipe.recipes import load_recipe

SPACE = Space(bits={"*": (1, 2)}, widths={"*": (0.5, 1.0)})
BUDGET = "size=10kB"
OVERRIDES = ("data.validation=300", "training.epochs=5")


def rows(swept: Swept) -> list[list[str]]:
    """Return the front as the documentation's table."""
    head = ["trial", "accuracy, %", "bytes", "cycles on `small`", *swept.parameters]
    return [head, *(
        [str(trial.number), f"{100 * (trial.accuracy or 0):.1f}", f"{trial.size:,.0f}", f"{trial.cycles:,.0f}",
         *(f"{trial.values[name]:g}" for name in swept.parameters)]
        for trial in swept.front
    )]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/own_sweep.py --trials 4")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--out", type=Path, help="folder of the sweep, which goes on; default: one that vanishes")
    arguments = parser.parse_args()
    recipe = load_recipe("digits", OVERRIDES)
    with tempfile.TemporaryDirectory() as folder, steps(arguments.trials, unit="trial") as bar:
        swept = sweep(
            recipe, SPACE, parse_budget(BUDGET), arguments.out or Path(folder), trials=arguments.trials,
            notify=lambda swept, total: bar.update(len(swept.trials) - bar.n),
        )
    unfit = sum(trial.reason is not None for trial in swept.trials)
    best = swept.front[-1]
    figures = [
        Figure("digits, combinations tried", len(swept.trials), "trials"),
        Figure(f"digits, of these above {BUDGET} or not fitting `small`, which were not trained", unfit, "trials"),
        Figure("digits, combinations of the Pareto front", len(swept.front), "trials"),
        Figure(f"digits, best accuracy within {BUDGET}, 300 held-out samples, integer model",
               100 * (best.accuracy or 0), "%"),
        Figure("digits, bytes of weights of that one", best.size or 0.0, "B"),
    ]
    found = sweep_figures(replace(swept, trials=[replace(trial, checkpoint=None) for trial in swept.trials]))
    save("own_sweep", figures, {"sweep": found, "tables": {"front": rows(swept)}, "note": __doc__})


if __name__ == "__main__":
    main()
