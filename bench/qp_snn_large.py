"""ResNet-20 at 2 bits and its full width, pruned, whole on a simulated large board: what pruning gives the hardware.

Weights are random; the samples that rank channels are CIFAR-10's. A measurement in qp_snn's folder is used again.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import whole_networks
from figures import Figure
from memory import sparse_checkpoint
from spikeplane.compiler.compile import compile_network, random_samples
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.compiler.place import place
from spikeplane.data.sets.datasets import load_parts
from spikeplane.device.comparison import compare_with_model
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network import model
from spikeplane.network.file import load_network, save_network
from spikeplane.network.input import InputFormat
from spikeplane.pruning.calibration import calibration_batches, renormalize
from spikeplane.pruning.costs import weight_bytes
from spikeplane.pruning.criteria import Judged, scores
from spikeplane.pruning.groups import find_groups
from spikeplane.pruning.removal import choose, kept_count, remove
from spikeplane.training.net.export import export_network
from spikeplane.training.net.networks import SpikingNetwork
from spikeplane.training.run.checkpoint import Checkpoint
from spikeplane.writing import write_json
from spikeplane_hw.config import BURST_BITS, LARGE, CoreConfig
from torch import Tensor
from tqdm import tqdm

__all__ = ["board_figures", "figures"]

RECIPE = "cifar10_resnet20_2w16u"
CALIBRATION = 1, 64
"""Batches of training images by which channels are ranked, and images of one."""
RING = {"block7": 0.125, "block7.conv1": 0.16, "block8.conv1": 0.16, "block9.conv1": 0.16}
"""Removed of the last stage's channels at the least: a group of lanes holds the weights of one output channel each, and
the ring of `large` takes no more than 1,023 slots of them, which are 448 inputs of 3 x 3, or 432 and a shortcut."""
INPUTS = 4
KEPT = "pruned.network.safetensors"
TITLES = {
    "whole": "unpruned, were the ring of large longer",
    "least": "as many channels as the ring of large takes",
    "pruned": "pruned by the paper's ratios as well",
}
ROOMY = replace(LARGE, weight_depth=4 * LARGE.weight_depth)
"""A core that would hold a group of the unpruned network: for predictions alone."""


def pruned(untrained: Checkpoint, ratios: dict[str, float], batches: list[Tensor]) -> SpikingNetwork:
    """Return the network without the channels of the least spike rank."""
    recipe, network = untrained.recipe, untrained.network
    groups = find_groups(network, recipe.layers)
    ranks = scores("svs", Judged(network=network, groups=groups, batches=batches))
    counts = {group.name: kept_count(group.channels, ratios.get(group.name, 0.0)) for group in groups}
    print(counts, flush=True)
    made = remove(recipe, network, untrained.classes, choose(groups, ranks, counts))[1]
    renormalize(made, batches)
    return made


def samples(form: InputFormat) -> np.ndarray:
    """Return the inputs of all networks."""
    return random_samples(form, INPUTS, whole_networks.DENSITY)


def costs(made: SpikingNetwork, core: CoreConfig) -> dict[str, float]:
    """Return what a network takes of a core: predicted cycles, bytes and operations of a sample."""
    network, inputs = export_network(made), samples(made.form)
    found = model.run(network, inputs)
    return {
        "weights": sum(weight_bytes(made).values()),
        "sdram": place(network, core, keep_maps=False).traffic * BURST_BITS / 8,
        "operations": float(sum(each.float().mean() for each in found.synaptic_operations.values())),
        "predicted": float(predict_cycles(network, inputs, core, keep_maps=False).sum(1).mean()),
    }


def measure(folder: Path, root: Path) -> dict[str, dict[str, float]]:
    """Return the costs of the networks in TITLES."""
    file = folder / "measured.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        untrained = sparse_checkpoint(RECIPE, whole_networks.IMAGE)
        settings = untrained.recipe.pruning
        assert settings is not None
        batches = calibration_batches(untrained.recipe, load_parts(untrained.recipe.data, root)[0], *CALIBRATION)
        least, all_of = (pruned(untrained, ratios, batches) for ratios in (RING, RING | settings.ratios))
        save_network(export_network(all_of), folder / KEPT)
        write_json(file, {
            "whole": costs(untrained.network, ROOMY), "least": costs(least, LARGE), "pruned": costs(all_of, LARGE),
        })
    return json.loads(file.read_text())


def on_board(folder: Path) -> dict[str, float]:
    """Return what the simulated board says of the pruned network, which :func:`measure` has kept."""
    file = folder / "board.json"
    if not file.exists():
        network = load_network(folder / KEPT)
        inputs = samples(network.input)
        image = compile_network(network, LARGE, keep_maps=False, samples=inputs[:1])
        with SimulatedTransport(LARGE) as transport, Driver(transport, LARGE, run_timeout=3600) as driver:
            driver.load(image)
            with tqdm(total=INPUTS) as bar:
                result = compare_with_model(driver, network, inputs, progress=lambda done: bar.update(done - bar.n))
        write_json(file, {
            "cycles": float(result.cycles.sum(1).mean()), "different": result.total,
            "compared": sum(result.compared.values()),
        })
    return json.loads(file.read_text())


def figures(folder: Path, root: Path) -> list[Figure]:
    """Return what pruning gives the hardware, on ResNet-20, by prediction."""
    result = []
    for name, each in measure(folder, root).items():
        start = f"ResNet-20, 2 bits, {TITLES[name]}"
        result += [
            Figure(f"{start}: cycles an input, by prediction", each["predicted"], "cycles"),
            Figure(f"{start}: weights", each["weights"] / 1e6, "MB"),
            Figure(f"{start}: between SDRAM and core an input", each["sdram"] / 1e6, "MB"),
            Figure(f"{start}: synaptic operations an input", each["operations"] / 1e6, "million"),
        ]
    return result


def board_figures(folder: Path, root: Path) -> list[Figure]:
    """Return what the pruned ResNet-20 gives on the simulated board."""
    predicted, found = measure(folder, root)["pruned"]["predicted"], on_board(folder)
    start = f"ResNet-20, 2 bits, {TITLES['pruned']}"
    return [
        Figure.at_most(f"{start}: {INPUTS} inputs on the simulated large board, of {found['compared']:,.0f} values "
                       "different", found["different"], "values", 0),
        Figure(f"{start}: cycles an input", found["cycles"], "cycles"),
        Figure.at_most(f"{start}: predicted cycles, off by", 100 * abs(predicted / found["cycles"] - 1), "%", 10),
    ]
