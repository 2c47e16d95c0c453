"""CIFAR-10 on the large core: a million 1-bit weights, its variants, and what the chip does a second.

Needs the data sets under SPIKEPLANE_DATA, and the teacher that the recipe names. Trainings lie in build/bench/cifar10/,
and beside each what was measured of it; what is missing there is trained, which needs a GPU, or measured.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from accuracy import data_root, run_on_board
from cifar10_part import DATA as PART
from cifar10_part import HELD_OUT as PART_HELD_OUT
from cifar10_part import IMAGES as PART_IMAGES
from cifar10_part import register
from cifar10_wide import widen
from figures import Figure, save
from spikeplane.boards import BOARDS
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.data.sets.datasets import Dataset, load_dataset
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.merge import merge_pools
from spikeplane.pruning.costs import weight_bytes
from spikeplane.pruning.prune import prune, settings_of
from spikeplane.pruning.written import RECIPE as TUNING_RECIPE
from spikeplane.pruning.written import write_pruned
from spikeplane.training.net.export import export_network
from spikeplane.training.recipe.recipes import Recipe, load_recipe
from spikeplane.training.run.checkpoint import Checkpoint, load_checkpoint
from spikeplane.training.run.evaluate import predict, predict_integer
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.train import CHECKPOINT, train
from spikeplane.writing import write_json
from spikeplane_boards import Board

RECIPE, TINY_RECIPE = "cifar10_core", "cifar10_tiny"
FOLDER = Path("build") / "bench" / "cifar10"
BOARD, TINY_BOARD = BOARDS["ulx3s-85f"], BOARDS["icebreaker"]
MEMORY_FREE = (
    "neuron.dynamics=memory_free", "neuron.taps=2", "layers.conv1.neuron.dynamics=leaky",
    "layers.conv1.neuron.state_bits=16", "layers.conv1.neuron.reset=none",
)
INNER = ("conv2", "conv3", "conv4", "conv5", "conv6")
RESCALED = (
    "neuron.state_bits=16",
    *(f"layers.{name}.{setting}" for name in INNER for setting in ("weights=rescaled", "weight_bits=2")),
)
TUNING = (
    f"data.name={PART}", "data.validation=0", "training.epochs=1", "training.batch_size=100",
    "training.learning_rate=0.001", "training.augmentations.cutmix=false",
)
"""Of what is trained on: once over a part of the images, the teacher as before."""
WHOLE = {
    "1-2": (), "float32": ("training.epochs=74",), "memory-free": (*MEMORY_FREE, "training.epochs=74"),
    "2-16": (*RESCALED, "training.epochs=36"),
}
"""Trained from the start: what the recipe's settings become; float32 is the twin without quantization."""
TUNED = {f"1-{bits}": (*TUNING, f"neuron.state_bits={bits}") for bits in (4, 8)}
"""Trained on from 1-2."""
PRUNED = "2-16 pruned"
RATIO = 0.3
"""Part of the channels of every group that 2-16 loses: about half of the weights and of the operations."""
TINY = "tiny"
VARIANTS = (*WHOLE, *TUNED, PRUNED, TINY)
WIDE, SPEED = "wide", "speed"
PARTS = (*VARIANTS, WIDE, SPEED)
SAMPLES, FEW = 500, 20
"""Images that run on the simulated board: of 1-2, and of its variants."""
TINY_SAMPLES, WIDE_SAMPLES = 200, 4


NOTE = """\
One seed. What is trained from the start was trained on an H100, but for tiny; of two networks the other, with residual
blocks, was given up after 36 epochs: 81.8 against 82.9 % of the validation part after 32. The first eight epochs of 1-2
followed the schedule of a training of 260."""


def recipe_of(name: str) -> Recipe:
    """Return the recipe of a variant that is not pruned."""
    if name == TINY:
        return load_recipe(TINY_RECIPE)
    if name in TUNED:
        start = f"training.start.checkpoint={FOLDER / '1-2' / CHECKPOINT}"
        return load_recipe(RECIPE, (*TUNED[name], start))
    recipe = load_recipe(RECIPE, WHOLE[name])
    return recipe.float32() if name == "float32" else recipe


