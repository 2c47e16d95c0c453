"""Published networks, with fewer channels, whole on a simulated large board: beside the model, and their cycles."""

import sys
from pathlib import Path

import numpy as np
import torch
from beside_model import MOST_OFF, beside_model
from figures import Figure
from spikeplane.compiler.compile import random_samples
from spikeplane.data.sets.shapes import input_format
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network.graph import IntegerNetwork
from spikeplane.training.net.export import export_network
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import Checkpoint
from spikeplane_hw.config import LARGE

__all__ = ["measure"]

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests" / "sw")]
IMAGE = ("data.bits=4", "network.edge_bits=4", "training.augmentations.autoaugment=false")
NETWORKS = {
    "ResNet-19, 16 channels at first, 1x1 shortcuts": ("cifar10_resnet19_1w2u", ("network.width=16", *IMAGE)),
    "ResNet-20, 8 channels at first, shortcuts of spikes": ("cifar10_resnet20_1w2u", ("network.width=8", *IMAGE)),
    "VGG-16, 8 channels at first": ("cifar10_vgg16_1w2u", ("network.width=8", *IMAGE)),
    "VGGSNN, 4 channels at first, 4 steps": ("cifar10dvs_vggsnn_1w2u", ("network.width=4", "data.steps=4")),
}
"""Recipes, and what of them is replaced so that weights and maps lie on the chip; weights are random."""
TRANSFORMER = {"width": 64, "heads": 4, "side": 4, "steps": 2, "blocks": 2}
INPUTS = 4
DENSITY = 0.3


def lively_network(name: str, overrides: tuple[str, ...]) -> IntegerNetwork:
    """Return a recipe's network, untrained, normalized such that all layers fire."""
    from lively_networks import lively

    recipe = load_recipe(name, overrides)
    torch.manual_seed(0)
    return export_network(lively(made=Checkpoint.start(recipe, *input_format(recipe.data)).network))


def networks() -> dict[str, IntegerNetwork]:
    """Return all networks by their titles."""
    from transformer_networks import transformer

    found = {title: lively_network(*made) for title, made in NETWORKS.items()}
    shape = TRANSFORMER
    title = (f"spiking transformer, {shape['blocks']} blocks, {shape['width']} channels, {shape['heads']} heads, "
             f"{shape['side'] ** 2} tokens, {shape['steps']} steps")
    return found | {title: transformer(1, **shape)}


def measure() -> list[Figure]:
    """Return of each network what differs from the model, its cycles, and how far off their prediction is."""
    figures = []
    with SimulatedTransport(LARGE) as transport, Driver(transport, LARGE) as driver:
        for title, network in networks().items():
            found = beside_model(driver, network, random_samples(network.input, INPUTS, DENSITY))
            layer = 100 * float(np.abs(found.predicted / found.cycles - 1).max())
            figures += [
                found.different(f"{title}: {INPUTS} inputs on the simulated large board,"),
                Figure(f"{title}: cycles an input", found.mean, "cycles"),
                found.prediction(title),
                Figure.at_most(f"{title}: predicted cycles of a layer, off by at most", layer, "%", MOST_OFF),
            ]
    return figures
