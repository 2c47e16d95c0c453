"""MNIST files."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from spikeplane.data.formats.files import DataError
from spikeplane.data.sets import mnist
from spikeplane.data.sets.datasets import DataRecipe, load_dataset, quantize_image
from spikeplane.data.sets.mnist import load_mnist, read_idx

DATA = os.environ.get("SPIKEPLANE_DATA")


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim])
    return header + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.fixture
def small(tmp_path, monkeypatch):
    names = mnist.FILES["test"][:2]
    monkeypatch.setitem(mnist.FILES, "test", (*names, 5))
    images = np.random.RandomState(0).randint(0, 256, (5, 28, 28)).astype(np.uint8)
    labels = np.arange(5, dtype=np.uint8)
    for name, array in zip(names, (images, labels), strict=True):
        (tmp_path / name).write_bytes(gzip.compress(idx(array)))
    return tmp_path, images, labels


def test_images_and_labels(small):
    root, images, labels = small
    found = load_mnist(root, "test")
    np.testing.assert_array_equal(found[0], images)
    np.testing.assert_array_equal(found[1], labels)
    dataset = load_dataset(DataRecipe(name="mnist", steps=2, bits=4), "test", root)
    assert dataset.input.direct and dataset.input.bits == 4
    np.testing.assert_array_equal(dataset.inputs[:, 0], np.floor(images / 255 * 15 + 0.5))


def test_unpacked_files(small):
    root, images, labels = small
    for path in list(root.iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    found = load_mnist(root, "test")
    np.testing.assert_array_equal(found[0], images)
    np.testing.assert_array_equal(found[1], labels)


def test_labels_beyond_the_classes_are_refused(small):
    root = small[0]
    (root / mnist.FILES["test"][1]).write_bytes(gzip.compress(idx(np.array([0, 1, 200, 3, 4], np.uint8))))
    with pytest.raises(DataError, match="mnist test: sample 2 has label 200, limit 9"):
        load_dataset(DataRecipe(name="mnist", steps=2, bits=4), "test", root)


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_pixels_are_rounded_to_the_nearest_level(bits):
    values = np.arange(256, dtype=np.uint8)
    levels = (1 << bits) - 1
    quantized = quantize_image(values, bits).astype(float)
    assert np.abs(quantized / levels - values / 255).max() <= 0.5 / levels + 1e-12
    assert quantized[[0, -1]].tolist() == [0, levels]


@pytest.mark.parametrize(("content", "message"), [
    (b"no gzip", "not a complete gzip file"),
    (gzip.compress(b"\0\0\x0d\x01\0\0\0\x01xxxx", mtime=0), r"expected IDX bytes .* found 00000d"),
    (gzip.compress(idx(np.zeros((2, 3), np.uint8))[:-1], mtime=0), r"expected 18 bytes for shape \[2, 3\]"),
    (gzip.compress(idx(np.zeros(9, np.uint8)), mtime=0)[:-9], "not a complete gzip file"),
])
def test_broken_files_are_refused(tmp_path, content, message):
    path = tmp_path / "broken.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(path)


def test_missing_and_wrong_files_are_named(small):
    root, _, _ = small
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is missing: expected"):
        load_mnist(root, "train")
    with pytest.raises(DataError, match="name the root folder"):
        load_mnist(None, "test")
    (root / mnist.FILES["test"][1]).write_bytes(gzip.compress(idx(np.zeros(4, np.uint8))))
    with pytest.raises(DataError, match=r"expected shape \(5,\), found \(4,\)"):
        load_mnist(root, "test")


@pytest.mark.skipif(DATA is None, reason="SPIKEPLANE_DATA names no folder of data sets")
def test_the_real_files():
    images, labels = load_mnist(Path(DATA), "test")
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert images.mean() == pytest.approx(33.79, abs=0.01)
