"""The validation part of a data set."""

from dataclasses import replace

import numpy as np
import pytest
from spikeplane.data.sets.datasets import DataRecipe, load_dataset, load_parts
from spikeplane.data.sets.split import split_training
from training_samples import offer_sample, samples

LABELS = np.array([0] * 50 + [1] * 30 + [2] * 20)[np.random.RandomState(0).permutation(100)]


@pytest.mark.parametrize("count", [0, 1, 7, 10, 99])
def test_every_class_has_its_share(count):
    rest, held = split_training(LABELS, count, 3)
    assert len(held) == count and sorted([*rest, *held]) == list(range(100))
    assert (np.diff(rest) > 0).all() and (np.diff(held) > 0).all()
    for label, size in enumerate((50, 30, 20)):
        assert abs((LABELS[held] == label).sum() - count * size / 100) < 1


def test_the_seed_chooses():
    one, two, other = (split_training(LABELS, 30, seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert set(one) != set(other)
    with pytest.raises(ValueError, match=r"data\.validation must be in 0\.\.99, not 100"):
        split_training(LABELS, 100, 1)


def test_parts(monkeypatch):
    whole = samples()
    offer_sample(monkeypatch, lambda recipe, root, part: whole)
    recipe = DataRecipe(name="sample", steps=3, validation=20, validation_seed=4)
    train, held = load_dataset(recipe, "train"), load_dataset(recipe, "validation")
    assert (len(train.labels), len(held.labels), held.name) == (76, 20, "sample validation")
    found = {sample.tobytes() for part in (train, held) for sample in part.inputs}
    assert found == {sample.tobytes() for sample in whole.inputs}
    assert load_dataset(replace(recipe, validation_seed=5), "train").checksum != train.checksum
    without = replace(recipe, validation=0)
    assert load_dataset(without, "train").checksum == whole.checksum and load_parts(without)[1] is None
    with pytest.raises(ValueError, match="sample validation: the recipe holds no training samples out; set"):
        load_dataset(without, "validation")
    with pytest.raises(ValueError, match="part must be one of train, validation, test, not 'all'"):
        load_dataset(recipe, "all")
