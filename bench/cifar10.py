"""CIFAR-10 on the large core: a million 1-bit weights, its variants, and what the chip does a second; and on tiny.

Needs the data sets under SPIKEPLANE_DATA, the teacher that the recipe names, and for `speed` the packages of the
dependency group "bench". Trainings lie in build/bench/cifar10/, and beside each what was measured of it; what is
missing there is trained, or measured. What is trained from the start needs a GPU; what is trained on, and the network
for tiny, a processor core. A run of some variants keeps the figures of the others.
"""

import argparse
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from accuracy import data_root, run_on_board
from cifar10_variants import (
    BOARD,
    FOLDER,
    GPUS,
    PRUNED,
    RECIPE,
    TINY,
    TINY_BOARD,
    TINY_RECIPE,
    VARIANTS,
    WIDER,
    spent_on,
    trained,
)
from cifar10_wide import widen
from figures import Figure, save
from partial_data import CIFAR10_PART, register
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.data.sets.datasets import Dataset, load_dataset
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.merge import merge_pools
from spikeplane.pruning.costs import weight_bytes
from spikeplane.training.net.export import export_network
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import Checkpoint, load_checkpoint
from spikeplane.training.run.evaluate import predict, predict_integer
from spikeplane_boards import Board
from spikeplane_hw.memory_map import Register

WIDE, SPEED = "wide", "speed"
PARTS = (*VARIANTS, WIDE, SPEED)
AS_TRAINED = ("1-2", "float32", "memory-free", WIDER)
"""Variants whose test accuracy as trained is measured as well."""
COMPARED = {"2-16": ("1-2", 0.5), PRUNED: ("2-16", 1), "1-4": ("1-2", None), "1-8": ("1-2", None)}
"""What each is compared with, and by how many points of percent it may be worse."""
SAMPLES = 500
BOARD_SAMPLES = {TINY: 50, "2-16": 200, PRUNED: 200, WIDER: 100}
"""Images that run on the simulated board: SAMPLES of 1-2, and some of its variants."""
ACCURACIES = {"1-2": 90, WIDER: 92}
"""Least percent of the test images."""
PREDICTED, WIDE_SAMPLES = 8, 40


NOTE = """\
One seed. What is trained from the start was trained on an H100, but for tiny; of two networks the other, with residual
blocks, was given up after 36 epochs: 81.8 against 82.9 % of the validation part after 32. The first eight epochs of 1-2
followed the schedule of a training of 260. 1-2 took nine minutes of the H100. 2-16, 1-4 and 1-8 were trained on from
1-2, once over 10,000 images on a processor core; 2-16 pruned (30 % of all channels, by spike rank) eight times over all
45,000 in one step, three times in two, and 60 times on an H200, in 80 s. The wider one has twice the channels of 1-2
from conv3 on, of conv6 four times as many, and began with its weights and noise; it took 9.7 minutes of the H200. The
one widened to 7.8 million weights is not trained. Speeds in training are those of a core of an AMD EPYC with AVX-512
and bfloat16, which some forty other processes shared: ratios say more than images a CPU second. Of ours in bfloat16,
half goes to convolutions, which peers have alike, and a third to neurons. What is marked as of an earlier run was
measured on a core with AVX2. Images of the board are the first of the test part."""


@dataclass(kw_only=True)
class Found:
    """What was measured of a variant."""

    labels: np.ndarray
    """Of the test images."""
    trained: float | None = None
    """Percent, as trained."""
    classes: np.ndarray | None = None
    """That integers tell of the test images."""
    size: float = 0.0
    """Bytes of weights."""
    cycles: float = 0.0
    """An image, predicted."""

    @property
    def right(self) -> float:
        """The share of the test images whose class integers tell, in percent."""
        assert self.classes is not None
        return 100 * float((self.classes == self.labels).mean())


