"""Small BESTformers: the variants of the method, the data they learn, their trainings, and what is measured of them.

Finished trainings and measurements are used again; an interrupted one goes on.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from accuracy import run_on_board
from partial_data import CIFAR10_PART, MNIST_PART, PartialData, register
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.data.sets.datasets import Dataset, load_dataset
from spikeplane.data.sets.samples import SampleArray
from spikeplane.network import model
from spikeplane.network.graph import IntegerNetwork
from spikeplane.pruning.costs import weight_bytes
from spikeplane.reports.energy import cost
from spikeplane.training.net.export import export_network
from spikeplane.training.net.networks import SpikingNetwork
from spikeplane.training.net.streams import Embedding, Grid, Heads
from spikeplane.training.net.transformer import TransformerBlock
from spikeplane.training.recipe.recipes import Recipe, load_recipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.evaluate import compare, predict, predict_integer
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.train import CHECKPOINT, train
from spikeplane.writing import write_json
from spikeplane_hw.config import LARGE

__all__ = [
    "BOARD_SAMPLES", "FOLDER", "NARROW", "NARROW_KEY", "OPERATION_SAMPLES", "PARTS", "TASKS", "VARIANTS", "Task",
    "kept", "measured", "narrow_streams", "on_board", "operations", "run", "spent_on",
]

FOLDER = Path("build/bench/bestformer")
OPERATION_SAMPLES, AGREEMENT_SAMPLES, BOARD_SAMPLES = 50, 100, 20
"""Test samples on which operations are counted, on which spikes are compared, and that run on the simulated board."""
NARROW, NARROW_KEY = 4, "narrow"
"""Fraction bits of streams that 8 bits hold nearly, and the variant that has them."""


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
    NARROW_KEY: Variant(title="binary, reversible, streams of 4 fraction bits", reversible=True, fraction_bits=NARROW),
}
"""In the order in which they are trained: the first one teaches those that are distilled."""
PARTS = tuple(key for key in VARIANTS if key != NARROW_KEY)
"""The variants that tell what each part of the method gives."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """Data that a small network learns; its recipe is DATA_bestformer."""

    data: str
    title: str
    part: PartialData | None = None
    """Of the data, if not all of it is learned."""
    epochs: int | None = None
    """None: those of the recipe."""
    tests: int | None = None
    """The first test samples, of which accuracies are; None: all."""
    options: RunOptions | None = None

    def test(self, recipe: Recipe, root: Path) -> Dataset:
        """Return the test samples as a recipe's network takes them."""
        whole = load_dataset(replace(recipe.data, name=self.data), "test", root)
        return whole.part(f"{self.data} test", np.arange(self.tests or len(whole.labels)))


MIXED = RunOptions(amp="bfloat16")
TASKS = {
    "digits": Task(data="digits", title="digits"),
    "mnist": Task(data="mnist", title="MNIST"),
    "mnist_part": Task(data="mnist", title=f"MNIST, {MNIST_PART.images:,} images", part=MNIST_PART, epochs=8),
    "ncars": Task(data="ncars", title="N-CARS part", epochs=6),
    "cifar10": Task(data="cifar10", title="CIFAR-10", options=MIXED),
    "cifar10_part": Task(
        data="cifar10", title=f"CIFAR-10, {CIFAR10_PART.images:,} images", part=CIFAR10_PART, epochs=5,
        tests=2_500, options=MIXED,
    ),
}


def recipe_of(task: str, key: str, seed: int) -> Recipe:
    """Return the recipe of a variant, which holds no samples out: what was chosen by them, is."""
    variant, own = VARIANTS[key], TASKS[task]
    reversible = str(variant.reversible).lower()
    overrides = ["data.validation=0", f"seed={seed}", f"network.transformer.reversible={reversible}"]
    if own.part is not None:
        overrides.append(f"data.name={own.part.name}")
    if own.epochs is not None:
        overrides += [f"training.epochs={own.epochs}", "training.warmup_epochs=0"]
    if variant.fraction_bits is not None:
        overrides.append(f"layers.embedding.transformer.fraction_bits={variant.fraction_bits}")
    if variant.distilled:
        overrides.append(f'training.teacher.checkpoint="{FOLDER}/{task}-float32-{seed}/checkpoint.safetensors"')
    recipe = load_recipe(f"{own.data}_bestformer{'_distilled' if variant.distilled else ''}", overrides)
    return recipe if variant.binary else recipe.float32()


def trained(task: str, key: str, seed: int, root: Path) -> Path:
    """Return the checkpoint of a variant."""
    register()
    out, spent = FOLDER / f"{task}-{key}-{seed}", spent_on(task, key, seed)
    whole, begun = not (out / CHECKPOINT).exists(), time.process_time()  # Of an interrupted one, it is not known.
    path = train(recipe_of(task, key, seed), out, root, options=TASKS[task].options)
    if whole:
        write_json(spent, time.process_time() - begun)
    return path


def spent_on(task: str, key: str, seed: int) -> Path:
    """Return the file that says how many seconds a processor core has trained a variant, if it did so at once."""
    return FOLDER / f"{task}-{key}-{seed}.seconds.json"


def kept(file: str, make: Callable[[], dict]) -> dict:
    """Return what ``make`` measured, or measures now."""
    path = FOLDER / f"{file}.json"
    if not path.exists():
        write_json(path, make())
    return json.loads(path.read_text())


def operations(network: SpikingNetwork, inputs: SampleArray) -> dict:
    """Return bytes of weights and operations, counted on the first inputs."""
    found = cost(network, inputs[:OPERATION_SAMPLES])
    return {
        "bytes": sum(weight_bytes(network).values()), "operations": found.accumulates + found.multiply_accumulates,
    }


def measured(task: str, key: str, seed: int, root: Path) -> dict:
    """Return accuracy on the test part, of the integer model where there is one, bytes of weights, and operations."""
    return kept(f"{task}-{key}-{seed}", partial(measure, task, key, seed, root))


def measure(task: str, key: str, seed: int, root: Path) -> dict:
    """Measure what :func:`measured` returns."""
    loaded = load_checkpoint(trained(task, key, seed, root))
    test, network = TASKS[task].test(loaded.recipe, root), loaded.network
    result = operations(network, test.inputs)
    if not VARIANTS[key].binary:
        return result | {"accuracy": 100 * float((predict(network, test.inputs) == test.labels).mean())}
    integers = export_network(network)
    agreement = compare(network, integers, test.inputs[:AGREEMENT_SAMPLES])
    return result | {
        "accuracy": 100 * float((predict_integer(integers, test.inputs) == test.labels).mean()),
        "spikes": 100 * min(agreement.spikes.values()), "predictions": 100 * agreement.predictions,
        "rates": {name: agreement.rates[name] for name in network.neuron_shapes},
    }


def on_board(task: str, key: str, root: Path) -> dict:
    """Return what a network of the first seed takes and says on the simulated board."""
    loaded = load_checkpoint(trained(task, key, 1, root))
    inputs = TASKS[task].test(loaded.recipe, root).inputs[:BOARD_SAMPLES]
    return run(export_network(loaded.network), inputs, task)


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
    result = {}
    for key in ("reversible", NARROW_KEY):
        loaded = load_checkpoint(trained("digits", key, 1, root))
        network, test = loaded.network, TASKS["digits"].test(loaded.recipe, root)
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
