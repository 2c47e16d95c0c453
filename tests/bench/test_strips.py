"""CIFAR-10 as the benches read it."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from spikeplane.data.formats.files import DataError
from spikeplane.data.sets.cifar import COUNTS, SHAPE
from strips import STRIPS, load_strips

DATA = os.environ.get("SPIKEPLANE_DATA")


def write_strips(path, images, labels, size):
    image = pytest.importorskip("PIL.Image")
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(0, len(images), size):
            strip = images[index : index + size].transpose(0, 2, 3, 1).reshape(-1, 32, 3)
            content = io.BytesIO()
            image.fromarray(strip).save(content, "WEBP", lossless=True, exact=True)
            archive.writestr(f"{index:03}.webp", content.getvalue())
        if labels is not None:
            archive.writestr("labels.u8", labels.tobytes())


def test_strips(tmp_path, monkeypatch):
    monkeypatch.setitem(COUNTS, "train", 5)
    random = np.random.RandomState(1)
    images = random.randint(0, 256, (6, *SHAPE)).astype(np.uint8)
    labels = random.randint(0, 10, 6).astype(np.uint8)
    first, second = (tmp_path / name for name in STRIPS["train"])
    write_strips(first, images[:4], labels[:5], 2)
    write_strips(second, images[4:5], None, 2)
    found = load_strips(tmp_path, "train")
    np.testing.assert_array_equal(found[0], images[:5])
    np.testing.assert_array_equal(found[1], labels[:5])
    write_strips(second, images[4:6], None, 2)
    with pytest.raises(DataError, match="expected a label for each of 6 images, found 5"):
        load_strips(tmp_path, "train")
    second.write_bytes(second.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"train_b\.zip: not a complete zip file"):
        load_strips(tmp_path, "train")
    second.unlink()
    with pytest.raises(DataError, match=r"train_b\.zip is missing"):
        load_strips(tmp_path, "train")


@pytest.mark.skipif(DATA is None, reason="SPIKEPLANE_DATA names no folder of data sets")
def test_the_real_files():
    images, labels = load_strips(Path(DATA), "test")
    assert np.bincount(labels).tolist() == [1000] * 10
    assert images.mean((0, 2, 3)) / 255 == pytest.approx([0.4942, 0.4851, 0.4504], abs=1e-4)
