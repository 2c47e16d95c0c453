"""The zoo: compact trained networks that a clone brings along, each with recipe, log and figures.

Trains what is missing in zoo/ (remove a folder to train it anew), runs it on the simulated board,
and writes zoo/NAME/report.json and zoo/README.md. Needs the data sets under SPIKEPLANE_DATA.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from accuracy import ZOO, data_root, run_on_board
from cifar10_variants import WIDER, trained
from figures import RESULTS, Figure, save, show
from qp_snn_networks import HALF
from spikeplane.data.sets.datasets import load_dataset
from spikeplane.network.file import save_network
from spikeplane.network.merge import merge_pools
from spikeplane.pruning.costs import Budget
from spikeplane.pruning.prune import prune
from spikeplane.pruning.written import RECIPE, write_pruned
from spikeplane.reports.run_figures import RunFigures
from spikeplane.reports.run_report import write_run_report
from spikeplane.training.net.export import export_network
from spikeplane.training.recipe.recipes import Recipe, load_recipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.train import CHECKPOINT, train
from spikeplane.zoo import NETWORK
from spikeplane_hw.config import LARGE, SMALL, TINY, CoreConfig

NETWORKS = {
    "digits": SMALL, "digits_bestformer": LARGE, "mnist": SMALL, "mnist_2w16u": SMALL, "mnist_2w16u-pruned": SMALL,
    "mnist_tiny": TINY, "nmnist": SMALL, "ncars": SMALL, "cifar10_core": LARGE,
    "cifar10_wider": LARGE, "cifar10_tiny": TINY,
}
"""Recipes, and the configuration that each runs on."""
PRUNED = {"mnist_2w16u-pruned": "mnist_2w16u"}
"""Networks that are pruned ones of the zoo, to half of their operations."""
PRUNING = Path("build/zoo")
TUNING = ("training.epochs=20", "training.learning_rate=0.005")
"""98.62 % of the validation part; 10 epochs at 0.003 gave 98.60 %, 20 at 0.01 98.54 %."""
EXPORTED = {"cifar10_wider": WIDER}
"""Networks that come as integers alone, and the variants of the CIFAR-10 network that they are."""
MERGED = ("cifar10_core", "cifar10_wider", "cifar10_tiny")
"""Those that fit with merged pools and maps that are overwritten."""
SAMPLES, FEWER = 200, {"digits_bestformer": 20, "cifar10_wider": 20}
"""Test samples that run on the simulated board, and how many of networks that take long."""
SIZE_LIMIT_MB = 8
"""A million weights, in float32 while they are trained, are 4 MB."""
HEAD = """# Trained networks

Each folder holds a checkpoint (weights, recipe, log, checksums of the data: `spikeplane info`) and the figures of
its report. Made by `make zoo`; it trains a network anew whose folder is removed. Nothing of the data sets is in here.
`cifar10_wider` is the network in integers alone, which `spikeplane compile` takes by its name: its checkpoint has
18 MB.

```sh
.venv/bin/spikeplane export zoo/mnist/checkpoint.safetensors build/mnist.network.safetensors
```

| network | data | weights-potentials | integer model, % | tests | configuration | cycles a sample | mismatches | kB |
| --- | --- | --- | ---: | ---: | --- | ---: | ---: | ---: |
"""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A network of the zoo."""

    name: str
    figures: RunFigures
    config: CoreConfig
    mismatches: int
    compared: int
    cycles: float
    file_bytes: int

    @property
    def accuracy(self) -> float:
        """Of the integer model, in percent."""
        return 100 * (self.figures.evaluation.integer or 0.0)

    def row(self) -> str:
        """Return a row of zoo/README.md."""
        recipe = self.figures.checkpoint.recipe
        bits = {
            layer.create_neurons(recipe.neuron).stored_bits for layer in recipe.layers if layer.has_neurons
        }
        inner = {layer.weight_bits for layer in recipe.layers[1:-1] if layer.kind != "pool"}
        widths = "-".join("/".join(map(str, sorted(found))) for found in (inner, bits))
        cells = [
            f"[{self.name}]({self.name})", recipe.data.name, widths, f"{self.accuracy:.2f}",
            f"{self.figures.evaluation.samples:,}", self.config.name, show(round(self.cycles)),
            f"{self.mismatches} in {self.compared} samples", f"{self.file_bytes / 1000:.0f}",
        ]
        return f"| {' | '.join(cells)} |\n"


