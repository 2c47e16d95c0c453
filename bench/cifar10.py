"""CIFAR-10 on the large core: a million 1-bit weights, its variants, and what the chip does a second.

Needs the data sets under SPIKEPLANE_DATA, and the teacher that the recipe names. Trainings lie in build/bench/cifar10/;
what is missing there is trained, which wants a GPU.
"""

import argparse
from pathlib import Path

import numpy as np
from accuracy import data_root
from figures import Figure, save
from spikeplane.boards import BOARDS
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.data.sets.datasets import Dataset, load_dataset
from spikeplane.device.comparison import Comparison, compare_with_model
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.merge import merge_pools
from spikeplane.training.net.export import export_network
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import Checkpoint, load_checkpoint
from spikeplane.training.run.evaluate import predict, predict_integer
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.train import train
from tqdm import tqdm

RECIPE = "cifar10_core"
FOLDER = Path("build") / "bench" / "cifar10"
BOARD = BOARDS["ulx3s-85f"]
MEMORY_FREE = (
    "neuron.dynamics=memory_free", "neuron.taps=2", "layers.conv1.neuron.dynamics=leaky",
    "layers.conv1.neuron.state_bits=16", "layers.conv1.neuron.reset=none",
)
VARIANTS = {"1-2": (), "memory-free": (*MEMORY_FREE, "training.epochs=27"), "float32": ("training.epochs=27",)}
"""What the recipe's settings become; the last one is the twin without quantization."""
SAMPLES = 500
"""Images that run on the simulated board."""


def trained(name: str, root: Path) -> Checkpoint:
    """Return the checkpoint of a variant, trained if it is not there."""
    recipe = load_recipe(RECIPE, VARIANTS[name])
    recipe = recipe.float32() if name == "float32" else recipe
    return load_checkpoint(train(recipe, FOLDER / name, root, options=RunOptions(amp="bfloat16", compile=True)))


def run_on_large(network: IntegerNetwork, inputs: np.ndarray) -> Comparison:
    """Return the simulated core of the board beside the integer model; maps are overwritten, so that it fits."""
    config = BOARD.config
    with Driver(SimulatedTransport(config), config) as driver, tqdm(total=len(inputs), desc=config.name) as bar:
        driver.load(compile_network(network, config, keep_maps=False, samples=inputs[:1]), verify=False)
        return compare_with_model(
            driver, network, inputs, states=False, progress=lambda done: bar.update(done - bar.n)
        )


def accuracy(predictions: np.ndarray, test: Dataset) -> float:
    """Return the share that is right, in percent."""
    return 100 * float((predictions == test.labels[:len(predictions)]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/cifar10.py --samples 20")
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"images on the board (default: {SAMPLES})")
    samples, root = parser.parse_args().samples, data_root()
    test = load_dataset(load_recipe(RECIPE).data, "test", root)
    figures, found = [], {}
    for name in VARIANTS:
        checkpoint = trained(name, root)
        found[name] = accuracy(predict(checkpoint.network, test.inputs), test)
        epochs, held = checkpoint.recipe.training.epochs, 100 * checkpoint.history[-1]["validation_accuracy"]
        figures.append(Figure(f"{name}: validation part, {epochs} epochs", held, "%"))
        figures.append(Figure(f"{name}: {len(test.labels):,} test images, as trained", found[name], "%"))
        if name == "float32":
            continue
        network = merge_pools(export_network(checkpoint.network))
        integer = accuracy(predict_integer(network, test.inputs), test)
        label = f"{name}: {checkpoint.network.weight_count:,} weights, test images, integer model"
        figures.append(Figure.at_least(label, integer, "%", 90) if name == "1-2" else Figure(label, integer, "%"))
        figures.append(Figure.at_most(f"{name}: trained less integer", found[name] - integer, "points", 0.2))
        if name != "1-2":
            continue
        result = run_on_large(network, test.inputs[:samples])
        cycles = float(result.cycles.sum(1).mean())
        expected = float(predict_cycles(network, test.inputs[:8], BOARD.config, keep_maps=False).sum(1).mean())
        figures += [
            Figure.at_most(f"{name}: mismatches, {samples} images on the simulated board", result.total, "values", 0),
            Figure(f"{name}: accuracy on these images", accuracy(np.array(result.predictions), test), "%"),
            Figure(f"{name}: cycles an image", cycles, "cycles"),
            Figure(f"{name}: predicted cycles of 8 images", expected, "cycles"),
            Figure.at_least(f"{name}: images a second at {BOARD.clock / 1e6:g} MHz", BOARD.clock / cycles, "1/s", 400),
        ]
    figures.append(Figure.at_most("float32 less 1-2", found["float32"] - found["1-2"], "points", 2))
    save("cifar10", figures)


if __name__ == "__main__":
    main()
