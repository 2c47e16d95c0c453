"""CIFAR-10 on the large core: a million 1-bit weights, its variants, and what the chip does a second; and on tiny.

Needs the data sets under SPIKEPLANE_DATA, the teacher that the recipe names, and for `speed` the packages of the
dependency group "bench". Trainings lie in build/bench/cifar10/, and beside each what was measured of it; what is
missing there is trained, or measured. What is trained from the start needs a GPU; what is trained on, and the network
for tiny, a processor core.
"""

import argparse
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from accuracy import data_root, run_on_board
from cifar10_part import DATA as PART
from cifar10_part import HELD_OUT as PART_HELD_OUT
from cifar10_part import IMAGES as PART_IMAGES
from cifar10_part import register
from cifar10_variants import (
    BOARD,
    PRUNED,
    RECIPE,
    SPENT,
    TINY,
    TINY_BOARD,
    TINY_RECIPE,
    TUNED,
    VARIANTS,
    WHOLE,
    trained,
)
from cifar10_wide import widen
from figures import Figure, save
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
AS_TRAINED = ("1-2", "float32", "memory-free")
"""Variants whose test accuracy as trained is measured as well."""
COMPARED = (("1-2", "2-16", 0.5), ("2-16", PRUNED, 1), ("1-2", "1-4", None), ("1-2", "1-8", None))
"""By how many points of percent the second one may be worse than the first."""
FEW_TESTS = 2_500
"""Test images of what is trained on."""
SAMPLES = 500
BOARD_SAMPLES = {TINY: 50}
"""Images that run on the simulated board: SAMPLES of 1-2, and some of its variants."""
PREDICTED, WIDE_SAMPLES = 8, 40


NOTE = """\
One seed. What is trained from the start was trained on an H100, but for tiny; of two networks the other, with residual
blocks, was given up after 36 epochs: 81.8 against 82.9 % of the validation part after 32. The first eight epochs of 1-2
followed the schedule of a training of 260, the first six of tiny that of 24. 1-2 took nine minutes of the H100, 2-16
three, for 36 epochs in place of 321. 2-16 pruned has lost 30 % of all channels by spike rank and was trained on once
over 2,500 images, all that two shared cores without AVX-512 had time for; 1-4 and 1-8, which would begin with 1-2, were
not trained. Nor was the widened network: by estimate an hour of the H100, or five hours an epoch of such a core. CPU
hours and speeds are those of one core of an AMD EPYC with AVX2, whose products are in float32. Images of the board are
the first of the test part."""


@dataclass(kw_only=True)
class Found:
    """What was measured of a variant."""

    labels: np.ndarray
    """Of the test images."""
    trained: float | None = None
    """Percent, as trained."""
    classes: np.ndarray | None = None
    """That integers tell of the first test images."""
    size: float = 0.0
    """Bytes of weights."""
    cycles: float = 0.0
    """An image, predicted."""

    def less(self, other: "Found") -> tuple[float, int]:
        """Return by how many points of percent another one is worse on the images that both saw, and their number."""
        assert self.classes is not None and other.classes is not None
        count = min(len(self.classes), len(other.classes))
        right, others = (
            100 * float((each.classes[:count] == self.labels[:count]).mean()) for each in (self, other)
            if each.classes is not None
        )
        return right - others, count


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


def training_figures(name: str, checkpoint: Checkpoint, path: Path) -> list[Figure]:
    """Return how long a variant was trained, and what it says of the validation part."""
    epochs, last = checkpoint.recipe.training.epochs, checkpoint.history[-1]
    spent = path.with_name(SPENT)
    figures = []
    if spent.exists():
        figures.append(Figure(f"CIFAR-10 {name}: training", json.loads(spent.read_text()) / 3600, "CPU hours"))
    if checkpoint.recipe.data.name == PART:
        label = f"CIFAR-10 {name}: {PART_HELD_OUT:,} of the validation part, {PART_IMAGES:,} images once"
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


def integer_classes(name: str, path: Path, network: IntegerNetwork, test: Dataset) -> np.ndarray:
    """Return the classes that integers tell of the test images, of what is trained on of the first FEW_TESTS."""
    if name not in (*TUNED, PRUNED):
        return kept(path, "integer", lambda: {"classes": predict_integer(network, test.inputs)})["classes"]
    few = test.inputs[:FEW_TESTS]
    return kept(path, f"integer-{FEW_TESTS}", lambda: {"classes": predict_integer(network, few)})["classes"]


def variant_figures(name: str, root: Path, samples: int) -> tuple[list[Figure], Found]:
    """Return a variant's figures, and what others are compared with."""
    path = trained(name, root)
    checkpoint = load_checkpoint(path)
    test = load_dataset(load_recipe(TINY_RECIPE if name == TINY else RECIPE).data, "test", root)
    title = f"CIFAR-10 {name}"
    figures, found = training_figures(name, checkpoint, path), Found(labels=test.labels)
    found.trained = trained_accuracy(name, checkpoint, path, test)
    if found.trained is not None:
        figures.append(Figure(f"{title}: {len(test.labels):,} test images, as trained", found.trained, "%"))
    if name == "float32":
        return figures, found
    network = merge_pools(export_network(checkpoint.network))
    found.classes = integer_classes(name, path, network, test)
    right, count = accuracy(found.classes, test), len(found.classes)
    which = "test images" if count == len(test.labels) else f"the first {count:,} test images"
    label = f"{title}: {checkpoint.network.weight_count:,} weights, {which}, integer model"
    figures.append(Figure.at_least(label, right, "%", 90) if name == "1-2" else Figure(label, right, "%"))
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
    wide, inputs = widen(checkpoint), test.inputs[:WIDE_SAMPLES]
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


def comparisons(found: dict[str, Found]) -> list[Figure]:
    """Return how variants compare with each other, those that were measured."""
    figures = []
    if {"float32", "1-2"} <= found.keys():
        less = (found["float32"].trained or 0.0) - (found["1-2"].trained or 0.0)
        figures.append(Figure.at_most("CIFAR-10 float32 less 1-2", less, "points", 2))
    for name, other, limit in COMPARED:
        if {name, other} <= found.keys():
            less, count = found[name].less(found[other])
            label = f"CIFAR-10 {name} less {other}, {count:,} test images"
            figures.append(
                Figure(label, less, "points") if limit is None else Figure.at_most(label, less, "points", limit)
            )
    return figures


def table(found: dict[str, Found]) -> list[list[str]]:
    """Return the rows of the page's table, the first of them its head."""
    rows = [[
        "network", "trained on", "kB", "as trained, %", "integers, %", "test images", "cycles, predicted",
        "images a second",
    ]]
    for name, each in found.items():
        how = "an H100" if name in WHOLE else "a processor core"
        count = len(each.labels) if each.classes is None else len(each.classes)
        right = "" if each.classes is None else f"{100 * (each.classes == each.labels[:count]).mean():.2f}"
        board = board_of(name)
        rows.append([
            name, how, f"{each.size / 1e3:.1f}" if each.size else "",
            "" if each.trained is None else f"{each.trained:.2f}", right, f"{count:,}",
            f"{each.cycles:,.0f}" if each.cycles else "",
            f"{board.clock / each.cycles:.0f}, {board.config.name}" if each.cycles else "",
        ])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/cifar10.py --samples 20")
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"images of 1-2 on the board (default: {SAMPLES})")
    parser.add_argument("--variants", nargs="+", choices=PARTS, default=list(PARTS), help="default: all")
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
    save("cifar10", [*figures, *comparisons(found)], {"note": NOTE, "tables": {"networks": table(found)}})


if __name__ == "__main__":
    main()
