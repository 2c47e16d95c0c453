"""Arrays of one's own, in files and in memory."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from own_files import SIZE, bar_images
from safetensors.numpy import save_file
from spikeplane.data.formats.files import DataError
from spikeplane.data.sets import samples
from spikeplane.data.sets.datasets import DATASETS, DataRecipe, FilesRecipe, load_dataset, register_dataset
from spikeplane.data.sets.samples import StoredSamples


def recipe(train: str = "a.npz", steps: int = 3, bits: int = 8, **files) -> DataRecipe:
    return DataRecipe(name="arrays", steps=steps, bits=bits, files=FilesRecipe(train=train, **files))


def write(path, images, labels, **more):
    if path.suffix == ".npz":
        np.savez_compressed(path, images=images, labels=labels, **more)
    elif path.suffix == ".npy":
        np.save(path, images)
        np.save(path.with_name(f"{path.stem}_labels.npy"), labels)
    else:
        save_file({"images": images, "labels": labels}, path)


@pytest.mark.parametrize("ending", [".npz", ".npy", ".safetensors"])
@pytest.mark.parametrize("kept", [False, True])
def test_every_format_gives_the_same(tmp_path, ending, kept, monkeypatch):
    if kept:
        monkeypatch.setattr(samples, "HELD_LIMIT", 0)
    images, labels = bar_images(20)
    other, other_labels = bar_images(6, 1)
    write(tmp_path / f"train{ending}", images, labels)
    write(tmp_path / f"test{ending}", other, other_labels)
    chosen = recipe(f"train{ending}", test=f"test{ending}")
    train, test = (load_dataset(chosen, part, tmp_path) for part in ("train", "test"))
    assert isinstance(train.inputs, StoredSamples) == kept
    assert train.input.shape == (1, SIZE, SIZE) and train.input.direct
    np.testing.assert_array_equal(train.inputs[:][:, 0], images)
    np.testing.assert_array_equal(test.inputs[:][:, 0], other)
    np.testing.assert_array_equal(train.labels, labels)
    assert train.classes == 2 and train.class_names == ()


@pytest.mark.parametrize("inputs, targets", [("x", "y"), ("images", "labels")])
def test_a_file_may_have_both_parts(tmp_path, inputs, targets):
    images, labels = bar_images(20)
    np.savez(tmp_path / "a.npz", **{
        f"{inputs}_train": images[:12], f"{targets}_train": labels[:12, None],
        f"{inputs}_test": images[12:], f"{targets}_test": labels[12:],
    })
    train, test = (load_dataset(recipe(), part, tmp_path) for part in ("train", "test"))
    np.testing.assert_array_equal(train.inputs[:, 0], images[:12])
    np.testing.assert_array_equal(test.inputs[:, 0], images[12:])


def test_a_seed_splits_by_class(tmp_path):
    images, labels = bar_images(20)
    write(tmp_path / "a.npz", images, labels, classes=np.array(["stands", "lies"]))
    train, test = (load_dataset(recipe(), part, tmp_path) for part in ("train", "test"))
    assert np.bincount(test.labels).tolist() == [2, 2] and len(train.labels) == 16
    assert train.class_names == ("stands", "lies")
    named = load_dataset(recipe(classes=["a", "b", "c"]), "test", tmp_path)
    assert named.class_names == ("a", "b", "c") and named.classes == 3


def test_floats_booleans_and_colours_last(tmp_path):
    images, labels = bar_images(10)
    expected = None
    for values in (images, images / np.float32(255), images[:, None] / 255):
        write(tmp_path / "a.npz", values, labels)
        found = load_dataset(recipe(), "train", tmp_path).inputs
        expected = found if expected is None else expected
        np.testing.assert_array_equal(found, expected)
    write(tmp_path / "a.npz", images > 100, labels)
    assert set(np.unique(load_dataset(recipe(bits=1), "train", tmp_path).inputs)) == {0, 1}
    colours = np.stack([images, images // 2, images // 3], -1)
    write(tmp_path / "a.npz", colours, labels)
    with pytest.raises(DataError, match=r"seem to have their colours last: set data.files.layout to \"channels_last\""):
        load_dataset(recipe(), "train", tmp_path)
    found = load_dataset(recipe(layout="channels_last"), "train", tmp_path)
    assert found.input.shape == (3, SIZE, SIZE)
    np.testing.assert_array_equal(found.inputs[:, 0:1], expected)


def test_spikes(tmp_path):
    random = np.random.default_rng(0)
    spikes, labels = (random.random((10, 3, 2, 4, 5)) < 0.3), np.arange(10) % 2
    np.savez(tmp_path / "a.npz", spikes=spikes, labels=labels)
    found = load_dataset(recipe(bits=1, test_share=0.2), "train", tmp_path)
    assert found.input.shape == (3, 2, 4, 5) and not found.input.direct
    with pytest.raises(DataError, match=r"a.npz: spikes of 3 time steps, data.steps is 4"):
        load_dataset(recipe(bits=1, steps=4), "train", tmp_path)
    with pytest.raises(ValueError, match=r"data.bits is 8, but arrays is a data set of spikes"):
        load_dataset(recipe(), "train", tmp_path)
    np.savez(tmp_path / "a.npz", spikes=spikes * np.array(2, np.uint8), labels=labels)
    with pytest.raises(DataError, match=r"a.npz: sample 0 has the value 2; spikes are 0 and 1"):
        load_dataset(recipe(bits=1), "train", tmp_path)


def bad(**changes):
    images, labels = bar_images(10)
    return {"images": images, "labels": labels} | changes


@pytest.mark.parametrize(("arrays", "message"), [
    (bad(labels=np.zeros(10, np.int64)), "the class 0 alone; two or more are needed"),
    (bad(labels=np.arange(9)), "10 samples and 9 labels; there must be as many"),
    (bad(labels=np.arange(10) - 1), "sample 0 has label -1, below 0"),
    (bad(labels=np.arange(10) / 2), "labels must be integers of one dimension, not 1 of float64"),
    (bad(classes=np.array(["one", "two"]), labels=np.arange(10) % 3), "sample 2 has label 2, limit 1"),
    (bad(images=np.full((10, 4, 4), 256)), "sample 0 has the value 256; images of integers are in 0..255"),
    (bad(images=np.full((10, 4, 4), np.nan)), "the value nan; images of floating-point numbers are in 0..1"),
    (bad(images=np.zeros((10, 4, 4), complex)), "samples must be numbers, not complex128"),
    (bad(images=np.zeros((10, 4))), r"an array of shape \(10, 4\); images are"),
    (bad(images=np.uint8(3)), r"an array of shape \(\); images are"),
    ({"labels": np.arange(3)}, "expected one array called images, x, spikes, or x_train, found labels"),
    ({"images": np.zeros((3, 2, 2))}, "expected an array called labels or y, found images"),
    (bad(labels=np.array([None] * 10)), "not a readable file of arrays: Object arrays cannot be loaded"),
])
def test_bad_arrays_are_named(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=f"a.npz.*{message}"):
        load_dataset(recipe(), "train", tmp_path)


def test_some_samples_must_train(tmp_path):
    write(tmp_path / "a.npz", *bar_images(40))
    with pytest.raises(DataError, match=r"a.npz: with data.files.test_share 0.99 all of 40 samples test, and none"):
        load_dataset(recipe(test_share=0.99), "train", tmp_path)


def test_other_shapes_and_labels_of_the_test_part_are_named(tmp_path):
    write(tmp_path / "a.npz", *bar_images(10))
    write(tmp_path / "b.npz", np.zeros((4, 5, 5), np.uint8), np.arange(4) % 2)
    with pytest.raises(DataError, match=r"b.npz: samples of \(5, 5\), those of .*a.npz are \(12, 12\)"):
        load_dataset(recipe(test="b.npz"), "train", tmp_path)
    write(tmp_path / "b.npz", bar_images(4)[0], np.arange(4))
    with pytest.raises(DataError, match=r"b.npz: sample 2 has label 2, limit 1"):
        load_dataset(recipe(test="b.npz"), "train", tmp_path)


class Trap:
    def __reduce__(self):
        raise AssertionError("something was pickled")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_nothing_is_executed(tmp_path, name, monkeypatch):
    loaded = []
    monkeypatch.setattr(pickle, "load", lambda *arguments, **options: loaded.append(arguments))
    for path in (tmp_path / name, tmp_path / "a_labels.npy"):
        values = np.array([{}, {}], object)
        np.savez(path, images=values, labels=values) if path.suffix == ".npz" else np.save(path, values)
    with pytest.raises(DataError, match="not a readable file of arrays"):
        load_dataset(recipe(name), "train", tmp_path)
    assert not loaded


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.safetensors"])
def test_damaged_files_are_named(tmp_path, name):
    write(tmp_path / name, *bar_images(10))
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=f"{name}: not a readable file of arrays"):
        load_dataset(recipe(name), "train", tmp_path)
    with pytest.raises(DataError, match=r"absent.npz is missing"):
        load_dataset(recipe("absent.npz"), "train", tmp_path)
    (tmp_path / "a.mat").touch()
    with pytest.raises(DataError, match=r"a.mat: expected a name that ends in one of .npy, .npz, .safetensors"):
        load_dataset(recipe("a.mat"), "train", tmp_path)


def test_arrays_of_a_program():
    train, test = bar_images(20), bar_images(6, 1)
    register_dataset("own bars", train, test, ["stands", "lies"])
    try:
        with pytest.raises(ValueError, match="there is one of this name already"):
            register_dataset("own bars", train, test)
        found = load_dataset(DataRecipe(name="own bars", steps=2, bits=8), "test")
        np.testing.assert_array_equal(found.inputs[:, 0], test[0])
        assert found.class_names == ("stands", "lies")
        register_dataset("bad bars", train, (test[0], test[1] + 1), ["stands", "lies"])
        with pytest.raises(DataError, match="data set 'bad bars' test: sample 1 has label 2, limit 1"):
            load_dataset(DataRecipe(name="bad bars", steps=2, bits=8), "train")
    finally:
        DATASETS.unregister("own bars")
        DATASETS.unregister("bad bars")


def test_settings_of_folders_are_refused(tmp_path):
    for name, value in (("table", "x.csv"), ("width", 4), ("unit", "s"), ("colours", 1)):
        with pytest.raises(ValueError, match=f"data.files.{name} is {value!r}, but arrays have no use for it"):
            load_dataset(replace(recipe(), files=FilesRecipe(train="a.npz", **{name: value})), "train", tmp_path)
