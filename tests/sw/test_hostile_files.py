"""Files that ask for more than they hold, or say things in a form that nobody writes: refused, named, at once."""

import json
import resource
import struct
from dataclasses import replace

import pytest
import ragged_networks
from sealed_files import change_checkpoint
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import ImageError, load_image, save_image
from spikeplane.network.checks import NetworkError
from spikeplane.network.container import ContainerError, read_container, write_container
from spikeplane.network.file import load_network, save_network
from spikeplane.training.run.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from training_samples import untrained_checkpoint

LOADERS = {"network": (load_network, NetworkError), "image": (load_image, ImageError),
           "checkpoint": (load_checkpoint, CheckpointError)}
every_kind = pytest.mark.parametrize(("load", "error"), LOADERS.values(), ids=LOADERS)


def nested(depth: int):
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


def write_raw(path, header: dict, data: bytes = b"", length: int | None = None):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)


@pytest.fixture
def little_memory():
    """Let allocations of more than a few gigabytes fail, lest a failing test takes the machine along."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 36, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


@every_kind
@pytest.mark.parametrize(("header", "length"), [
    ({}, 1 << 62),
    ({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}, None),
    ({"a": {"dtype": "F32", "shape": [0, 1 << 60], "data_offsets": [0, 0]}}, None),
    ({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, None),
    ({"a": {"dtype": "F32", "shape": "x", "data_offsets": [0, 4]}}, None),
    ({"a": 3}, None),
])
def test_sizes_are_checked_before_reading(tmp_path, load, error, header, length):
    write_raw(tmp_path / "a", {"__metadata__": {"spikeplane": "{}"}} | header, bytes(4), length)
    with pytest.raises(error, match=r"/a: .*not a safetensors file: ") as found:
        load(tmp_path / "a")
    assert "\n" not in str(found.value)


@every_kind
def test_deep_headers_are_named(tmp_path, load, error):
    for text in (json.dumps({"a": nested(150)}), "[" * 200_000):
        write_raw(tmp_path / "a", {"__metadata__": {"spikeplane": text}})
        with pytest.raises(error, match=r"/a: the header is (nested too deep, limit 100|not readable)"):
            load(tmp_path / "a")


def test_deep_metadata_is_not_written(tmp_path):
    network = replace(ragged_networks.network(1), metadata={"a": nested(2000)})
    with pytest.raises(NetworkError, match="/a: the header is nested too deep, limit 100"):
        save_network(network, tmp_path / "a")
    image = compile_network(ragged_networks.network(1), ragged_networks.CORES[0])
    with pytest.raises(ImageError, match="/a: the header is nested too deep, limit 100"):
        save_image(replace(image, metadata={"a": nested(2000)}), tmp_path / "a")
    checkpoint = untrained_checkpoint()
    checkpoint.begun = {"a": nested(2000)}
    with pytest.raises(CheckpointError, match="/a: the header is nested too deep, limit 100"):
        save_checkpoint(checkpoint, tmp_path / "a")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("edit", [
    lambda header: header["recipe"]["layers"][1].update(channels=1 << 34),
    lambda header: header["recipe"]["layers"][1].update(kernel=(1 << 20) + 1),
    lambda header: header["recipe"]["layers"][1].update(channels=1 << 70),
    lambda header: header.update(classes=1 << 40),
    lambda header: header["input"].update(channels=1 << 38),
])
def test_a_recipe_that_asks_for_terabytes_is_refused(tmp_path, little_memory, edit):
    path = tmp_path / "a"
    save_checkpoint(untrained_checkpoint(), path)
    change_checkpoint(path, edit)
    with pytest.raises(CheckpointError, match=r"/a: (tensor|the metadata are wrong|recipe)") as found:
        load_checkpoint(path)
    assert "alloc" not in str(found.value) and "\n" not in str(found.value)


def test_a_header_has_one_form(tmp_path):
    path = tmp_path / "a"
    write_container(path, "thing", 1, {"x": 1, "a": [1.5, "ü"]}, {})
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    text = json.loads(content[8:8 + length])["__metadata__"]["spikeplane"]
    found = json.loads(text)
    assert text == json.dumps(found, sort_keys=True, separators=(",", ":"))
    for same in (text.replace(":", ": ", 1), text + " ", text.replace('"x":1', '"x":1,"x":1'),
                 text.replace('"x":1', '"x":0,"x":1')):
        write_raw(path, {"__metadata__": {"spikeplane": same}})
        with pytest.raises(ContainerError, match="the header is not in the form in which Spikeplane writes it"):
            read_container(path, "thing", 1)
    write_raw(path, {"__metadata__": {"spikeplane": json.dumps(found)}})
    assert read_container(path, "thing", 1)[0] == {"x": 1, "a": [1.5, "ü"]}


def test_every_altered_value_of_a_checkpoint_is_noticed(tmp_path):
    path = tmp_path / "a"
    save_checkpoint(untrained_checkpoint(), path)
    content = path.read_bytes()
    for old, new in (
        (b'seed\\":3', b'seed\\":4'), (b"checkpoint-3", b"checkpoint-2"), (b"checkpoint-3", b"checkpoint-1"),
        (b"sha256", b"sha255"),
    ):
        assert old in content
        path.write_bytes(content.replace(old, new, 1))
        with pytest.raises(CheckpointError, match="/a: "):
            load_checkpoint(path)