def trained(name: str, root: Path) -> Path:
    """Return the checkpoint of a variant, trained if it is not there."""
    gpu, folder = name in WHOLE, FOLDER / name.replace(" ", "-")
    options = RunOptions(amp="bfloat16", compile=True, graphs=torch.cuda.is_available()) if gpu else RunOptions()
    begun = time.process_time()
    if name == PRUNED:
        recipe, folder = pruned(folder, root), folder / "tuned"
    else:
        recipe = recipe_of(name)
    path = train(recipe, folder, root, options=options)
    spent = folder / "cpu_seconds.json"
    if not gpu and not spent.exists():
        write_json(spent, time.process_time() - begun)
    return path


def pruned(folder: Path, root: Path) -> Recipe:
    """Return the recipe that trains 2-16 on without a part of its channels; it begins with what is in ``folder``."""
    if not (folder / TUNING_RECIPE).exists():
        source = trained("2-16", root)
        ratios: dict[str, float] = dict.fromkeys(("conv1", *INNER), RATIO)
        settings = settings_of(source, "svs")
        write_pruned(
            prune(source, ratios=ratios, settings=settings, config=BOARD.config, data_root=root, shown=False), folder
        )
    return load_recipe(folder / TUNING_RECIPE, TUNING)


def kept(checkpoint: Path, what: str, measure: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return what ``measure`` gives, from a file if it has measured this very checkpoint before."""
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:12]
    path = checkpoint.parent / f"{what}-{digest}.npz"
    if not path.exists():
        np.savez(path, allow_pickle=False, **measure())
    with np.load(path) as found:
        return dict(found)


def on_board(network: IntegerNetwork, board: Board, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Return what a simulated board does beside the integer model; maps are overwritten, so that it fits."""
    found = run_on_board(network, board.config, inputs, board.config.name, keep_maps=False)
    return {
        "mismatches": np.array(found.total), "predictions": np.array(found.predictions), "cycles": found.cycles.sum(1),
    }


def accuracy(predictions: np.ndarray, test: Dataset) -> float:
    """Return the share that is right, in percent."""
    return 100 * float((predictions == test.labels[:len(predictions)]).mean())


def core_figures(name: str, path: Path, network: IntegerNetwork, test: Dataset, samples: int) -> list[Figure]:
    """Return what the simulated board does with the first ``samples`` test images."""
    board = TINY_BOARD if name == TINY else BOARD
    inputs = test.inputs[:samples]
    found = kept(path, f"board-{samples}", lambda: on_board(network, board, inputs))
    cycles, title = float(found["cycles"].mean()), f"CIFAR-10 {name}"
    label = f"{title}: mismatches, {samples} images on the simulated board"
    figures = [
        Figure.at_most(label, int(found["mismatches"]), "values", 0),
        Figure(f"{title}: accuracy on these images", accuracy(found["predictions"], test), "%"),
        Figure(f"{title}: cycles an image", cycles, "cycles"),
    ]
    rate = f"{title}: images a second at {board.clock / 1e6:g} MHz"
    if name == TINY:
        return [*figures, Figure(f"{title}: an image at {board.clock / 1e6:g} MHz", 1e3 * cycles / board.clock, "ms")]
    if name != "1-2":
        return [*figures, Figure(rate, board.clock / cycles, "1/s")]
    expected = float(predict_cycles(network, test.inputs[:8], board.config, keep_maps=False).sum(1).mean())
    return [
        *figures, Figure(f"{title}: predicted cycles of 8 images", expected, "cycles"),
        Figure.at_least(rate, board.clock / cycles, "1/s", 400),
    ]


def training_figures(name: str, checkpoint: Checkpoint, path: Path) -> list[Figure]:
    """Return how long a variant was trained, and what it says of the validation part."""
    epochs, last = checkpoint.recipe.training.epochs, checkpoint.history[-1]
    spent = path.with_name("cpu_seconds.json")
    figures = []
    if spent.exists():
        figures.append(Figure(f"CIFAR-10 {name}: training", json.loads(spent.read_text()) / 3600, "CPU hours"))
    if checkpoint.recipe.data.name == PART:
        label = f"CIFAR-10 {name}: {PART_HELD_OUT:,} of the validation part, {PART_IMAGES:,} images once"
        return [*figures, Figure(label, 100 * last["test_accuracy"], "%")]
    label = f"CIFAR-10 {name}: validation part, {epochs} epochs"
    return [Figure(label, 100 * last["validation_accuracy"], "%"), *figures]


def variant_figures(name: str, root: Path, samples: int) -> tuple[list[Figure], dict[str, float]]:
    """Return a variant's figures, and its accuracy on the test images as trained and in integers."""
    path = trained(name, root)
    checkpoint = load_checkpoint(path)
    test = load_dataset(load_recipe(TINY_RECIPE if name == TINY else RECIPE).data, "test", root)
    figures, found, weights = training_figures(name, checkpoint, path), {}, checkpoint.network.weight_count
    if checkpoint.recipe.data.name != PART:
        floats = kept(path, "trained", lambda: {"classes": predict(checkpoint.network, test.inputs)})
        found["trained"] = accuracy(floats["classes"], test)
        figures.append(Figure(f"CIFAR-10 {name}: {len(test.labels):,} test images, as trained", found["trained"], "%"))
    if name == "float32":
        return figures, found
    network = merge_pools(export_network(checkpoint.network))
    integers = kept(path, "integer", lambda: {"classes": predict_integer(network, test.inputs)})
    found["integer"] = accuracy(integers["classes"], test)
    label = f"CIFAR-10 {name}: {weights:,} weights, test images, integer model"
    figures.append(
        Figure.at_least(label, found["integer"], "%", 90) if name == "1-2" else Figure(label, found["integer"], "%")
    )
    size = sum(weight_bytes(checkpoint.network).values())
    figures.append(Figure(f"CIFAR-10 {name}: bytes of weights", size, "bytes"))
    if "trained" in found:
        less = found["trained"] - found["integer"]
        figures.append(Figure.at_most(f"CIFAR-10 {name}: trained less integer", less, "points", 0.2))
    if name != "memory-free":
        figures += core_figures(name, path, network, test, samples)
    return figures, found


def wide_figures(root: Path) -> list[Figure]:
    """Return what the widened network says and takes, beside the one that it says the same as."""
    path = trained("1-2", root)
    checkpoint = load_checkpoint(path)
    test = load_dataset(checkpoint.recipe.data, "test", root)
    network, inputs = widen(checkpoint), test.inputs[:WIDE_SAMPLES]
    classes = kept(path, "integer", lambda: {})["classes"][:WIDE_SAMPLES]
    found = kept(path, f"wide-{WIDE_SAMPLES}", lambda: on_board(network, BOARD, inputs))
    weights = sum(layer.weights.size for layer in network.layers if layer.weight_bits == 1)
    cycles, title = float(found["cycles"].mean()), f"CIFAR-10 1-2 widened to {weights:,} 1-bit weights in SDRAM"
    return [
        Figure(f"{title}: other classes than before, {WIDE_SAMPLES} images", int((found["predictions"] != classes).sum()), "images"),
        Figure.at_most(f"{title}: mismatches of these on the simulated board", int(found["mismatches"]), "values", 0),
        Figure(f"{title}: cycles an image", cycles, "cycles"),
        Figure(f"{title}: images a second at {BOARD.clock / 1e6:g} MHz", BOARD.clock / cycles, "1/s"),
    ]


def comparisons(found: dict[str, dict[str, float]]) -> list[Figure]:
    """Return how variants compare with each other, those that were measured."""
    figures = []
    if {"float32", "1-2"} <= found.keys():
        less = found["float32"]["trained"] - found["1-2"]["trained"]
        figures.append(Figure.at_most("CIFAR-10 float32 less 1-2", less, "points", 2))
    if {"2-16", "1-2"} <= found.keys():
        less = found["1-2"]["integer"] - found["2-16"]["integer"]
        figures.append(Figure.at_most("CIFAR-10 1-2 less 2-16", less, "points", 0.5))
    if {"2-16", PRUNED} <= found.keys():
        less = found["2-16"]["integer"] - found[PRUNED]["integer"]
        figures.append(Figure.at_most("CIFAR-10 2-16 less 2-16 pruned", less, "points", 1))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/cifar10.py --samples 20")
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"images of 1-2 on the board (default: {SAMPLES})")
    parser.add_argument("--variants", nargs="+", choices=PARTS, default=list(PARTS), help="default: all")
    arguments, root = parser.parse_args(), data_root()
    register()
    figures, found = [], {}
    counts = {"1-2": arguments.samples, TINY: TINY_SAMPLES}
    for name in arguments.variants:
        if name == WIDE:
            figures += wide_figures(root)
            continue
        if name == SPEED:
            from cifar10_speed import figures as speed_figures  # Of the dependency group "bench".

            figures += speed_figures()
            continue
        made, found[name] = variant_figures(name, root, counts.get(name, FEW))
        figures += made
    save("cifar10", [*figures, *comparisons(found)], {"note": NOTE})


if __name__ == "__main__":
    main()
