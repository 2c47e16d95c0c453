"""Conversion after Fast-SNN: MNIST's small network, and ResNet-20 for CIFAR-10 from a trained teacher, as spikes.

Measurements in qp_snn's folder are used again.
"""

import json
from pathlib import Path
from statistics import fmean

import numpy as np
from accuracy import run_on_board
from figures import Figure
from spikeplane.data.sets.datasets import Dataset, load_dataset
from spikeplane.training.net.export import export_network
from spikeplane.training.recipe.recipes import Recipe, load_recipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.conversion import convert
from spikeplane.training.run.evaluate import predict, predict_integer
from spikeplane.training.run.train import train
from spikeplane.writing import write_json
from spikeplane_hw.config import SMALL

__all__ = ["figures"]

BITS = 2
"""Of an activation: 3 steps."""
BOARD_SAMPLES = 50
KINDS = {"levels": "as activations", "positive": "positive spikes", "signed": "signed spikes"}


def recipe(seed: int) -> Recipe:
    """Return the recipe of MNIST's network with activations of BITS bits."""
    return load_recipe("mnist_2w16u", [
        "data.validation=40000", "data.steps=1", "neuron.dynamics=graded", f"neuron.bits={BITS}", "training.epochs=5",
        f"seed={seed}",
    ])


def accuracies(path: Path, test: Dataset) -> dict[str, float]:
    """Return the accuracies in percent of the activations, of positive spikes in integers, and of signed ones."""
    def share(predicted: np.ndarray) -> float:
        return 100 * float((predicted == test.labels).mean())

    return {
        "levels": share(predict(load_checkpoint(path).network, test.inputs)),
        "positive": share(predict_integer(export_network(convert(path).network), test.inputs)),
        "signed": share(predict(convert(path, signed=True).network, test.inputs)),
    }


def measure(folder: Path, seed: int, root: Path) -> dict[str, float]:
    """Return the accuracies of a seed, and of the first one what the simulated board says."""
    file = folder / f"mnist-{seed}.json"
    if not file.exists():
        path = train(recipe(seed), folder / f"mnist-{seed}", root)
        test = load_dataset(load_checkpoint(path).recipe.data, "test", root)
        found = accuracies(path, test)
        if seed == 1:
            network = export_network(convert(path).network)
            board = run_on_board(network, SMALL, test.inputs[:BOARD_SAMPLES], "converted")
            found |= {"different": board.total, "cycles": float(board.cycles.sum(1).mean())}
        write_json(file, found)
    return json.loads(file.read_text())


def figures(folder: Path, seeds: list[int], root: Path) -> list[Figure]:
    """Return what conversion costs on MNIST, means of ``seeds``."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [measure(folder, seed, root) for seed in seeds]
    title = f"MNIST, Fast-SNN, 2-bit weights, {BITS}-bit activations, {(1 << BITS) - 1} steps"
    board = measure(folder, 1, root)
    return [
        *(Figure(f"{title}: {text}, accuracy, {'mean of ' if len(seeds) > 1 else ''}{len(seeds)} seed"
                 f"{'s' if len(seeds) > 1 else ''}", fmean(each[kind] for each in found), "%")
          for kind, text in KINDS.items()),
        Figure.at_most(f"{title}: positive spikes, {BOARD_SAMPLES} samples on the simulated board: mismatches",
                       board["different"], "values", 0),
        Figure(f"{title}: positive spikes, cycles measured", board["cycles"], "cycles a sample"),
    ]
