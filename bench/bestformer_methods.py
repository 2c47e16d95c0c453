"""Small BESTformers beside the project's other methods: accuracy, bytes, operations, and cycles on the core."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from accuracy import ZOO
from bestformer_networks import BOARD_SAMPLES, TASKS, VARIANTS, kept, operations
from cifar10_variants import RESCALED_NAME
from cifar10_variants import trained as cifar10_trained
from figures import RESULTS, Figure
from partial_data import register
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.training.net.export import export_network
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.train import CHECKPOINT
from spikeplane_hw.config import LARGE, SMALL

__all__ = ["comparison"]

QSNN, MEMORY_FREE = "1-2", "memory-free"
"""The names of networks in the results of `cifar10`; the second one took a GPU, and only its figures are kept."""
HEADER = ["data", "network", "accuracy, %", "kB", "operations", "cycles", "core"]


def results(name: str) -> list[dict]:
    """Return the figures of a file of results."""
    return json.loads((RESULTS / f"{name}.json").read_text())["figures"]


def value(figures: Iterable[dict], *words: str) -> float:
    """Return the value of the one figure whose name begins with the first and holds all words."""
    (found,) = (each["value"] for each in figures
                if each["name"].startswith(words[0]) and all(word in each["name"] for word in words))
    return found


def costs(checkpoint: Path, data: str, root: Path) -> dict:
    """Return what a network costs on the core of the transformers, on the same samples."""
    loaded = load_checkpoint(checkpoint)
    inputs = TASKS[data].test(loaded.recipe, root).inputs
    cycles = predict_cycles(export_network(loaded.network), inputs[:BOARD_SAMPLES], LARGE, keep_maps=False)
    return operations(loaded.network, inputs) | {"cycles": float(cycles.sum(1).mean())}


def row(
    data: str, network: str, accuracy: float, size: float, count: float | None, cycles: float, core: str = LARGE.name
) -> list[str]:
    """Return a row of the table."""
    counted = "" if count is None else f"{count:,.0f}"
    return [data, network, f"{accuracy:.2f}", f"{size / 1000:.1f}", counted, f"{cycles:,.0f}", core]


def comparison(own: list[Figure], root: Path) -> list[list[str]]:
    """Return the table; ``own`` has this run's figures, what others have comes from their files of results.

    QP-SNN's networks are those without pruning.
    """
    register()
    table = []
    zoo, rescaled, cifar10, mine = (*map(results, ("zoo", "qp_snn", "cifar10")), [asdict(each) for each in own])
    for data in ("digits", "mnist", "ncars"):
        found = kept(f"{data}-zoo", partial(costs, ZOO / data / CHECKPOINT, data, root))
        accuracy = value(zoo, f"{data}: accuracy, integer model")
        table.append(row(TASKS[data].title, "Q-SNN, of the zoo", accuracy, found["bytes"], found["operations"],
                         found["cycles"]))
    for data in ("mnist", "ncars"):
        title = f"{TASKS[data].title}, ReScaW 2 bits"
        table.append(row(
            TASKS[data].title, "QP-SNN, 2 bits, trained briefly", value(rescaled, f"{title}: accuracy, "),
            value(rescaled, f"{title}: bytes"), value(rescaled, f"{title}: operations"),
            value(rescaled, f"{title}: cycles"), SMALL.name,
        ))
    for name, method in ((QSNN, "Q-SNN, of the zoo"), (RESCALED_NAME, "QP-SNN, 2 bits")):
        found = kept(f"cifar10-{name}-costs", partial(costs, cifar10_trained(name, root), "cifar10", root))
        accuracy = value(cifar10, f"CIFAR-10 {name}: ", "integer model")
        table.append(row("CIFAR-10", method, accuracy, found["bytes"], found["operations"], found["cycles"]))
    title = f"CIFAR-10 {MEMORY_FREE}: "
    table.append(row(
        "CIFAR-10", "memory-free, operations not counted", value(cifar10, title, "integer model"),
        value(cifar10, f"{title}bytes"), None, value(cifar10, f"{title}predicted cycles"),
    ))
    for data, key in (("digits", "both"), ("mnist", "reversible"), ("ncars", "reversible"), ("cifar10", "reversible")):
        title, name = TASKS[data].title, f"{TASKS[data].title}, {VARIANTS[key].title}"
        table.append(row(
            title, "BESTformer", value(mine, f"{name}, seed 1, integer model"), value(mine, f"{name}, seed 1: bytes"),
            value(mine, f"{name}, seed 1: operations"), value(mine, f"{name}, seed 1: cycles a sample"),
        ))
    return [HEADER, *sorted(table, key=lambda each: each[:2])]
