"""Steps of a training."""

import pytest
import torch
from spikeplane.training.net.leaky import firing_rate
from spikeplane.training.recipe.losses import LOSSES, Loss
from spikeplane.training.run.step import Answering
from spikeplane.training.run.train import train
from training_process import sample_data
from training_samples import network, offer_sample, recipe, samples


class Silence(Loss):
    """The mean of the spikes of a layer."""

    def __call__(self, answers):
        found.append({name: tuple(maps.shape) for name, maps in answers.spikes.items()})
        return answers.spikes["inner"].mean()


found = []


def test_a_network_answers_with_rates_and_with_spikes_if_asked():
    inputs = torch.from_numpy(samples(count=8).inputs)
    sample = network().eval()
    logits, spikes = sample(inputs)
    for asked in (False, True):
        again, rates, given = Answering(sample, asked)(inputs)
        assert torch.equal(again, logits[None])
        assert rates.tolist() == [firing_rate(spikes[name]).item() for name in sample.neuron_shapes]
        assert given.keys() == (spikes.keys() if asked else set())


def test_a_loss_that_says_nothing_of_spikes_is_given_them(tmp_path, monkeypatch):
    offer_sample(monkeypatch, sample_data)
    monkeypatch.setitem(LOSSES._parts, "silence", Silence)
    found.clear()
    train(recipe(epochs=1, losses={"tet": {}, "silence": {}}), tmp_path, progress=False)
    assert len(found) == 6 and all(shapes["inner"][2:] == (10, 4, 4) for shapes in found)
    monkeypatch.setattr(Silence, "needs_spikes", False)
    with pytest.raises(KeyError, match="inner"):
        train(recipe(epochs=1, losses={"tet": {}, "silence": {}}), tmp_path / "none", progress=False)
