"""BESTformer: what its parts give on digits, and small ones whole on the simulated board, on real data.

Networks are small and trained briefly, so that one processor core is enough. MNIST and N-CARS need the data sets under
SPIKEPLANE_DATA, the digits nothing. Finished trainings and measurements in build/bench/bestformer are used again; an
interrupted one goes on.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from accuracy import ZOO, data_root, run_on_board
from attention import attention_figures
from figures import RESULTS, Figure, save
from spikeplane.boards import BOARDS
from spikeplane.compiler.compile import random_samples
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.compiler.placement import place
from spikeplane.data.sets.datasets import load_dataset
from spikeplane.network import model
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import InputFormat
from spikeplane.pruning.costs import weight_bytes
from spikeplane.reports.energy import cost
from spikeplane.training.net.export import export_network
from spikeplane.training.net.networks import SpikingNetwork
from spikeplane.training.net.streams import Embedding, Grid, Heads
from spikeplane.training.net.transformer import TransformerBlock
from spikeplane.training.recipe.recipes import Recipe, load_recipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.evaluate import compare, predict, predict_integer
from spikeplane.training.run.step import Answering
from spikeplane.training.run.train import train
from spikeplane.writing import write_json
from spikeplane_hw.config import BURST_BITS, LARGE
from torch import Tensor
from whole_networks import DENSITY, lively_network

FOLDER = Path("build/bench/bestformer")
PICTURE = Path("docs/pictures/bestformer.png")
OPERATION_SAMPLES, AGREEMENT_SAMPLES, BOARD_SAMPLES = 50, 100, 20
"""Test samples on which operations are counted, on which spikes are compared, and that run on the simulated board."""
PUBLISHED_IMAGES = 4
"""Random ones, with which 4-384 runs there."""
FIRST_SEED = ("narrow",)
"""Variants that are trained from the first seed alone."""
ROOM = replace(
    LARGE, name="room", weight_depth=1 << 14, spike_depth=1 << 15, parameter_depth=1 << 11, state_depth=1 << 16,
    row_flag_count=1 << 13, layer_count=1 << 7, pass_count=1 << 10,
)
"""A large core with memories in which 4-384 fits; there is none such."""
NARROW = 4
"""Fraction bits of streams that 8 bits hold nearly."""
EPOCHS = {"ncars": 6}
"""Of data sets whose recipes have more."""
OTHERS = {"mnist": ("MNIST", 98.8), "ncars": ("N-CARS part", None)}
"""Titles of other data sets, and their targets in percent."""
NOTE = """\
Small networks, trained briefly on a processor core, after the paper's method and not at its scale: 1 block, 64
channels, 4 heads, 16 tokens; digits 25 epochs of 1,437 samples, MNIST 10 of 60,000. Learning rate, loss and tokenizer
were chosen by the accuracy on 300 held-out training digits, of 8 and 20 epochs. For MNIST nothing was tried, but its
tokenizer is wider than a first one, of which one epoch was measured on the test images: 95.46 %. A standard
error is 1.0 points on the 360 test digits, 0.1 on MNIST. Distilled networks learn from the float32 network of the same
seed. Operations of float32 leave out the products of attention. Cycles are those of the network alone."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Which parts of the method a network is trained with."""

    title: str
    binary: bool = True
    reversible: bool = False
    distilled: bool = False
    fraction_bits: int | None = None
    """Of streams; None: those of the recipe."""


VARIANTS = {
    "float32": Variant(title="float32 weights", binary=False),
    "binary": Variant(title="binary"),
    "reversible": Variant(title="binary, reversible", reversible=True),
    "distilled": Variant(title="binary, distilled", distilled=True),
    "both": Variant(title="binary, reversible and distilled", reversible=True, distilled=True),
    "narrow": Variant(title="binary, reversible, streams of 4 fraction bits", reversible=True, fraction_bits=NARROW),
}
"""In the order in which they are trained: the first one teaches those that are distilled."""


def recipe_of(data: str, key: str, seed: int) -> Recipe:
    """Return the recipe of a variant, which holds no samples out: what was chosen by them, is."""
    variant = VARIANTS[key]
    reversible = str(variant.reversible).lower()
    overrides = ["data.validation=0", f"seed={seed}", f"network.transformer.reversible={reversible}"]
    if variant.fraction_bits is not None:
        overrides.append(f"layers.embedding.transformer.fraction_bits={variant.fraction_bits}")
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
    return run(export_network(loaded.network), inputs, data)


