"""BESTformer: what its parts give on digits, and small ones whole on the simulated board, on real data.

Networks are small and trained briefly, so that one processor core is enough. MNIST and N-CARS need the data sets under
SPIKEPLANE_DATA, the digits nothing. Finished trainings and measurements in build/bench/bestformer are used again; an
interrupted one goes on.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from accuracy import data_root, run_on_board
from attention import attention_figures
from figures import Figure, save
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.data.sets.datasets import load_dataset
from spikeplane.network import model
from spikeplane.pruning.costs import weight_bytes
from spikeplane.reports.energy import cost
from spikeplane.training.net.export import export_network
from spikeplane.training.net.streams import Embedding, Grid
from spikeplane.training.recipe.recipes import Recipe, load_recipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.evaluate import compare, predict, predict_integer
from spikeplane.training.run.train import train
from spikeplane.writing import write_json
from spikeplane_hw.config import LARGE

FOLDER = Path("build/bench/bestformer")
PICTURE = Path("docs/pictures/bestformer.png")
OPERATION_SAMPLES, AGREEMENT_SAMPLES, BOARD_SAMPLES = 50, 100, 20
"""Test samples on which operations are counted, on which spikes are compared, and that run on the simulated board."""
EPOCHS = {"mnist": 1, "ncars": 6}
"""Of data sets whose recipes have more."""
OTHERS = {"mnist": ("MNIST", 98.8), "ncars": ("N-CARS part", None)}
"""Titles of other data sets, and their targets in percent."""
NOTE = """\
Small networks, trained briefly on a processor core, after the paper's method and not at its scale: 1 block, 64
channels, 4 heads, 16 tokens; digits 25 epochs of 1,437 samples, one seed, and MNIST one epoch of 60,000, for want
of time. Learning rate, loss and tokenizer were chosen by the accuracy on 300 held-out training digits, of 8 and 20
epochs; for MNIST and N-CARS nothing was tried. A standard error is 1.0 points on the 360 test digits, 0.1 on MNIST,
1.1 on N-CARS. Distilled networks learn from the float32 network of the same seed. Operations of float32 leave out
the products of attention. Cycles are those of the network alone."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Which parts of the method a network is trained with."""

    title: str
    binary: bool = True
    reversible: bool = False
    distilled: bool = False


VARIANTS = {
    "float32": Variant(title="float32 weights", binary=False),
    "binary": Variant(title="binary"),
    "reversible": Variant(title="binary, reversible", reversible=True),
    "distilled": Variant(title="binary, distilled", distilled=True),
    "both": Variant(title="binary, reversible and distilled", reversible=True, distilled=True),
}
"""In the order in which they are trained: the first one teaches those that are distilled."""


def recipe_of(data: str, key: str, seed: int) -> Recipe:
    """Return the recipe of a variant, which holds no samples out: what was chosen by them, is."""
    variant = VARIANTS[key]
    reversible = str(variant.reversible).lower()
    overrides = ["data.validation=0", f"seed={seed}", f"network.transformer.reversible={reversible}"]
    if data in EPOCHS:
        overrides += [f"training.epochs={EPOCHS[data]}", "training.warmup_epochs=0"]
    if variant.distilled:
        overrides.append(f'training.teacher.checkpoint="{FOLDER}/{data}-float32-{seed}/checkpoint.safetensors"')
    recipe = load_recipe(f"{data}_bestformer{'_distilled' if variant.distilled else ''}", overrides)
    return recipe if variant.binary else recipe.float32()


def trained(data: str, key: str, seed: int, root: Path) -> Path:
    """Return the checkpoint of a variant."""
    return train(recipe_of(data, key, seed), FOLDER / f"{data}-{key}-{seed}", root)


def kept(file: str, make: Callable[[], dict]) -> dict:
    """Return what ``make`` measured, or measures now."""
    path = FOLDER / f"{file}.json"
    if not path.exists():
        write_json(path, make())
    return json.loads(path.read_text())


