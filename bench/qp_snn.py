"""QP-SNN: rescaled 2-bit weights and pruning by spike rank, what each gives, on MNIST and N-CARS; its neighbours.

Networks are small and trained briefly, so that one processor core is enough. Needs the data sets under
SPIKEPLANE_DATA. Finished trainings and measurements in build/bench/qp_snn are used again; an interrupted one goes on.
"""

import argparse
from pathlib import Path
from statistics import fmean, stdev

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import qp_snn_cifar10
import qp_snn_converted
import qp_snn_large
import qp_snn_signed
from accuracy import data_root
from cifar10_variants import BOARD
from figures import Figure, save
from qp_snn_networks import (
    BASELINE,
    CONFIG,
    DISTILLED,
    FOLDER,
    HALF,
    LEVELS,
    PRUNED,
    TASKS,
    WHOLE,
    Measured,
    Variant,
    channels_left,
    measure,
    on_board,
)

PARTS = (*TASKS, "curves", "cifar10", "distilled", "converted", "signed", "resnet20", "resnet20-board")
PICTURE = Path("docs/pictures/qp_snn.png")
NAMES = {
    "float32": "float32", "vanilla": "vanilla 2 bits", "rescaled": "ReScaW 2 bits", "rescaled-4": "ReScaW 4 bits",
    "rescaled-8": "ReScaW 8 bits", "q-snn": "Q-SNN 1-2", "memory-free": "1 bit, memory-free",
    "distilled": "ReScaW 2 bits, potentials of float32 (MD-SNN)",
}
CRITERIA = {"l1": "L1", "svs": "SVS", "rate": "firing rate", "random": "chance"}
COLOURS = {
    "float32": "#333333", "rescaled": "#0b6e99", "rescaled-4": "#3a9d5d", "rescaled-8": "#d1495b", "q-snn": "#e08e00",
    "memory-free": "#7a4fa3",
}
"""Of what the pictures show."""
NOTE = """\
Small networks, trained briefly on a processor core, after the paper's method and not at its scale: MNIST on 20,000
images, 5 epochs and 5 of fine-tuning; N-CARS on 2,700 recordings, 10 epochs and 10. AdamW, 0.01, then 0.003, which of
0.001, 0.003 and 0.01 was best on held-out images of MNIST's first seed. Nothing was chosen by test accuracies. A
standard error is 0.15 points on MNIST (10,000 images), 1.1 on N-CARS (1,000 recordings). Pruned networks have the
channels that a search by spike rank, on held-out samples, leaves of the first seed's ReScaW network at half of the
operations, or the part that is named; the criterion decides which. Operations and cycles are those of the first test
samples; cycles are predicted for `small` unless measured. ResNet-20 has random weights that fire about as often as
trained ones."""
Found = dict[Variant, list[Measured]]
"""Of each variant the figures by seed."""


def mean(found: Found, key: str, variant: Variant) -> float:
    """Return the mean over seeds."""
    return fmean(getattr(each, key) for each in found[variant])


def called(variant: Variant) -> str:
    """Return a variant in words."""
    if variant.criterion is None:
        return NAMES[variant.weights]
    level = "" if variant.left == HALF else f" to {variant.left:.0%} of operations"
    return f"{NAMES[variant.weights]}, pruned by {CRITERIA[variant.criterion]}{level}"


def accuracies(title: str, found: Found) -> list[Figure]:
    """Return the accuracy of every variant."""
    result = []
    for variant, seeds in found.items():
        whose = f"mean of {len(seeds)} seeds" if len(seeds) > 1 else "one seed"
        result.append(Figure(f"{title}, {called(variant)}: accuracy, {whose}", mean(found, "accuracy", variant), "%"))
    return result


def figures(data: str, found: Found, root: Path) -> list[Figure]:
    """Return the figures of a data set."""
    task, board, left = TASKS[data], on_board(data, root), channels_left(data, HALF, root)
    title, result = task.title, accuracies(task.title, found)
    for key, unit in (("bytes", "bytes"), ("operations", "operations a sample"), ("cycles", "cycles a sample")):
        result += [Figure(f"{title}, {called(each)}: {key}", mean(found, key, each), unit) for each in (WHOLE, PRUNED)]
    result.append(Figure(f"{title}, float32: bytes", mean(found, "bytes", Variant("float32")), "bytes"))

    def less(one: Variant, other: Variant) -> float:
        return mean(found, "accuracy", one) - mean(found, "accuracy", other)

    channels = ", ".join(f"{name} {1 - part:.0%}" for name, part in left.items())
    operations = 100 * mean(found, "operations", PRUNED) / mean(found, "operations", WHOLE)
    spread = [each.accuracy for each in found[PRUNED]]
    name = f"{title}, pruned by SVS"
    return [
        *result,
        Figure(f"{name}, standard deviation of seeds", stdev(spread) if len(spread) > 1 else 0.0, "points"),
        Figure.at_least(f"{title}, both less the pruned vanilla baseline (L1)", less(PRUNED, BASELINE), "points", 0),
        Figure(f"{title}: channels removed", channels, ""),
        Figure.at_least(f"{title}, ReScaW 2 bits less float32", less(WHOLE, Variant("float32")), "points", -0.2),
        Figure.at_least(f"{title}, ReScaW 2 bits, pruned by SVS less unpruned", less(PRUNED, WHOLE), "points", -0.3),
        Figure.at_most(f"{name}: operations left", operations, "%", 50),
        Figure.at_least(f"{name} less by L1", less(PRUNED, Variant("rescaled", "l1")), "points", 0),
        Figure.at_most(f"{name}, {task.board_samples} samples on the simulated board: mismatches",
                       board["mismatches"], "values", 0),
        Figure(f"{name}, on the simulated board: cycles measured", board["cycles"], "cycles a sample"),
        Figure(f"{name}, the same samples: cycles predicted", board["predicted"], "cycles a sample"),
    ]


