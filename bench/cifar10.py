"""CIFAR-10 on the large core: a million 1-bit weights, its variants, and what the chip does a second.

Needs the data sets under SPIKEPLANE_DATA, and the teacher that the recipe names. Trainings lie in build/bench/cifar10/,
and beside each what was measured of it; what is missing there is trained, which needs a GPU, or measured.
"""

import argparse
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from accuracy import data_root, run_on_board
from figures import Figure, save
from spikeplane.boards import BOARDS
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.data.sets.datasets import Dataset, load_dataset
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.merge import merge_pools
from spikeplane.training.net.export import export_network
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.evaluate import predict, predict_integer
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.train import train

RECIPE = "cifar10_core"
FOLDER = Path("build") / "bench" / "cifar10"
BOARD = BOARDS["ulx3s-85f"]
MEMORY_FREE = (
    "neuron.dynamics=memory_free", "neuron.taps=2", "layers.conv1.neuron.dynamics=leaky",
    "layers.conv1.neuron.state_bits=16", "layers.conv1.neuron.reset=none",
)
VARIANTS = {"1-2": (), "float32": ("training.epochs=74",), "memory-free": (*MEMORY_FREE, "training.epochs=74")}
"""What the recipe's settings become; float32 is the twin without quantization."""
SAMPLES = 500
"""Images that run on the simulated board."""


NOTE = """\
One seed, trained on an H100; of two networks the other, with residual blocks, was given up after 36 epochs: 81.8
against 82.9 % of the validation part after 32. The first eight epochs of 1-2 followed the schedule of a training of
260."""


def trained(name: str, root: Path) -> Path:
    """Return the checkpoint of a variant, trained if it is not there."""
    recipe = load_recipe(RECIPE, VARIANTS[name])
    recipe = recipe.float32() if name == "float32" else recipe
    options = RunOptions(amp="bfloat16", compile=True, graphs=torch.cuda.is_available())
    return train(recipe, FOLDER / name, root, options=options)


def kept(checkpoint: Path, what: str, measure: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return what ``measure`` gives, from a file if it has measured this very checkpoint before."""
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:12]
    path = checkpoint.parent / f"{what}-{digest}.npz"
    if not path.exists():
        np.savez(path, allow_pickle=False, **measure())
    with np.load(path) as found:
        return dict(found)


def run_on_large(network: IntegerNetwork, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Return what the board's simulated core does beside the integer model; maps are overwritten, so that it fits."""
    found = run_on_board(network, BOARD.config, inputs, BOARD.config.name, keep_maps=False)
    return {
        "mismatches": np.array(found.total), "predictions": np.array(found.predictions), "cycles": found.cycles.sum(1),
    }


def accuracy(predictions: np.ndarray, test: Dataset) -> float:
    """Return the share that is right, in percent."""
    return 100 * float((predictions == test.labels[:len(predictions)]).mean())


def core_figures(path: Path, network: IntegerNetwork, test: Dataset, samples: int) -> list[Figure]:
    """Return what the simulated board does with the first ``samples`` test images."""
    inputs = test.inputs[:samples]
    found = kept(path, f"board-{samples}", lambda: run_on_large(network, inputs))
    cycles = float(found["cycles"].mean())
    expected = float(predict_cycles(network, test.inputs[:8], BOARD.config, keep_maps=False).sum(1).mean())
    label = f"CIFAR-10 1-2: mismatches, {samples} images on the simulated board"
    rate = f"CIFAR-10 1-2: images a second at {BOARD.clock / 1e6:g} MHz"
    return [
        Figure.at_most(label, int(found["mismatches"]), "values", 0),
        Figure("CIFAR-10 1-2: accuracy on these images", accuracy(found["predictions"], test), "%"),
        Figure("CIFAR-10 1-2: cycles an image", cycles, "cycles"),
        Figure("CIFAR-10 1-2: predicted cycles of 8 images", expected, "cycles"),
        Figure.at_least(rate, BOARD.clock / cycles, "1/s", 400),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/cifar10.py --samples 20")
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"images on the board (default: {SAMPLES})")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="default: all")
    arguments, root = parser.parse_args(), data_root()
    test = load_dataset(load_recipe(RECIPE).data, "test", root)
    figures, found = [], {}
    for name in arguments.variants:
        path = trained(name, root)
        checkpoint = load_checkpoint(path)
        floats = kept(path, "trained", lambda made=checkpoint: {"classes": predict(made.network, test.inputs)})
        found[name] = accuracy(floats["classes"], test)
        epochs, held = checkpoint.recipe.training.epochs, 100 * checkpoint.history[-1]["validation_accuracy"]
        figures.append(Figure(f"CIFAR-10 {name}: validation part, {epochs} epochs", held, "%"))
        figures.append(Figure(f"CIFAR-10 {name}: {len(test.labels):,} test images, as trained", found[name], "%"))
        if name == "float32":
            continue
        network = merge_pools(export_network(checkpoint.network))
        integers = kept(path, "integer", lambda made=network: {"classes": predict_integer(made, test.inputs)})
        integer = accuracy(integers["classes"], test)
        label = f"CIFAR-10 {name}: {checkpoint.network.weight_count:,} weights, test images, integer model"
        figures.append(Figure.at_least(label, integer, "%", 90) if name == "1-2" else Figure(label, integer, "%"))
        figures.append(Figure.at_most(f"CIFAR-10 {name}: trained less integer", found[name] - integer, "points", 0.2))
        if name == "1-2":
            figures += core_figures(path, network, test, arguments.samples)
    if {"float32", "1-2"} <= found.keys():
        figures.append(Figure.at_most("CIFAR-10 float32 less 1-2", found["float32"] - found["1-2"], "points", 2))
    save("cifar10", figures, {"note": NOTE})


if __name__ == "__main__":
    main()