def kept(checkpoint: Path, what: str, measure: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return what ``measure`` gives, from a file if it has measured this very checkpoint before."""
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:12]
    path = FOLDER / "measured" / f"{what}-{digest}.npz"  # Not beside it: that may be in the zoo.
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
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


def board_of(name: str) -> Board:
    """Return the board that a variant runs on."""
    return TINY_BOARD if name == TINY else BOARD


def predicted(path: Path, network: IntegerNetwork, board: Board, test: Dataset, prefix: str = "") -> float:
    """Return the cycles of an image that the model of cycles predicts, the mean of the first PREDICTED test images."""
    found = kept(path, f"{prefix}cycles-{PREDICTED}", lambda: {
        "cycles": predict_cycles(network, test.inputs[:PREDICTED], board.config, keep_maps=False).sum(1),
    })
    return float(found["cycles"].mean())


def board_figures(name: str, path: Path, network: IntegerNetwork, test: Dataset, samples: int) -> list[Figure]:
    """Return what the simulated board does with the first ``samples`` test images."""
    board, title = board_of(name), f"CIFAR-10 {name}"
    inputs = test.inputs[:samples]
    found = kept(path, f"board-{samples}", lambda: on_board(network, board, inputs))
    cycles, clock = float(found["cycles"].mean()), f"at {board.clock / 1e6:g} MHz"
    mismatches = f"{title}: mismatches, {samples} images on the simulated board"
    figures = [
        Figure.at_most(mismatches, int(found["mismatches"]), "values", 0),
        Figure(f"{title}: accuracy on these images", accuracy(found["predictions"], test), "%"),
        Figure(f"{title}: cycles an image", cycles, "cycles"),
    ]
    rate = f"{title}: images a second {clock}"
    if name == TINY:
        figures.append(Figure(f"{title}: an image {clock}", 1e3 * cycles / board.clock, "ms"))
    elif name == "1-2":
        figures.append(Figure.at_least(rate, board.clock / cycles, "1/s", 400))
    else:
        figures.append(Figure(rate, board.clock / cycles, "1/s"))
    return figures


def spent_hours(name: str) -> float | None:
    """Return the hours of a processor core that a variant's training took, or None where it is not known."""
    file = spent_on(name)
    return json.loads(file.read_text()) / 3600 if file.exists() else None


def training_figures(name: str, checkpoint: Checkpoint) -> list[Figure]:
    """Return how long a variant was trained, and what it says of the validation part."""
    epochs, last = checkpoint.recipe.training.epochs, checkpoint.history[-1]
    spent = spent_hours(name)
    figures = [] if spent is None else [Figure(f"CIFAR-10 {name}: training", spent, "CPU hours")]
    if checkpoint.recipe.data.name == CIFAR10_PART.name:
        images = f"{epochs} x {CIFAR10_PART.images:,} images"
        label = f"CIFAR-10 {name}: {CIFAR10_PART.held_out:,} of the validation part, {images}"
        return [*figures, Figure(label, 100 * last["test_accuracy"], "%")]
    label = f"CIFAR-10 {name}: validation part, {epochs} epochs"
    return [Figure(label, 100 * last["validation_accuracy"], "%"), *figures]


def trained_accuracy(name: str, checkpoint: Checkpoint, path: Path, test: Dataset) -> float | None:
    """Return the accuracy on the test images as trained, in percent, of variants where it is measured."""
    if name == TINY:
        return 100 * checkpoint.history[-1]["test_accuracy"]
    if name not in AS_TRAINED:
        return None
    found = kept(path, "trained", lambda: {"classes": predict(checkpoint.network, test.inputs)})
    return accuracy(found["classes"], test)


def integer_classes(path: Path, network: IntegerNetwork, test: Dataset) -> np.ndarray:
    """Return the classes that integers tell of the test images."""
    return kept(path, "integer", lambda: {"classes": predict_integer(network, test.inputs)})["classes"]


def test_images(name: str, root: Path) -> Dataset:
    """Return the test images as a variant takes them; the recipe of one that is trained on may have a part's."""
    return load_dataset(load_recipe(TINY_RECIPE if name == TINY else RECIPE).data, "test", root)


def variant_figures(name: str, root: Path, samples: int) -> tuple[list[Figure], Found]:
    """Return a variant's figures, and what others are compared with."""
    path = trained(name, root)
    checkpoint = load_checkpoint(path)
    test = test_images(name, root)
    title = f"CIFAR-10 {name}"
    figures, found = training_figures(name, checkpoint), Found(labels=test.labels)
    found.trained = trained_accuracy(name, checkpoint, path, test)
    if found.trained is not None:
        figures.append(Figure(f"{title}: {len(test.labels):,} test images, as trained", found.trained, "%"))
    if name == "float32":
        return figures, found
    network = merge_pools(export_network(checkpoint.network))
    found.classes = integer_classes(path, network, test)
    right = accuracy(found.classes, test)
    label = f"{title}: {checkpoint.network.weight_count:,} weights, test images, integer model"
    least = ACCURACIES.get(name)
    figures.append(Figure(label, right, "%") if least is None else Figure.at_least(label, right, "%", least))
    found.size = sum(weight_bytes(checkpoint.network).values())
    figures.append(Figure(f"{title}: bytes of weights", found.size, "bytes"))
    if found.trained is not None:
        figures.append(Figure.at_most(f"{title}: trained less integer", found.trained - right, "points", 0.2))
    found.cycles = predicted(path, network, board_of(name), test)
    figures.append(Figure(f"{title}: predicted cycles of {PREDICTED} images", found.cycles, "cycles"))
    if samples:
        figures += board_figures(name, path, network, test, samples)
    return figures, found


def wide_figures(root: Path) -> list[Figure]:
    """Return what the widened network says and takes, beside the one that it says the same as."""
    path = trained("1-2", root)
    checkpoint = load_checkpoint(path)
    test = load_dataset(checkpoint.recipe.data, "test", root)
    wide, inputs = widen(checkpoint).network, test.inputs[:WIDE_SAMPLES]
    network = merge_pools(export_network(wide))
    classes = kept(path, "integer", lambda: {})["classes"][:WIDE_SAMPLES]
    said = kept(path, f"wide-{WIDE_SAMPLES}", lambda: {"classes": predict_integer(network, inputs)})["classes"]
    cycles = predicted(path, network, BOARD, test, f"{WIDE}-")
    image = compile_network(network, BOARD.config, keep_maps=False, samples=inputs[:1])
    title = f"CIFAR-10 1-2 widened to {wide.weight_count:,} weights in SDRAM, not trained"
    return [
        Figure(f"{title}: slots that stream in for an image", image.registers[Register.STREAM_SLOTS], "slots"),
        Figure(f"{title}: other classes than 1-2, {WIDE_SAMPLES} images", int((said != classes).sum()), "images"),
        Figure(f"{title}: predicted cycles of {PREDICTED} images", cycles, "cycles"),
        Figure(f"{title}: images a second at {BOARD.clock / 1e6:g} MHz", BOARD.clock / cycles, "1/s"),
    ]


def quick_found(name: str, root: Path) -> Found:
    """Return what integers tell of the test images, of a variant that is not measured now."""
    path, test = trained(name, root), test_images(name, root)
    network = merge_pools(export_network(load_checkpoint(path).network))
    return Found(labels=test.labels, classes=integer_classes(path, network, test))


def comparisons(found: dict[str, Found], root: Path) -> list[Figure]:
    """Return how variants that were measured compare with others."""
    figures = []
    if {"float32", "1-2"} <= found.keys():
        less = (found["float32"].trained or 0.0) - (found["1-2"].trained or 0.0)
        figures.append(Figure.at_most("CIFAR-10 float32 less 1-2", less, "points", 2))
    for other, (name, limit) in COMPARED.items():
        if other not in found:
            continue
        less = (found.get(name) or quick_found(name, root)).right - found[other].right
        label = f"CIFAR-10 {name} less {other}"
        figures.append(
            Figure(label, less, "points") if limit is None else Figure.at_most(label, less, "points", limit)
        )
    return figures


def table(found: dict[str, Found]) -> list[list[str]]:
    """Return the rows of the page's table, the first of them its head."""
    rows = [[
        "network", "trained on", "kB", "as trained, %", "integers, %", "cycles, predicted", "images a second",
    ]]
    for name, each in found.items():
        hours = spent_hours(name)
        core = "a processor core" + ("" if hours is None else f", {hours:.3f} h")
        how = GPUS.get(name, core) if name != PRUNED else f"{core}, and {GPUS[name]}"
        right = "" if each.classes is None else f"{each.right:.2f}"
        board = board_of(name)
        rows.append([
            name, how, f"{each.size / 1e3:.1f}" if each.size else "",
            "" if each.trained is None else f"{each.trained:.2f}", right,
            f"{each.cycles:,.0f}" if each.cycles else "",
            f"{board.clock / each.cycles:.0f}, {board.config.name}" if each.cycles else "",
        ])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/cifar10.py --samples 20")
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"images of 1-2 on the board (default: {SAMPLES})")
    parser.add_argument("--variants", nargs="+", choices=PARTS, default=list(PARTS),
                        help="default: all; figures of others are kept")
    arguments, root = parser.parse_args(), data_root()
    register()
    figures, found = [], {}
    counts = {"1-2": arguments.samples, **BOARD_SAMPLES}
    for name in arguments.variants:
        if name == WIDE:
            figures += wide_figures(root)
            continue
        if name == SPEED:
            from cifar10_speed import figures as speed_figures  # Of the dependency group "bench".

            figures += speed_figures()
            continue
        made, found[name] = variant_figures(name, root, counts.get(name, 0))
        figures += made
    others = set(PARTS) - set(arguments.variants)
    save(
        "cifar10", [*figures, *comparisons(found, root)], {"note": NOTE, "tables": {"networks": table(found)}},
        lambda name: parts_of(name) <= others,
    )


def parts_of(name: str) -> set[str]:
    """Return which parts a figure or a row of the table is of, by its name; a comparison is of two."""
    text = name.removeprefix("CIFAR-10").lstrip(" ,")
    if text.startswith("training at"):
        return {SPEED}
    if text.startswith("1-2 widened"):
        return {WIDE}
    return set(text.partition(":")[0].partition(",")[0].split(" less "))


if __name__ == "__main__":
    main()
