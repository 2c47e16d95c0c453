"""CIFAR10-DVS files."""

import numpy as np
import pytest
from recording_samples import aedat_2_0, random_events
from spikeplane.data.formats.files import DataError
from spikeplane.data.sets import cifar10dvs
from spikeplane.data.sets.cifar10dvs import CLASSES
from spikeplane.data.sets.datasets import DataRecipe, load_dataset


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10dvs, "COUNT", 3)
    monkeypatch.setattr(cifar10dvs, "TRAIN_COUNT", 2)
    for label, name in enumerate(CLASSES):
        (tmp_path / "cifar10dvs" / name).mkdir(parents=True)
        for number in range(3):
            events = random_events(40, 128, 128, 10 * label + number)
            path = tmp_path / "cifar10dvs" / name / f"cifar10_{name}_{number}.aedat"
            shuffled = events.reshape(8, 5)[:, ::-1].ravel()  # By a few milliseconds.
            path.write_bytes(aedat_2_0(shuffled, start=5000))
    return tmp_path


def test_the_last_recordings_of_a_class_test(root):
    recipe = DataRecipe(name="cifar10dvs", steps=3, frames="count", downsample=4)
    parts = {part: load_dataset(recipe, part, root) for part in ("train", "test")}
    assert parts["train"].labels.tolist() == np.repeat(range(10), 2).tolist()
    assert parts["test"].labels.tolist() == list(range(10))
    assert parts["test"].inputs.shape == (10, 3, 2, 32, 32) and parts["test"].classes == 10
    events = random_events(40, 128, 128, 72)
    expected = np.zeros((3, 2, 32, 32), np.uint8)
    for index, (_, x, y, polarity) in enumerate(events.tolist()):
        expected[index * 3 // 40, polarity, y // 4, x // 4] = 1
    np.testing.assert_array_equal(parts["test"].inputs[7], expected)


def test_missing_files_are_named(root):
    path = root / "cifar10dvs" / "dog" / "cifar10_dog_2.aedat"
    path.unlink()
    recipe = DataRecipe(name="cifar10dvs", steps=3)
    with pytest.raises(DataError, match=r"cifar10_dog_2\.aedat is missing: expected 3 recordings"):
        load_dataset(recipe, "test", root)
    with pytest.raises(DataError, match="airplane is missing: expected a folder"):
        load_dataset(recipe, "test", root / "cifar10dvs" / "dog")