def table(found: Found, core: str = CONFIG.name) -> list[list[str]]:
    """Return the rows of the table of a data set, the first of them its head; means of the seeds."""
    rows = [["network", "seeds", "accuracy, %", "kB", "operations", f"cycles on `{core}`"]]
    for variant, seeds in found.items():
        cycles = mean(found, "cycles", variant)
        rows.append([
            called(variant), str(len(seeds)), f"{mean(found, 'accuracy', variant):.2f}",
            f"{mean(found, 'bytes', variant) / 1e3:.1f}", f"{mean(found, 'operations', variant):,.0f}",
            f"{cycles:,.0f}" if cycles else "",
        ])
    return rows


def draw(found: Found) -> None:
    """Draw accuracy over bytes and over cycles: a line for each number of bits, the other methods as points."""
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.2), layout="constrained", sharey=True)
    for axis, key, title in zip(axes, ("bytes", "cycles"), ("bytes of weights", "cycles a sample"), strict=True):
        for weights, colour in COLOURS.items():
            line = [Variant(weights), *(Variant(weights, "svs", level) for level in LEVELS)]
            points = [(mean(found, key, each), mean(found, "accuracy", each)) for each in line if each in found]
            points = [point for point in points if point[0]]
            if points:
                axis.plot(*zip(*points, strict=True), marker="o" if len(points) > 1 else "s", color=colour,
                          label=NAMES[weights])
        axis.set_xlabel(title)
        axis.grid(color="#dde3ec", linewidth=0.6)
    axes[0].set_xscale("log")
    axes[1].locator_params(axis="x", nbins=5)
    axes[0].set_ylabel("test accuracy, %")
    axes[0].legend(fontsize=8)
    figure.suptitle("MNIST: networks as trained, and joined with them those pruned by SVS", fontsize=10)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)
    plt.close(figure)


def distilled(seeds: list[int], root: Path) -> list[Figure]:
    """Return what potentials that follow those of the float32 twin give."""
    found = {each: [measure("mnist", each, seed, root) for seed in seeds] for each in (DISTILLED, WHOLE)}
    gained = mean(found, "accuracy", DISTILLED) - mean(found, "accuracy", WHOLE)
    return [
        *accuracies("MNIST", {DISTILLED: found[DISTILLED]}),
        Figure(f"MNIST, {NAMES['distilled']} less without", gained, "points"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for data in TASKS:
        parser.add_argument(f"--{data}-seeds", type=int, nargs="+", default=[1, 2, 3], help="default: 1 2 3")
    parser.add_argument("--curve-seeds", type=int, nargs="+", default=[1], help="of MNIST's picture; default: 1")
    parser.add_argument("--neighbour-seeds", type=int, nargs="+", default=[1, 2, 3], help="default: 1 2 3")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    arguments, root = parser.parse_args(), data_root()
    parts, result, tables = arguments.parts, [], {}
    for data, task in TASKS.items():
        if data not in parts:
            continue
        seeds = getattr(arguments, f"{data}_seeds")
        found = {variant: [measure(data, variant, seed, root) for seed in seeds] for variant in task.variants}
        result += figures(data, found, root)
        tables[data] = table(found)
        curves = {
            variant: [measure(data, variant, seed, root) for seed in arguments.curve_seeds] for variant in task.curves
        } if "curves" in parts else {}
        rest = {variant: each for variant, each in curves.items() if variant not in found}
        if rest:
            tables[f"{data}-curves"] = table(rest)
            result += accuracies(task.title, rest)
        if task.curves:
            # Points of one picture are of the same seeds.
            draw({variant: each[:len(arguments.curve_seeds)] for variant, each in found.items()} | curves)
    if "cifar10" in parts:
        folder = FOLDER / "cifar10"
        found = {variant: [qp_snn_cifar10.measured(variant, folder, root)] for variant in qp_snn_cifar10.VARIANTS}
        result += qp_snn_cifar10.figures({variant: each for variant, (each,) in found.items()}, called)
        tables["cifar10"] = table(found, BOARD.config.name)
    if "distilled" in parts:
        result += distilled(arguments.neighbour_seeds, root)
    if "converted" in parts:
        result += qp_snn_converted.figures(FOLDER / "converted", arguments.neighbour_seeds, root)
    if "signed" in parts:
        result += qp_snn_signed.figures()
    if "resnet20" in parts:
        result += qp_snn_large.figures(FOLDER / "resnet20", root)
    if "resnet20-board" in parts:
        result += qp_snn_large.board_figures(FOLDER / "resnet20", root)
    save("qp_snn", result, {"note": NOTE, "picture": "pictures/qp_snn.png", "tables": tables})


if __name__ == "__main__":
    main()
