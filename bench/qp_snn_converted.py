"""Conversion after Fast-SNN: MNIST's small network, and ResNet-20 for CIFAR-10 from a trained classifier, as spikes.

The latter is trained for a few epochs as levels, converted, and trained on for a few more as spikes. Measurements in
qp_snn's folder are used again.
"""

import json
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from accuracy import run_on_board
from cifar10_variants import BOARD
from figures import Figure
from spikeplane.data.sets.datasets import Dataset, load_dataset, load_parts
from spikeplane.training.net.export import export_network
from spikeplane.training.net.teachers import load_classifier
from spikeplane.training.recipe.recipes import Recipe, load_recipe
from spikeplane.training.run.checkpoint import Checkpoint, load_checkpoint
from spikeplane.training.run.conversion import convert
from spikeplane.training.run.evaluate import predict, predict_integer
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.start_classifier import take_over_classifier
from spikeplane.training.run.train import train
from spikeplane.writing import write_json
from spikeplane_hw.config import SMALL

__all__ = ["CIFAR_RECIPE", "cifar_levels", "cifar_spikes", "figures"]

BITS = 2
"""Of an activation: 3 steps."""
STEPS = (1 << BITS) - 1
BOARD_SAMPLES = 50
KINDS = {"levels": "as activations", "positive": "positive spikes", "signed": "signed spikes"}
CIFAR_RECIPE = "cifar10_resnet20_levels"
CIFAR_TESTS, CIFAR_BOARD_SAMPLES = 2_500, 50
"""Test images for accuracies, and on the simulated board."""
AT_ONCE = {4: 8, 2: 4}
"""Bits of activations and of weights, of networks that are not trained on."""
AT_A_TIME = 500
"""Images that the classifier sees together."""
OPTIONS = RunOptions(amp="bfloat16", validate_every=1)
SPIKES = (
    "neuron.dynamics=integrating", f"data.steps={STEPS}", "training.learning_rate=0.001", "training.batch_size=100",
)
"""What the recipe becomes for the converted network, which begins with the activations' weights."""
SPIKE_TRAININGS = {
    "spikes": ("training.epochs=2",), "core": ("training.epochs=1", "layers.conv1.weight_bits=4"),
}
"""How that is trained, one after the other: sums over 8-bit images have to stay within the core's 16 bits."""


def recipe(seed: int) -> Recipe:
    """Return the recipe of MNIST's network with activations of BITS bits."""
    return load_recipe("mnist_2w16u", [
        "data.validation=40000", "data.steps=1", "neuron.dynamics=graded", f"neuron.bits={BITS}", "training.epochs=5",
        f"seed={seed}",
    ])


def share(predicted: np.ndarray, test: Dataset) -> float:
    """Return how many of the first test samples are told rightly, in percent."""
    return 100 * float((predicted == test.labels[:len(predicted)]).mean())


def accuracies(path: Path, test: Dataset, count: int | None = None) -> dict[str, float]:
    """Return the accuracies in percent of the activations, of positive spikes in integers, and of signed ones."""
    inputs = test.inputs[:count]
    return {
        "levels": share(predict(load_checkpoint(path).network, inputs), test),
        "positive": share(predict_integer(export_network(convert(path).network), inputs), test),
        "signed": share(predict(convert(path, signed=True).network, inputs), test),
    }


def measure(folder: Path, seed: int, root: Path) -> dict[str, float]:
    """Return the accuracies of a seed on MNIST, and of the first one what the simulated board says."""
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


def cifar_levels(folder: Path, root: Path) -> Path:
    """Return the checkpoint of ResNet-20's activations of BITS bits."""
    return train(load_recipe(CIFAR_RECIPE), folder / "cifar10-levels", root, options=OPTIONS)


def cifar_spikes(folder: Path, root: Path) -> Path:
    """Return the checkpoint of the converted network, trained on."""
    path = cifar_levels(folder, root)
    for name in SPIKE_TRAININGS:
        path = train(spike_recipe(name, path), folder / f"cifar10-{name}", root, options=OPTIONS)
    return path


def spike_recipe(name: str, start: Path) -> Recipe:
    """Return the recipe of a training as spikes that begins with the checkpoint ``start``."""
    return load_recipe(CIFAR_RECIPE, [*SPIKES, *SPIKE_TRAININGS[name], f"training.start.checkpoint={start}"])


