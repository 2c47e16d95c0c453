"""BESTformer at the published size, 4-384 on CIFAR-10: on the simulated board, and what its training takes."""

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from bestformer_networks import BOARD_SAMPLES, kept, run
from figures import Figure
from partial_data import BEGINNING, register
from spikeplane.boards import BOARDS
from spikeplane.compiler.compile import random_samples
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.compiler.place import place
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import InputFormat
from spikeplane.training.net.networks import SpikingNetwork
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.step import Answering
from spikeplane.training.run.train import train
from spikeplane_hw.config import BURST_BITS, LARGE
from torch import Tensor
from whole_networks import DENSITY, lively_network

__all__ = ["board_figures", "published_figures", "training_figures"]

RECIPE = "cifar10_bestformer_4_384"
IMAGES = 4
"""Random ones, with which it runs on the board."""
ROOM = replace(
    LARGE, name="room", weight_depth=1 << 14, spike_depth=1 << 15, parameter_depth=1 << 11, state_depth=1 << 16,
    row_flag_count=1 << 13, layer_count=1 << 7, pass_count=1 << 10,
)
"""A large core with memories in which 4-384 fits; there is none such."""
EPOCH_IMAGES, BATCH, PASSES = 45_000, 32, 3
"""Training images of an epoch; images of a batch, and passes over the first images, of the training that is begun."""


def activations_kept(inverts: bool) -> float:
    """Return the MB that a forward pass of 4-384 keeps for gradients, for each image of a batch of two."""
    recipe = load_recipe(RECIPE)
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
    return lively_network(RECIPE, (
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
    found = run(network, random_samples(network.input, IMAGES, DENSITY), "4-384")
    placement = place(network, LARGE, keep_maps=False)
    return found | {"megabytes": placement.moved_words * BURST_BITS / 8e6}


def beginning(root: Path) -> dict:
    """Return the loss of each pass over the first training images, and the CPU seconds that an image takes."""
    register()
    recipe = load_recipe(RECIPE, (
        f"data.name={BEGINNING.name}", "data.validation=0", f"training.epochs={PASSES}", "training.warmup_epochs=1",
        f"training.batch_size={BATCH}",
    ))
    with TemporaryDirectory() as folder:  # One that was interrupted would not tell the time of all of it.
        begun = time.process_time()
        path = train(recipe, Path(folder) / "4-384", root, options=RunOptions(amp="bfloat16"))
        spent = time.process_time() - begun
        losses = [epoch["loss"] for epoch in load_checkpoint(path).history]
    return {"losses": losses, "seconds": spent / (PASSES * BEGINNING.images)}


def training_figures(root: Path) -> list[Figure]:
    """Return what an epoch of 4-384 costs on a processor core, how its loss begins, and what gradients keep."""
    begun = kept("published-beginning", partial(beginning, root))
    memory = kept("activations", lambda: {str(inverts): activations_kept(inverts) for inverts in (False, True)})
    return [
        Figure(f"4-384, training: an epoch of {EPOCH_IMAGES:,} images, bfloat16, one processor core",
               begun["seconds"] * EPOCH_IMAGES / 3600, "CPU hours"),
        *(
            Figure(f"4-384, training: loss in pass {number} over {BEGINNING.images:,} images, mixed up", loss, "")
            for number, loss in enumerate(begun["losses"], 1)
        ),
        Figure("4-384, training: activations that are kept for gradients", memory["False"], "MB an image"),
        Figure("4-384, training, blocks inverted: activations that are kept", memory["True"], "MB an image"),
    ]


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
        *board_figures(name, board, f"{IMAGES} random images"),
        Figure(f"{name}: streams, maps and parameters between SDRAM and core", board["megabytes"], "MB an image"),
        Figure.at_least(f"{name}: images a second at {clock / 1e6:g} MHz, large with SDRAM", clock / board["cycles"],
                        "1/s", 20),
        Figure(f"{title}: predicted cycles an image", whole, "cycles"),
        Figure(f"{title}: images a second at {clock / 1e6:g} MHz, predicted", clock / whole, "1/s"),
        Figure(f"{title}: the attention products' part of the cycles", 100 * products / whole, "%"),
        Figure(f"{title}: the heads' part of the cycles", 100 * heads / whole, "%"),
    ]


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