def recipe_of(name: str, root: Path) -> Recipe:
    """Return the recipe of a network; of a pruned one, which is pruned now, that of its fine-tuning."""
    if name not in PRUNED:
        return load_recipe(name)
    budget = Budget("operations", HALF, relative=True)
    source = ZOO / PRUNED[name] / CHECKPOINT
    write_pruned(prune(source, budget=budget, config=NETWORKS[name], data_root=root), PRUNING / name)
    return load_recipe(PRUNING / name / RECIPE, TUNING)


def member(name: str, config: CoreConfig, root: Path) -> Member:
    """Train recipe ``name`` if it is missing, write its report, and run it on the simulated board."""
    folder = ZOO / name
    # CIFAR-10's want a GPU, and their teacher in teachers/.
    path = trained(EXPORTED[name], root) if name in EXPORTED else train(recipe_of(name, root), folder, root)
    # `spikeplane report` draws the page.
    figures, _ = write_run_report(path, folder, data_root=root, page=False)
    checkpoint = load_checkpoint(path)
    inputs = load_dataset(checkpoint.recipe.data, "test", root).inputs[:FEWER.get(name, SAMPLES)]
    network = export_network(checkpoint.network, checkpoint.metadata)
    if name in MERGED:
        network = merge_pools(network)
    if name in EXPORTED:
        save_network(network, folder / NETWORK)
    result = run_on_board(network, config, inputs, name, keep_maps=name not in MERGED)
    return Member(
        name=name, figures=figures, config=config, mismatches=result.total, compared=len(inputs),
        cycles=float(result.cycles.sum(1).mean()),
        file_bytes=sum(item.stat().st_size for item in folder.iterdir()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    # What one is exported from does not come along: a GPU trains it.
    default = [name for name in NETWORKS if name not in EXPORTED or not (ZOO / name / NETWORK).exists()]
    parser.add_argument("names", nargs="*", choices=NETWORKS, default=default,
                        help="networks to measure; rows and figures of the others stay; default: all whose "
                             "checkpoints come along, and what is missing")
    names, root = parser.parse_args().names, data_root()
    members = {name: member(name, NETWORKS[name], root) for name in names}
    page, results = ZOO / "README.md", RESULTS / "zoo.json"
    rows = {line.split("]")[0][3:]: f"{line}\n" for line in page.read_text().splitlines() if line.startswith("| [")}
    rows |= {name: found.row() for name, found in members.items()}
    page.write_text(HEAD + "".join(rows[name] for name in NETWORKS if name in rows))
    former = [Figure(**each) for each in json.loads(results.read_text())["figures"]] if results.exists() else []
    figures = []
    for name in NETWORKS:
        found = members.get(name)
        if found is None:
            figures += [each for each in former if each.name.startswith(f"{name}:")]
            continue
        figures += [
            Figure(f"{name}: accuracy, integer model", found.accuracy, "%"),
            Figure.at_most(f"{name}: trained less integer accuracy", round(abs(found.figures.lost_points or 0.0), 6),
                           "points", 0.2),
            Figure.at_most(f"{name}: mismatches of {found.compared} samples on the simulated board",
                           found.mismatches, "values", 0),
        ]
    size = sum(item.stat().st_size for item in ZOO.rglob("*") if item.is_file())
    figures.append(Figure.at_most("all files", size / 1e6, "MB", SIZE_LIMIT_MB))
    save("zoo", figures)


if __name__ == "__main__":
    main()