def run(network: IntegerNetwork, inputs: np.ndarray, title: str) -> dict:
    """Return what a network takes and says on the simulated large board."""
    result = run_on_board(network, LARGE, inputs, title, keep_maps=False)
    predicted = predict_cycles(network, inputs, LARGE, keep_maps=False)
    cycles = dict(zip(network.names, result.cycles.mean(0).tolist(), strict=True))
    products = sum(count for name, count in cycles.items() if name.endswith((".map", ".picked")))
    return {
        "mismatches": result.total, "compared": sum(result.compared.values()), "cycles": sum(cycles.values()),
        "attention": products, "heads": sum(count for name, count in cycles.items() if name.startswith("heads")),
        "off": 100 * float(np.abs(predicted.sum(1) / result.cycles.sum(1) - 1).max()), "layers": cycles,
    }


def narrow_streams(root: Path) -> dict:
    """Return the accuracy of the trained digits network with streams of NARROW fraction bits, not trained so.

    And how many numbers of streams need more than 8 bits, of it and of the network that was trained so.
    """
    test = load_dataset(recipe_of("digits", "reversible", 1).data, "test", root)
    result = {}
    for key in ("reversible", "narrow"):
        network = load_checkpoint(trained("digits", key, 1, root)).network
        for module in network.modules():
            if isinstance(module, Embedding | TransformerBlock | Heads):
                module.grid = Grid(NARROW)
        integers = export_network(network)
        streams = model.run(integers, test.inputs, trace=True, counters=False).streams.values()
        beyond = sum(int(((each < -128) | (each > 127)).sum()) for each in streams)
        result |= {
            f"{key} accuracy": 100 * float((predict_integer(integers, test.inputs) == test.labels).mean()),
            f"{key} beyond": 100 * beyond / sum(each.numel() for each in streams),
        }
    return result


def activations_kept(inverts: bool) -> float:
    """Return the MB that a forward pass of 4-384 keeps for gradients, for each image of a batch of two."""
    recipe = load_recipe("cifar10_bestformer_4_384")
    form = InputFormat(channels=3, height=32, width=32, steps=recipe.data.steps, bits=recipe.data.bits, direct=True)
    network = SpikingNetwork(form, recipe.layers, recipe.neuron, 10).train()
    network.inverts = inverts
    own = {value.untyped_storage().data_ptr() for value in (*network.parameters(), *network.buffers())}
    sizes: dict[int, int] = {}

    def note(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in own:
            sizes[storage.data_ptr()] = storage.nbytes()
        return value

    images = torch.randint(0, 256, (2, *form.shape), dtype=torch.uint8)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value):
        heads, rates, _ = Answering(network, spikes=False)(images)
    assert heads.requires_grad and rates.requires_grad
    return sum(sizes.values()) / len(images) / 1e6


def published_network() -> IntegerNetwork:
    """Return 4-384 with random weights, and with the bits of images and edges that sums of 16 bits take."""
    return lively_network("cifar10_bestformer_4_384", (
        "data.bits=4", "network.edge_bits=4", "training.augmentations.randaugment=false",
    ))


def published() -> dict:
    """Return the cycles that 4-384 takes on a random image where all of it lies on the chip: predicted."""
    network = published_network()
    cycles = predict_cycles(network, random_samples(network.input, 1, DENSITY), ROOM, keep_maps=False)[0].tolist()
    return dict(zip(network.names, cycles, strict=True))


def published_on_board() -> dict:
    """Return what 4-384 takes and says on the simulated large board, with SDRAM."""
    network = published_network()
    found = run(network, random_samples(network.input, PUBLISHED_IMAGES, DENSITY), "4-384")
    placement = place(network, LARGE, keep_maps=False)
    return found | {"megabytes": placement.moved_words * BURST_BITS / 8e6}


def published_figures() -> list[Figure]:
    """Return what 4-384 takes on the board, and where all of it lies on the chip, and what attention and heads do."""
    cycles = kept("published", published)
    whole, clock = sum(cycles.values()), BOARDS["ulx3s-85f"].clock
    products = sum(count for name, count in cycles.items() if name.endswith((".map", ".picked")))
    heads = sum(count for name, count in cycles.items() if name.startswith("heads"))
    title, random = "4-384 on a large core with room for all of it", "4-bit image and edges, random weights"
    board = kept("published-board", published_on_board)
    name, title = f"4-384, {random}", f"{title}, {random}"
    return [
        *board_figures(name, board, f"{PUBLISHED_IMAGES} random images"),
        Figure(f"{name}: streams, maps and parameters between SDRAM and core", board["megabytes"], "MB an image"),
        Figure.at_least(f"{name}: images a second at {clock / 1e6:g} MHz, large with SDRAM", clock / board["cycles"],
                        "1/s", 20),
        Figure(f"{title}: predicted cycles an image", whole, "cycles"),
        Figure(f"{title}: images a second at {clock / 1e6:g} MHz, predicted", clock / whole, "1/s"),
        Figure(f"{title}: the attention products' part of the cycles", 100 * products / whole, "%"),
        Figure(f"{title}: the heads' part of the cycles", 100 * heads / whole, "%"),
    ]


