"""The digits in front of the event camera."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from spikeplane.data.datasets import DataRecipe, load_dataset
from spikeplane.data.digits import TEST_COUNT, TRAIN_COUNT, digit_recordings, digit_time_bins


def test_parts_are_disjoint_and_complete():
    parts = [digit_recordings(part) for part in ("train", "test")]
    assert [len(part) for part in parts] == [TRAIN_COUNT, TEST_COUNT]
    indices = [int(recording.name.split()[1]) for part in parts for recording in part]
    assert sorted(indices) == list(range(TRAIN_COUNT + TEST_COUNT))
    target = load_digits().target
    assert [r.label for part in parts for r in part] == target[indices].tolist()
    for recording in parts[1]:
        recording.verify()


def test_dataset_holds_the_binned_recordings():
    dataset = load_dataset(DataRecipe(name="digits", steps=4), "test")
    recording = digit_recordings("test")[7]
    np.testing.assert_array_equal(dataset.inputs[7], digit_time_bins(4).spikes(recording))
    assert dataset.input.shape == dataset.inputs.shape[1:] == (4, 2, 16, 16)
    assert 0.08 < dataset.inputs.mean() < 0.25
    again = load_dataset(DataRecipe(name="digits", steps=4), "test")
    assert dataset.checksum == again.checksum
    again.labels[0] += 1
    assert dataset.checksum != again.checksum


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match='part must be "train" or "test", not \'all\''):
        digit_recordings("all")
    with pytest.raises(ValueError, match=r"data\.name must be one of .*, not 'letters'"):
        load_dataset(DataRecipe(name="letters", steps=1), "test")
