import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from spikeplane.network.container import ContainerError, read_container, write_container

TENSORS = {"a": np.arange(300, dtype=np.int16), "b": np.ones((2, 3), np.uint8)}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.spk"
    write_container(path, "thing", 3, {"x": [1, "two"]}, TENSORS)
    return path


def test_what_is_written_is_read(path):
    header, tensors = read_container(path, "thing", 3)
    assert header == {"x": [1, "two"]}
    assert {name: t.tolist() for name, t in tensors.items()} == {
        name: t.tolist() for name, t in TENSORS.items()}
    assert [p.name for p in path.parent.iterdir()] == ["file.spk"]


@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_a_truncated_file_is_named(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ContainerError, match=r"file.spk: truncated, or not a safetensors file"):
        read_container(path, "thing", 3)


def test_every_altered_bit_is_noticed(path):
    sound = path.read_bytes()
    for position in np.random.default_rng(0).integers(0, 8 * len(sound), 200).tolist():
        altered = bytearray(sound)
        altered[position // 8] ^= 1 << position % 8
        path.write_bytes(altered)
        with pytest.raises(ContainerError, match=r"file\.spk: "):
            read_container(path, "thing", 3)


def test_other_kinds_and_versions_are_named(path):
    with pytest.raises(ContainerError, match="a Spikeplane file of kind 'thing', not 'image'"):
        read_container(path, "image", 3)
    with pytest.raises(ContainerError, match="thing format version 3; this program reads version 4"):
        read_container(path, "thing", 4)


def test_a_changed_tensor_or_header_is_noticed(path):
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    save_file(tensors | {"a": tensors["a"] + 1}, path, metadata)
    with pytest.raises(ContainerError, match="the content does not match its hash"):
        read_container(path, "thing", 3)
    header = json.loads(metadata["spikeplane"])
    header["header"]["x"] = []
    save_file(tensors, path, {"spikeplane": json.dumps(header)})
    with pytest.raises(ContainerError, match="the content does not match its hash"):
        read_container(path, "thing", 3)


@pytest.mark.parametrize(("metadata", "message"), [
    (None, "not written by Spikeplane"),
    ({"spikeplane": "{"}, "the header is not readable"),
    ({"spikeplane": "[]"}, "the header is not readable"),
    ({"spikeplane": "{}"}, "a Spikeplane file, but no thing: its header has no kind"),
])
def test_a_foreign_file_is_named(tmp_path, metadata, message):
    path = tmp_path / "foreign"
    save_file(TENSORS, path, metadata)
    with pytest.raises(ContainerError, match=message):
        read_container(path, "thing", 3)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ContainerError, match="nothing: no such file"):
        read_container(tmp_path / "nothing", "thing", 3)