def at_once(root: Path, bits: int, weight_bits: int) -> float:
    """Return the accuracy of the classifier's activations of so many bits, not trained on."""
    made = load_recipe(CIFAR_RECIPE, [
        f"neuron.bits={bits}", "network.weights=absmax", f"network.weight_bits={weight_bits}",
    ])
    images, _ = load_parts(made.data, root)
    test = load_dataset(made.data, "test", root)
    begun, start = Checkpoint.start(made, images.input, images.classes), made.training.start
    assert start is not None and start.classifier is not None and start.weights is not None
    take_over_classifier(begun.network, start.classifier, Path(start.weights), images.inputs)
    return share(predict(begun.network.eval(), test.inputs[:CIFAR_TESTS]), test)


def classifier_accuracy(test: Dataset) -> float:
    """Return the accuracy of the classifier itself."""
    start = load_recipe(CIFAR_RECIPE).training.start
    assert start is not None and start.classifier is not None and start.weights is not None
    classifier = load_classifier(start.classifier, Path(start.weights))
    with torch.no_grad():
        logits = [classifier(part) for part in torch.from_numpy(test.inputs[:CIFAR_TESTS]).split(AT_A_TIME)]
    return share(torch.cat(logits).argmax(1).numpy(), test)


def measure_cifar(folder: Path, root: Path) -> dict[str, float]:
    """Return the accuracies of ResNet-20, and what the simulated board says of it."""
    file = folder / "cifar10.json"
    if not file.exists():
        found = {f"at-once-{bits}": at_once(root, bits, weight_bits) for bits, weight_bits in AT_ONCE.items()}
        test = load_dataset(load_recipe(CIFAR_RECIPE).data, "test", root)
        found["classifier"] = classifier_accuracy(test)
        found |= accuracies(cifar_levels(folder, root), test, CIFAR_TESTS)
        network = export_network(load_checkpoint(cifar_spikes(folder, root)).network)
        found["trained"] = share(predict_integer(network, test.inputs[:CIFAR_TESTS]), test)
        board = run_on_board(
            network, BOARD.config, test.inputs[:CIFAR_BOARD_SAMPLES], BOARD.config.name, keep_maps=False
        )
        write_json(file, found | {"different": board.total, "cycles": float(board.cycles.sum(1).mean())})
    return json.loads(file.read_text())


def cifar_figures(folder: Path, root: Path) -> list[Figure]:
    """Return what conversion of the classifier costs, before and after it is trained on."""
    found = measure_cifar(folder, root)
    title = f"CIFAR-10, ResNet-20 from a classifier, the first {CIFAR_TESTS:,} test images"
    levels = load_recipe(CIFAR_RECIPE)
    weights = f"{levels.layers[1].weight_bits}-bit weights, {BITS}-bit activations"
    trained = f"{title}: {weights}, {levels.training.epochs} epochs"
    as_spikes = [spike_recipe(name, Path()) for name in SPIKE_TRAININGS]
    return [
        Figure(f"{title}: the classifier", found["classifier"], "%"),
        *(Figure(f"{title}: {weight_bits}-bit weights, {bits}-bit activations, not trained on",
                 found[f"at-once-{bits}"], "%") for bits, weight_bits in AT_ONCE.items()),
        *(Figure(f"{trained}, {text}", found[kind], "%") for kind, text in KINDS.items()),
        Figure(f"{trained}, positive spikes, {sum(each.training.epochs for each in as_spikes)} epochs more as spikes, "
               f"{as_spikes[-1].layers[0].weight_bits}-bit weights in the first layer too", found["trained"], "%"),
        Figure.at_most(f"{title}: {CIFAR_BOARD_SAMPLES} images on the simulated board: mismatches",
                       found["different"], "values", 0),
        Figure(f"{title}: cycles measured", found["cycles"], "cycles an image"),
    ]


def figures(folder: Path, seeds: list[int], root: Path) -> list[Figure]:
    """Return what conversion costs, on MNIST as means of ``seeds``."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [measure(folder, seed, root) for seed in seeds]
    title = f"MNIST, Fast-SNN, 2-bit weights, {BITS}-bit activations, {STEPS} steps"
    board = measure(folder, 1, root)
    return [
        *(Figure(f"{title}: {text}, accuracy, {'mean of ' if len(seeds) > 1 else ''}{len(seeds)} seed"
                 f"{'s' if len(seeds) > 1 else ''}", fmean(each[kind] for each in found), "%")
          for kind, text in KINDS.items()),
        Figure.at_most(f"{title}: positive spikes, {BOARD_SAMPLES} samples on the simulated board: mismatches",
                       board["different"], "values", 0),
        Figure(f"{title}: positive spikes, cycles measured", board["cycles"], "cycles a sample"),
        *cifar_figures(folder, root),
    ]
