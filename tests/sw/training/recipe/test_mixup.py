"""Mixup: of samples, of labels, and in a training."""

import dataclasses

import numpy as np
import pytest
import torch
from spikeplane.training.recipe.mixup import Mixture, Mixup
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.step import Step
from spikeplane.training.run.train import train
from training_samples import IMAGE, offer_sample, recipe, samples

IMAGES = np.random.RandomState(0).randint(0, 256, (6, 3, 4, 5)).astype(np.uint8)
MIXTURE = Mixture(others=np.array([3, 1, 0, 5, 2, 4]), shares=np.array([1, 0.5, 0.75, 0.6, 0.9, 0.5]))


def test_images_and_labels_fade_alike():
    given = torch.from_numpy(IMAGES.copy())
    found = MIXTURE.mix(given)
    np.testing.assert_array_equal(given.numpy(), IMAGES)
    assert found.dtype == torch.uint8 and torch.equal(found[0], given[0])
    shares = MIXTURE.shares[:, None, None, None]
    exact = shares * IMAGES + (1 - shares) * IMAGES[MIXTURE.others]
    assert np.abs(found.numpy() - exact).max() <= 0.5 + 1e-4
    labels = np.array([0, 1, 2, 3, 0, 3])
    np.testing.assert_allclose(MIXTURE.targets(labels, 4).numpy(), [
        [1, 0, 0, 0], [0, 1, 0, 0], [0.25, 0, 0.75, 0], [0, 0, 0, 1], [0.9, 0, 0.1, 0], [0.5, 0, 0, 0.5],
    ], atol=1e-7)


def test_events_are_refused():
    with pytest.raises(ValueError, match=r"training\.mixup needs images .*, not \(6, 2, 3, 4, 5\)"):
        MIXTURE.mix(torch.zeros(6, 2, 3, 4, 5))


def test_draws():
    """The own share is the larger one; with small parameters most samples hardly change; the last ones not at all."""
    draw = np.random.RandomState(1)
    even, small = (Mixup(alpha=alpha).draw(4000, 0.0, draw).shares for alpha in (1.0, 0.1))
    assert min(even.min(), small.min()) >= 0.5 and abs(even.mean() - 0.75) < 0.02 and small.mean() > 0.9
    mixup = Mixup(until=0.4)
    assert (mixup.draw(50, 0.4, np.random.RandomState(2)).shares == 1).all()
    assert (mixup.draw(50, 0.39, np.random.RandomState(2)).shares < 1).all()


def test_a_training_sees_mixed_images_and_labels(tmp_path, monkeypatch):
    """Until mixing ends; recipes without it do not say so."""
    seen = []
    step = Step.__call__

    def keep(self, batch, count):
        seen.append(batch)
        return step(self, batch, count)

    monkeypatch.setattr(Step, "__call__", keep)
    offer_sample(monkeypatch, lambda chosen, root, part: samples(IMAGE))
    # Each batch is all samples, in an order of its own.
    chosen = recipe(epochs=2, batch_size=96, augmentations={}, mixup=Mixup(alpha=1.0, until=0.5))
    chosen = dataclasses.replace(chosen, data=dataclasses.replace(chosen.data, bits=4))
    path = train(chosen, tmp_path, progress=False)
    mixed, plain = seen
    own = mixed.mixed.gather(1, mixed.labels[:, None])
    assert own.min() >= 0.5 and (own < 1).float().mean() > 0.5
    images = {image.tobytes() for image in samples(IMAGE).inputs}
    assert sum(image.numpy().tobytes() in images for image in mixed.inputs) < 10
    assert all(image.numpy().tobytes() in images for image in plain.inputs)
    assert torch.equal(plain.mixed.argmax(1), plain.labels) and (plain.mixed.max(1).values == 1).all()
    assert load_checkpoint(path).recipe == chosen
    assert "mixup" not in recipe().to_dict()["training"]
    assert load_recipe("mnist", ["training.mixup.alpha=0.2"]).training.mixup == Mixup(alpha=0.2)