def measure(data: str, key: str, seed: int, root: Path) -> dict:
    """Return accuracy on the test part, of the integer model where there is one, bytes of weights, and operations."""
    loaded = load_checkpoint(trained(data, key, seed, root))
    test, network = load_dataset(loaded.recipe.data, "test", root), loaded.network
    found = cost(network, test.inputs[:OPERATION_SAMPLES])
    result = {
        "bytes": sum(weight_bytes(network).values()),
        "operations": found.accumulates + found.multiply_accumulates,
    }
    if not VARIANTS[key].binary:
        return result | {"accuracy": 100 * float((predict(network, test.inputs) == test.labels).mean())}
    integers = export_network(network)
    agreement = compare(network, integers, test.inputs[:AGREEMENT_SAMPLES])
    return result | {
        "accuracy": 100 * float((predict_integer(integers, test.inputs) == test.labels).mean()),
        "spikes": 100 * min(agreement.spikes.values()), "predictions": 100 * agreement.predictions,
        "rates": {name: agreement.rates[name] for name in network.neuron_shapes},
    }


def on_board(data: str, key: str, root: Path) -> dict:
    """Return what a network of the first seed takes and says on the simulated board."""
    loaded = load_checkpoint(trained(data, key, 1, root))
    inputs = load_dataset(loaded.recipe.data, "test", root).inputs[:BOARD_SAMPLES]
    network = export_network(loaded.network)
    result = run_on_board(network, LARGE, inputs, data, keep_maps=False)
    predicted = predict_cycles(network, inputs, LARGE, keep_maps=False)
    cycles = dict(zip(network.names, result.cycles.mean(0).tolist(), strict=True))
    products = sum(count for name, count in cycles.items() if name.endswith((".map", ".picked")))
    return {
        "mismatches": result.total, "compared": sum(result.compared.values()), "cycles": sum(cycles.values()),
        "attention": products, "heads": sum(count for name, count in cycles.items() if name.startswith("heads")),
        "off": 100 * float(np.abs(predicted.sum(1) / result.cycles.sum(1) - 1).max()), "layers": cycles,
    }


def eight_bits(root: Path) -> dict:
    """Return the accuracy of the trained digits network with streams of 4 fraction bits, and how many need 9 bits."""
    loaded = load_checkpoint(trained("digits", "reversible", 1, root))
    test = load_dataset(loaded.recipe.data, "test", root)
    for module in loaded.network.modules():
        if isinstance(getattr(module, "grid", None), Grid):
            module.grid = Grid(4)
    assert isinstance(loaded.network.layers["embedding"], Embedding)
    network = export_network(loaded.network)
    streams = model.run(network, test.inputs, trace=True, counters=False).streams.values()
    beyond = sum(int(((each < -128) | (each > 127)).sum()) for each in streams)
    return {
        "accuracy": 100 * float((predict_integer(network, test.inputs) == test.labels).mean()),
        "beyond": 100 * beyond / sum(each.numel() for each in streams),
    }


def ablation(found: dict[str, list[dict]]) -> list[Figure]:
    """Return the figures of all variants on digits; ``found`` has those of each seed."""
    title, count = "digits", len(found["both"])
    seeds = f"mean of {count} seeds" if count > 1 else "one seed"

    def mean(key: str, what: str = "accuracy") -> float:
        return fmean(each[what] for each in found[key])

    result = [
        Figure(f"{title}, {VARIANTS[key].title}: accuracy, {seeds}", mean(key), "%") for key in found
    ]
    result += [
        Figure(f"{title}, {VARIANTS[key].title}: greatest less least accuracy", max(values) - min(values), "points")
        for key, each in found.items() if len(values := [one["accuracy"] for one in each]) > 1
    ]
    for what, unit in (("bytes", "bytes"), ("operations", "operations a sample")):
        result += [Figure(f"{title}, {VARIANTS[key].title}: {what}", mean(key, what), unit)
                   for key in ("float32", "binary", "both")]
    lost = mean("float32") - mean("binary")
    back = mean("both") - mean("binary")
    return [
        *result,
        Figure(f"{title}: what binarization loses", lost, "points"),
        Figure.at_least(f"{title}: what of it both parts bring back, in points {back:.2f}",
                        100 * back / lost if lost > 0 else 100.0, "%", 50),
        Figure.at_least(f"{title}, both parts, integer model", mean("both"), "%", 96),
        Figure(f"{title}, both parts, least agreement of a layer's spikes with the export's", mean("both", "spikes"),
               "%"),
        Figure(f"{title}, both parts, agreement of predictions with the export's", mean("both", "predictions"), "%"),
    ]


