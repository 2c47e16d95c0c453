"""A widened network says what it said before."""

import pytest
import torch
from cifar10_wide import COPIES, widen
from spikeplane.network.input import InputFormat
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import Checkpoint

CHANNELS = {"conv1": 6, "conv2": 8, "conv3": 8, "conv4": 8, "conv5": 10, "conv6": 8}


@pytest.fixture(scope="module")
def checkpoint():
    recipe = load_recipe("cifar10_core", [f"layers.{name}.channels={count}" for name, count in CHANNELS.items()])
    torch.manual_seed(0)
    made = Checkpoint.start(recipe, InputFormat(channels=3, height=8, width=8, steps=2, bits=6, direct=True), 10)
    made.network.train()
    for _ in range(3):  # Normalizations are no longer those of the start.
        made.network(torch.randint(0, 64, (16, 3, 8, 8), dtype=torch.uint8))
    with torch.no_grad():
        made.network.layers["classifier"].bias.normal_()
    made.network.eval()
    return made


def test_logits_are_those_of_the_copies(checkpoint):
    images = torch.randint(0, 64, (20, 3, 8, 8), dtype=torch.uint8)
    wide = widen(checkpoint).network
    with torch.no_grad():
        (logits, spikes), (wider, copied) = checkpoint.network(images), wide(images)
    assert {name: maps.shape[2] for name, maps in copied.items() if name in CHANNELS} == {
        name: count * COPIES[name] for name, count in CHANNELS.items()
    }
    for name in CHANNELS:
        assert spikes[name].any(), name
        torch.testing.assert_close(copied[name], spikes[name].repeat(1, 1, COPIES[name], 1, 1))
    torch.testing.assert_close(wider, COPIES["conv6"] * logits, rtol=1e-4, atol=1e-4)