def ablation(found: dict[str, list[dict]]) -> list[Figure]:
    """Return the figures of all variants on digits; ``found`` has those of each seed."""
    title, count = "digits", len(found["both"])
    seeds = f"mean of {count} seeds" if count > 1 else "one seed"

    def mean(key: str, what: str = "accuracy") -> float:
        return fmean(each[what] for each in found[key])

    result = [
        Figure(f"{title}, {VARIANTS[key].title}: accuracy, {seeds if key not in FIRST_SEED else 'one seed'}",
               mean(key), "%") for key in found
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


def ablation_table(found: dict[str, list[dict]]) -> list[list[str]]:
    """Return the variants on digits: accuracies over the seeds, and what the first seed's network costs."""
    table = [["digits, 25 epochs", "accuracy, %", "seeds: least to greatest", "bytes", "operations a sample"]]
    for key, each in found.items():
        values, variant = [one["accuracy"] for one in each], VARIANTS[key]
        table.append([
            variant.title, f"{fmean(values):.2f}", f"{len(values)}: {min(values):.2f} to {max(values):.2f}",
            f"{each[0]['bytes']:,.0f}",
            f"{each[0]['operations']:,.0f}" + ("" if variant.binary else ", without products"),
        ])
    return table


def board_figures(title: str, board: dict, samples: str = f"{BOARD_SAMPLES} samples") -> list[Figure]:
    """Return the figures of a network on the simulated board."""
    cycles = board["cycles"]
    return [
        Figure.at_most(f"{title}, {samples} on the simulated large board, of {board['compared']:,} "
                       "values different", board["mismatches"], "values", 0),
        Figure(f"{title}: cycles a sample, large", cycles, "cycles"),
        Figure.at_most(f"{title}: predicted cycles, off by at most", board["off"], "%", 10),
        Figure(f"{title}: the two attention products' part of the cycles", 100 * board["attention"] / cycles, "%"),
        Figure(f"{title}: the heads' part of the cycles", 100 * board["heads"] / cycles, "%"),
    ]


def former(title: str) -> list[Figure]:
    """Return the figures of a data set that the results have already."""
    path = RESULTS / "bestformer.json"
    figures = json.loads(path.read_text())["figures"] if path.exists() else []
    return [Figure(**each) for each in figures if each["name"].startswith((f"{title},", f"{title}:"))]


def compared(recipe: str, root: Path) -> dict:
    """Return what a network of the zoo costs on the core of the transformers, on the same samples."""
    checkpoint = load_checkpoint(ZOO / recipe / "checkpoint.safetensors")
    test, integers = load_dataset(checkpoint.recipe.data, "test", root), export_network(checkpoint.network)
    found = cost(checkpoint.network, test.inputs[:OPERATION_SAMPLES])
    return {
        "accuracy": 100 * float((predict_integer(integers, test.inputs) == test.labels).mean()),
        "bytes": sum(weight_bytes(checkpoint.network).values()),
        "operations": found.accumulates + found.multiply_accumulates,
        "cycles": float(predict_cycles(integers, test.inputs[:BOARD_SAMPLES], LARGE).sum(1).mean()),
    }


def comparison(result: list[Figure], root: Path) -> list[list[str]]:
    """Return a table of networks of several methods; QP-SNN's are of the results of `qp_snn`, without its pruning."""
    def value(figures: list[dict], name: str) -> float:
        (found,) = (each["value"] for each in figures if each["name"].startswith(name))
        return found

    def line(data: str, network: str, accuracy: float, size: float, operations: float, cycles: float, core: str):
        return [data, network, f"{accuracy:.2f}", f"{size / 1000:.1f}", f"{operations:,.0f}", f"{cycles:,.0f}", core]

    own = [asdict(each) for each in result]
    other = json.loads((RESULTS / "qp_snn.json").read_text())["figures"]
    table = [["data", "network", "accuracy, %", "kB", "operations", "cycles", "core"]]
    for data, recipe in (("digits", "digits"), ("MNIST", "mnist")):
        found = kept(f"{recipe}-zoo", partial(compared, recipe, root))
        table.append(line(data, "Q-SNN, of the zoo", found["accuracy"], found["bytes"], found["operations"],
                          found["cycles"], LARGE.name))
    title = "MNIST, ReScaW 2 bits"
    table.append(line("MNIST", "QP-SNN, 2 bits, trained briefly", value(other, f"{title}: accuracy, "),
                      value(other, f"{title}: bytes"), value(other, f"{title}: operations"),
                      value(other, f"{title}: cycles"), "small"))
    title = "digits, binary, reversible and distilled"
    table.append(line("digits", "BESTformer", value(own, "digits, both parts, integer model"),
                      value(own, f"{title}: bytes"), value(own, f"{title}: operations"),
                      value(own, "digits, both parts: cycles a sample, large"), LARGE.name))
    title = "MNIST, binary, reversible"
    table.append(line("MNIST", "BESTformer", value(own, f"{title}, seed 1, integer model"),
                      value(own, f"{title}: bytes"), value(own, f"{title}: operations"),
                      value(own, "MNIST: cycles a sample, large"), LARGE.name))
    return [table[0], *sorted(table[1:], key=lambda row: (row[0], row[1]))]


def draw(found: dict[str, list[dict]]) -> None:
    """Draw the accuracies of all variants, a dot for each seed."""
    figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
    for at, each in enumerate(found.values()):
        values = [one["accuracy"] for one in each]
        axis.plot(values, [at] * len(values), "o", color=f"C{at}", alpha=0.6)
        axis.plot(fmean(values), at, "|", color=f"C{at}", markersize=18, markeredgewidth=2)
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
                        help="data sets beside the digits, the figures of those not named stay; default: all")
    parser.add_argument("--published", action="store_true", help="only 4-384, all other figures stay")
    arguments, root = parser.parse_args(), data_root()
    if arguments.published:
        before = json.loads((RESULTS / "bestformer.json").read_text())
        save("bestformer", published_figures(), {key: before[key] for key in ("note", "picture", "tables")},
             kept=lambda name: True)
        return
    found: dict[str, list[dict]] = {key: [] for key in VARIANTS}
    for seed in arguments.seeds:
        for key, each in found.items():
            if key in FIRST_SEED and each:
                continue
            each.append(kept(f"digits-{key}-{seed}", partial(measure, "digits", key, seed, root)))
    draw(found)
    result = ablation(found)
    result += board_figures("digits, both parts", kept("digits-board", partial(on_board, "digits", "both", root)))
    narrow = kept("digits-narrow-streams", partial(narrow_streams, root))
    first, beyond = "digits, binary, reversible, seed 1", "numbers of streams that 8 bits do not hold"
    result += [
        Figure(f"{first}, streams of 10 fraction bits: accuracy", found["reversible"][0]["accuracy"], "%"),
        Figure(f"{first}, the same with {NARROW}, not trained so: accuracy", narrow["reversible accuracy"], "%"),
        Figure(f"{first}, not trained so: {beyond}", narrow["reversible beyond"], "%"),
        Figure(f"{first}, trained so: accuracy", narrow["narrow accuracy"], "%"),
        Figure(f"{first}, trained so: {beyond}", narrow["narrow beyond"], "%"),
    ]
    memory = kept("activations", lambda: {str(inverts): activations_kept(inverts) for inverts in (False, True)})
    result += [
        Figure("4-384, training: activations that are kept for gradients", memory["False"], "MB an image"),
        Figure("4-384, training, blocks inverted: activations that are kept", memory["True"], "MB an image"),
    ]
    for data, (title, target) in OTHERS.items():
        if data not in arguments.others:
            result += former(title)
            continue
        measured = kept(f"{data}-reversible-1", partial(measure, data, "reversible", 1, root))
        name = f"{title}, binary, reversible, seed 1, integer model"
        result += [
            Figure(name, measured["accuracy"], "%") if target is None else
            Figure.at_least(name, measured["accuracy"], "%", target),
            Figure(f"{title}, binary, reversible: bytes", measured["bytes"], "bytes"),
            Figure(f"{title}, binary, reversible: operations", measured["operations"], "operations a sample"),
            *board_figures(title, kept(f"{data}-board", partial(on_board, data, "reversible", root))),
        ]
    result += [*attention_figures(), *published_figures()]
    save("bestformer", result, {
        "note": NOTE, "picture": "pictures/bestformer.png",
        "tables": {"ablation": ablation_table(found), "methods": comparison(result, root)},
    })


if __name__ == "__main__":
    main()
