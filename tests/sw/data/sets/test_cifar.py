"""CIFAR files."""

import io
import os
import tarfile

import numpy as np
import pytest
from spikeplane.data.formats.files import DataError
from spikeplane.data.sets import cifar
from spikeplane.data.sets.cifar import CIFAR10, CIFAR100, SHAPE, load_cifar
from spikeplane.data.sets.datasets import DataRecipe, load_dataset

DATA = os.environ.get("SPIKEPLANE_DATA")
EACH = 3
"""Images of a file in these tests."""


def sample(form, part):
    """Return images, labels and the content of each file of a part."""
    random = np.random.RandomState(len(part))
    count = EACH * len(form.files[part])
    images = random.randint(0, 256, (count, *SHAPE)).astype(np.uint8)
    labels = random.randint(0, form.classes, count).astype(np.uint8)
    other = np.full((count, form.label_bytes - 1), 19, np.uint8)
    records = np.concatenate([other, labels[:, None], images.reshape(count, -1)], 1)
    files = {
        name: records[index * EACH : (index + 1) * EACH].tobytes()
        for index, name in enumerate(form.files[part])
    }
    return images, labels, files


@pytest.fixture(params=[CIFAR10, CIFAR100], ids=["cifar10", "cifar100"])
def form(request, monkeypatch):
    for part in ("train", "test"):
        monkeypatch.setitem(cifar.COUNTS, part, EACH * len(request.param.files[part]))
    return request.param


def write_folder(root, form, files):
    folder = root / form.folder / form.inner
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def write_archive(root, form, files):
    (root / form.folder).mkdir(exist_ok=True)
    with tarfile.open(root / form.folder / form.archive, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{form.inner}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("write", [write_folder, write_archive])
@pytest.mark.parametrize("part", ["train", "test"])
def test_images_and_labels(tmp_path, form, part, write):
    images, labels, files = sample(form, part)
    write(tmp_path, form, files)
    found = load_cifar(tmp_path, form, part)
    np.testing.assert_array_equal(found[0], images)
    np.testing.assert_array_equal(found[1], labels)
    dataset = load_dataset(DataRecipe(name=form.folder, steps=2, bits=8), part, tmp_path)
    assert dataset.classes == form.classes and dataset.input.shape == SHAPE
    np.testing.assert_array_equal(dataset.inputs, images)


@pytest.mark.parametrize(("change", "message"), [
    (lambda raw: raw[:-1], r"data_batch_2\.bin: expected a positive multiple of 3073 bytes, found"),
    (lambda raw: b"", r"data_batch_2\.bin: expected a positive multiple of 3073 bytes, found 0"),
    (lambda raw: raw[:3073], "expected 15 images, found 13"),
    (lambda raw: b"\x0a" + raw[1:], "sample 3 has label 10, limit 9"),
    (lambda raw: None, r"data_batch_2\.bin is missing"),
])
@pytest.mark.parametrize("write", [write_folder, write_archive])
def test_wrong_files_are_refused(tmp_path, monkeypatch, write, change, message):
    monkeypatch.setitem(cifar.COUNTS, "train", 5 * EACH)
    files = sample(CIFAR10, "train")[2]
    content = change(files.pop("data_batch_2.bin"))
    if content is not None:
        files["data_batch_2.bin"] = content
    write(tmp_path, CIFAR10, dict(sorted(files.items())))
    with pytest.raises(DataError, match=message):
        load_dataset(DataRecipe(name="cifar10", steps=2, bits=8), "train", tmp_path)


def test_missing_and_damaged_archives_are_refused(tmp_path, form):
    with pytest.raises(DataError, match=rf"{form.archive} is missing: .*{form.inner}\)$"):
        load_cifar(tmp_path, form, "test")
    inner, archive = form.python
    (tmp_path / archive).touch()
    with pytest.raises(DataError, match=rf"{archive} is the Python version, .* the binary version"):
        load_cifar(tmp_path, form, "test")
    (tmp_path / inner).mkdir()
    with pytest.raises(DataError, match=rf"{form.archive} is missing: .*{inner} is the Python version"):
        load_cifar(tmp_path, form, "test")
    write_archive(tmp_path, form, sample(form, "test")[2])
    path = tmp_path / form.folder / form.archive
    raw = path.read_bytes()
    for damaged in (raw[: len(raw) // 2], b"no gzip", b""):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"not a complete \.tar\.gz file"):
            load_cifar(tmp_path, form, "test")


def test_settings_of_recordings_are_refused():
    recipe = DataRecipe(name="cifar10", steps=1, downsample=2)
    with pytest.raises(ValueError, match=r"data\.downsample is 2, but cifar10 is a data set of images"):
        load_dataset(recipe, "test")
