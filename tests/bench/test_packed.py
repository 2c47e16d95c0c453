"""Packed recordings, and the data sets that the benches read from them."""

import os
from pathlib import Path

import numpy as np
import pytest
from packed import FILES, load_packed, read_packed_events, use_packed
from packed_samples import SAMPLE, pack
from spikeplane.data.formats.files import DataError
from spikeplane.data.sets.datasets import DATASETS, DataRecipe, load_dataset
from spikeplane.training.run.checkpoint import load_checkpoint


@pytest.mark.parametrize(("change", "message"), [
    ({"x": np.zeros(3, np.uint8)}, "x has 3 entries, expected 4"),
    ({"offsets": np.array([0, 5, 4], np.uint32)}, "label has 1 entries, expected 2"),
    ({"offsets": np.array([1, 4], np.uint32)}, "offsets must rise from 0"),
    ({"offsets": np.array([], np.uint32)}, "offsets must be a list of integers"),
    ({"offsets": np.array([0.0, 4.0])}, "offsets must be a list of integers"),
    ({"x": np.zeros((4, 1), np.uint8)}, "x must be a list of integers"),
    ({"dt_lo": np.zeros(4, np.int64)}, "dt_lo must be bytes, not int64"),
])
def test_inconsistent_archives_are_refused(tmp_path, change, message):
    path = tmp_path / "bad.npz"
    np.savez(path, **(pack(SAMPLE) | change))
    with pytest.raises(DataError, match=message):
        read_packed_events(path, 34, 34)


def test_foreign_archives_are_refused(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(path, x=np.zeros(3))
    with pytest.raises(DataError, match=r"'offsets'.* missing"):
        read_packed_events(path, 34, 34)
    path.write_bytes(b"no zip")
    with pytest.raises(DataError, match="not a readable npz file"):
        read_packed_events(path, 34, 34)


DATA = os.environ.get("SPIKEPLANE_DATA")
ZOO = Path(__file__).parents[2] / "zoo"


@pytest.fixture
def packed(monkeypatch):
    """Let recipes mean the packed parts, for one test."""
    monkeypatch.setattr(DATASETS, "_parts", dict(DATASETS._parts))
    use_packed()


def test_a_data_set_of_packed_recordings(tmp_path, packed):
    np.savez(tmp_path / "ncars_test_sub1000.npz", **pack(SAMPLE, SAMPLE[1:]))
    recipe = DataRecipe(name="ncars", steps=2, downsample=4)
    dataset = load_dataset(recipe, "test", tmp_path)
    assert dataset.inputs.shape == (2, 2, 2, 25, 30) and dataset.classes == 2
    assert {tuple(place) for place in np.argwhere(dataset.inputs[0]).tolist()} == {
        (0, 1, 0, 8), (0, 0, 8, 0), (0, 1, 1, 1), (0, 0, 0, 0)
    }
    with pytest.raises(DataError, match=r"^ncars_train_sub3000\.npz is missing: expected .*/ncars/ncars_train_sub3000"):
        load_dataset(recipe, "train", tmp_path)


def test_a_folder_of_its_own(tmp_path):
    (tmp_path / "nmnist_small").mkdir()
    np.savez(tmp_path / "nmnist_small" / "nmnist_test100.npz", **pack(SAMPLE, SAMPLE[1:]))
    first, second = load_packed("nmnist", tmp_path, "test")
    assert first.events.tolist() == SAMPLE and second.events.tolist() == SAMPLE[1:]
    assert [first.label, second.label] == [0, 1]


def test_a_part_without_recordings_is_refused(tmp_path, packed):
    empty = {name: array[: name == "offsets"] for name, array in pack(SAMPLE).items()}
    np.savez(tmp_path / "ncars_test_sub1000.npz", **empty)
    with pytest.raises(DataError, match="ncars test: the data set has no recordings"):
        load_dataset(DataRecipe(name="ncars", steps=2), "test", tmp_path)


@pytest.mark.skipif(DATA is None, reason="SPIKEPLANE_DATA names no folder of data sets")
def test_the_real_files():
    recordings = list(load_packed("ncars", Path(DATA), "test"))
    assert np.bincount([recording.label for recording in recordings]).tolist() == [500, 500]
    recordings = list(load_packed("nmnist", Path(DATA), "test"))
    assert len(recordings) == 100
    assert sum(len(recording.events) for recording in recordings) == 385596
    assert [recording.label for recording in recordings[:8]] == [7, 2, 1, 0, 4, 1, 4, 9]


@pytest.mark.skipif(DATA is None, reason="SPIKEPLANE_DATA names no folder of data sets")
@pytest.mark.parametrize("name", FILES)
def test_the_zoo_was_trained_with_these_inputs(packed, name):
    checkpoint = load_checkpoint(ZOO / name / "checkpoint.safetensors")
    dataset = load_dataset(checkpoint.recipe.data, "train", Path(DATA))
    assert dataset.checksum == checkpoint.checksums["train"]
