"""Gradients of reversible blocks from their outputs alone: those of the plain way, with less kept."""

import copy
import dataclasses

import pytest
import torch
from spikeplane.training.net.inversion import check_invertible
from spikeplane.training.net.networks import SpikingNetwork
from spikeplane.training.net.streams import Grid
from spikeplane.training.net.transformer import TransformerBlock
from spikeplane.training.recipe.answers import BatchAnswers
from spikeplane.training.recipe.losses import TetLoss
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.step import Answering
from spikeplane.training.run.train import train
from training_process import sample_data
from training_samples import offer_sample, recipe
from transformer_training import described, settled, some_events, transformer

LABELS = torch.arange(32) % 4


def taught(network: SpikingNetwork, inverts: bool) -> tuple[SpikingNetwork, float]:
    """Return a copy of a network with gradients of a loss that logits and rates have a part in, and the loss."""
    network = copy.deepcopy(network).train()
    network.inverts = inverts
    heads, rates, _ = Answering(network, False)(some_events())
    answers = BatchAnswers(logits=heads.mean(0), labels=LABELS, heads=heads)
    loss = TetLoss(head=0)(answers) + 0.3 * TetLoss(head=1)(answers) + (rates - 0.5).square().sum()
    loss.backward()
    return network, loss.item()


def blocks_of(network: SpikingNetwork) -> dict[str, TransformerBlock]:
    return {name: each for name, each in network.layers.items() if isinstance(each, TransformerBlock)}


def gradients(network: SpikingNetwork) -> dict[str, torch.Tensor]:
    return {name: value.grad for name, value in network.named_parameters()}


@pytest.mark.parametrize("blocks", [1, 3])
def test_gradients_are_those_of_the_plain_way(blocks):
    network = settled(transformer(blocks=blocks))
    (plain, expected), (inverting, found) = (taught(network, inverts) for inverts in (False, True))
    assert found == expected
    for name, gradient in gradients(plain).items():
        assert gradient.abs().sum() > 0
        torch.testing.assert_close(gradients(inverting)[name], gradient, rtol=1e-4, atol=1e-6, msg=name)
    for (name, value), other in zip(plain.named_buffers(), inverting.buffers(), strict=True):
        assert torch.equal(value, other), name


def test_full_streams_come_back():
    """Where a stream was cut off, what is kept says by how much."""
    network = settled(transformer(blocks=2))
    for block in blocks_of(network).values():
        block.grid = Grid(14)  # of -2 to 2
    network.layers["embedding"].grid = Grid(14)
    with torch.no_grad():
        _, streams = network.layers["embedding"](network.layers["conv1"](some_events().transpose(0, 1).float(), 3), 3)
    assert (streams[0].abs() >= 1.9999).float().mean() > 0.005
    (plain, _), (inverting, _) = (taught(network, inverts) for inverts in (False, True))
    for name, gradient in gradients(plain).items():
        torch.testing.assert_close(gradients(inverting)[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_activations_are_not_kept():
    """What is kept for gradients hardly grows with the blocks."""
    def kept(blocks: int, inverts: bool) -> int:
        network, sizes = settled(transformer(blocks=blocks)).train(), {}
        network.inverts = inverts

        def note(value):
            sizes[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
            return value

        with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value):
            heads, _, _ = Answering(network, False)(some_events())
        assert heads.requires_grad
        return sum(sizes.values())

    added = {inverts: kept(3, inverts) - kept(1, inverts) for inverts in (False, True)}
    assert 0 < added[True] < added[False] / 20


def test_what_cannot_be_inverted_is_refused():
    with pytest.raises(ValueError, match="needs reversible transformer blocks, this network has none"):
        check_invertible({})
    with pytest.raises(ValueError, match="'block1': a block with one residual stream has no inverse"):
        check_invertible(blocks_of(transformer(reversible=False)))
    with pytest.raises(ValueError, match="'block1': its streams are floats"):
        check_invertible(blocks_of(transformer(weights="float")))


def test_a_training_ends_as_the_plain_one(tmp_path, monkeypatch):
    """But for what rounding gradients does: the first losses are the same, the last ones nearly."""
    offer_sample(monkeypatch, sample_data)
    chosen = dataclasses.replace(recipe(epochs=2, learning_rate=1e-3), layers=described())
    losses = []
    for options in (RunOptions(), RunOptions(invert=True)):
        path = train(chosen, tmp_path / str(options.invert), progress=False, options=options)
        losses.append([entry["loss"] for entry in load_checkpoint(path).history])
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    with pytest.raises(ValueError, match="inverting needs reversible transformer blocks"):
        train(recipe(epochs=1), tmp_path / "none", progress=False, options=RunOptions(invert=True))
    with pytest.raises(ValueError, match="inverting takes one process, without compile and graphs"):
        train(chosen, tmp_path / "compiled", progress=False, options=RunOptions(invert=True, compile=True))