def board_figures(title: str, board: dict) -> list[Figure]:
    """Return the figures of a network on the simulated board."""
    cycles = board["cycles"]
    return [
        Figure.at_most(f"{title}, {BOARD_SAMPLES} samples on the simulated large board, of {board['compared']:,} "
                       "values different", board["mismatches"], "values", 0),
        Figure(f"{title}: cycles a sample, large", cycles, "cycles"),
        Figure.at_most(f"{title}: predicted cycles, off by at most", board["off"], "%", 10),
        Figure(f"{title}: the two attention products' part of the cycles", 100 * board["attention"] / cycles, "%"),
        Figure(f"{title}: the heads' part of the cycles", 100 * board["heads"] / cycles, "%"),
    ]


def draw(found: dict[str, list[dict]]) -> None:
    """Draw the accuracies of all variants, a dot for each seed."""
    figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
    for place, each in enumerate(found.values()):
        values = [one["accuracy"] for one in each]
        axis.plot(values, [place] * len(values), "o", color=f"C{place}", alpha=0.6)
        axis.plot(fmean(values), place, "|", color=f"C{place}", markersize=18, markeredgewidth=2)
    axis.set_yticks(range(len(found)), [VARIANTS[key].title for key in found], fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel("test accuracy on digits, %")
    axis.grid(color="#dde3ec", linewidth=0.6)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of the digits; default: 1 2 3")
    parser.add_argument("--others", nargs="*", choices=OTHERS, default=list(OTHERS),
                        help="data sets beside the digits; default: all")
    arguments, root = parser.parse_args(), data_root()
    found: dict[str, list[dict]] = {key: [] for key in VARIANTS}
    for seed in arguments.seeds:
        for key, each in found.items():
            each.append(kept(f"digits-{key}-{seed}", partial(measure, "digits", key, seed, root)))
    draw(found)
    result = ablation(found)
    result += board_figures("digits, both parts", kept("digits-board", partial(on_board, "digits", "both", root)))
    narrow = kept("digits-eight-bits", partial(eight_bits, root))
    result += [
        Figure("digits, binary, reversible, seed 1, 16-bit streams: accuracy", found["reversible"][0]["accuracy"], "%"),
        Figure("digits, the same, streams of 4 fraction bits, not trained so: accuracy", narrow["accuracy"], "%"),
        Figure("digits, the same: numbers of streams that 8 bits do not hold", narrow["beyond"], "%"),
    ]
    for data in arguments.others:
        title, target = OTHERS[data]
        measured = kept(f"{data}-reversible-1", partial(measure, data, "reversible", 1, root))
        name = f"{title}, binary, reversible, seed 1, integer model"
        result += [
            Figure(name, measured["accuracy"], "%") if target is None else
            Figure.at_least(name, measured["accuracy"], "%", target),
            Figure(f"{title}, binary, reversible: bytes", measured["bytes"], "bytes"),
            Figure(f"{title}, binary, reversible: operations", measured["operations"], "operations a sample"),
            *board_figures(title, kept(f"{data}-board", partial(on_board, data, "reversible", root))),
        ]
    result += attention_figures()
    save("bestformer", result, {"note": NOTE, "picture": "pictures/bestformer.png"})


if __name__ == "__main__":
    main()
