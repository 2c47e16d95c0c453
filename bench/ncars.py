"""N-CARS: accuracy of the integer model, and the simulated board's mismatches.

Needs the data sets under SPIKEPLANE_DATA. A finished training is used again.
"""

from pathlib import Path
from statistics import fmean

from accuracy import data_root, measure, seed_accuracies
from figures import Figure, save
from spikeplane.data.sets.datasets import load_dataset
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane_hw.config import SMALL

FOLDER = Path("build") / "bench" / "ncars"
"""Of the trainings of other seeds than the zoo's."""
NOTE = """\
The recipe was chosen with test accuracies of a few variants in sight, of one seed: expect less on recordings that
nobody has looked at. Of 1,000 recordings, a standard error is 0.95 points."""
SAMPLES = 200
"""Recordings that run on the simulated board."""


def main() -> None:
    root = data_root()
    ncars = measure("ncars", SMALL, SAMPLES, root)
    test = load_dataset(load_recipe("ncars").data, "test", root)
    seeds = [ncars["accuracy"], *seed_accuracies("ncars", FOLDER, test, root)]
    name = f"N-CARS part, {ncars['tests']} test recordings, integer model, 1-bit inner weights, 2-bit potentials"
    save("ncars", [
        Figure.at_least(f"{name}, mean of {len(seeds)} seeds", fmean(seeds), "%", 90),
        Figure("N-CARS part, best seed less worst", max(seeds) - min(seeds), "points"),
        Figure("N-CARS part, the zoo's seed", ncars["accuracy"], "%"),
        Figure.at_most(f"N-CARS part, {SAMPLES} recordings on the simulated board: mismatches",
                       ncars["mismatches"], "values", 0),
        Figure("N-CARS part, cycles a recording, small", ncars["cycles"], "cycles"),
    ], {"note": NOTE})


if __name__ == "__main__":
    main()
