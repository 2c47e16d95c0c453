"""QP-SNN's ablation on CIFAR-10: the network made for large, at 2 bits, trained on from its 1-bit weights.

All variants see the same 10,000 images: once at full width, and PRUNED_EPOCHS times more without a part of all
channels. Measurements in qp_snn's folder are used again.
"""

import json
from dataclasses import asdict
from pathlib import Path

from cifar10_variants import BOARD, INNER, RECIPE, RESCALED, RESCALED_NAME, TUNING, start_of, write_narrowed
from figures import Figure
from partial_data import CIFAR10_PART, register
from qp_snn_networks import BASELINE, PRUNED, WHOLE, Measured, Variant, settings_of_weights
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.data.sets.datasets import load_dataset
from spikeplane.network.merge import merge_pools
from spikeplane.pruning.costs import weight_bytes
from spikeplane.pruning.written import RECIPE as TUNING_RECIPE
from spikeplane.reports.energy import cost
from spikeplane.training.net.export import export_network
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.evaluate import predict_integer
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.train import train
from spikeplane.writing import write_json

__all__ = ["VARIANTS", "figures", "measured"]

VARIANTS = (Variant("vanilla"), WHOLE, BASELINE, PRUNED, Variant("rescaled", "l1"))
PRUNED_EPOCHS = 4
TESTS, OPERATION_SAMPLES, CYCLE_SAMPLES = 2_500, 50, 8
"""Test images for accuracies, for operations and for predicted cycles."""
OPTIONS = RunOptions(amp="bfloat16")


def whole(weights: str, folder: Path, root: Path) -> Path:
    """Return the checkpoint of the network at full width."""
    settings = [f"layers.{name}.{setting}" for name in INNER for setting in settings_of_weights(weights)]
    start = f"training.start.checkpoint={start_of(RESCALED_NAME)}"
    return train(load_recipe(RECIPE, [*RESCALED, *settings, *TUNING, start]), folder / weights, root, options=OPTIONS)


def trained(variant: Variant, folder: Path, root: Path) -> Path:
    """Return the checkpoint of a variant."""
    source = whole(variant.weights, folder, root)
    if variant.criterion is None:
        return source
    own = folder / f"{variant.weights}-{variant.criterion}"
    write_narrowed(source, variant.criterion, own, root)
    recipe = load_recipe(own / TUNING_RECIPE, [*TUNING, f"training.epochs={PRUNED_EPOCHS}"])
    return train(recipe, own / "tuned", root, options=OPTIONS)


def measured(variant: Variant, folder: Path, root: Path) -> Measured:
    """Return the figures of a variant."""
    register()
    file = folder / f"{variant.weights}-{variant.criterion}.json"
    if not file.exists():
        loaded = load_checkpoint(trained(variant, folder, root))
        test = load_dataset(load_recipe(RECIPE).data, "test", root)
        network = merge_pools(export_network(loaded.network))
        right = predict_integer(network, test.inputs[:TESTS]) == test.labels[:TESTS]
        found = cost(loaded.network, test.inputs[:OPERATION_SAMPLES])
        cycles = predict_cycles(network, test.inputs[:CYCLE_SAMPLES], BOARD.config, keep_maps=False)
        write_json(file, asdict(Measured(
            accuracy=100 * float(right.mean()), bytes=sum(weight_bytes(loaded.network).values()),
            operations=found.accumulates + found.multiply_accumulates, cycles=float(cycles.sum(1).mean()),
        )))
    return Measured(**json.loads(file.read_text()))


def figures(found: dict[Variant, Measured], called) -> list[Figure]:
    """Return the figures of all variants; ``called`` returns one in words."""
    title = f"CIFAR-10, {CIFAR10_PART.images:,} images"
    result = []
    for variant, each in found.items():
        name = f"{title}, {called(variant)}"
        result += [
            Figure(f"{name}: accuracy, one seed", each.accuracy, "%"), Figure(f"{name}: bytes", each.bytes, "bytes"),
            Figure(f"{name}: operations", each.operations, "operations a sample"),
            Figure(f"{name}: cycles", each.cycles, "cycles a sample"),
        ]
    both = found[PRUNED].accuracy - found[BASELINE].accuracy
    chosen = found[PRUNED].accuracy - found[Variant("rescaled", "l1")].accuracy
    return [
        *result,
        Figure.at_least(f"{title}, both less the pruned vanilla baseline (L1)", both, "points", 0),
        Figure.at_least(f"{title}, pruned by SVS less by L1", chosen, "points", 0),
    ]
