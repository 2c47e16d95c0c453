"""Networks in files: everything is read back, what is no network is named."""

import dataclasses

import numpy as np
import pytest
from ragged_networks import network
from random_graphs import graph
from spikeplane.network.checks import NetworkError
from spikeplane.network.container import read_container, write_container
from spikeplane.network.file import FILE_KIND, FILE_VERSION, load_network, save_network
from spikeplane.network.packing import unpack


def assert_same(one, other) -> None:
    """Compare dataclasses field by field, arrays value by value."""
    assert type(one) is type(other)
    if dataclasses.is_dataclass(one):
        for item in dataclasses.fields(one):
            assert_same(getattr(one, item.name), getattr(other, item.name))
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert np.array_equal(one, other)


@pytest.mark.parametrize("seed", range(12))
def test_a_saved_network_is_read_back(seed, tmp_path):
    saved = graph(seed) if seed % 2 else network(seed, direct=bool(seed % 4))
    save_network(saved, tmp_path / "a.safetensors")
    assert_same(load_network(tmp_path / "a.safetensors"), dataclasses.replace(saved, nodes=list(saved.nodes)))


def test_a_network_that_breaks_a_rule_is_not_saved(tmp_path):
    broken = dataclasses.replace(network(1), logit_scale=0.0)
    with pytest.raises(NetworkError, match="logit_scale"):
        save_network(broken, tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_a_network_is_named(tmp_path):
    path = tmp_path / "absent"
    with pytest.raises(NetworkError, match="absent: no such file"):
        load_network(path)


@pytest.mark.parametrize(("change", "message"), [
    (lambda h: h["nodes"][0].update(kind="loop"), "the header is not that of a network: KeyError('loop')"),
    (lambda h: h["nodes"][0].update(colour=1), "the header is not that of a network: "),
    (lambda h: h["nodes"][0].pop("name"), "the header is not that of a network: "),
    (lambda h: h["nodes"][0]["terms"][0].update(stride="2"), "layer 'layer0': stride must be an integer, not '2'"),
    (lambda h: h["nodes"][0]["terms"][0].update(weight={"tensor": "x"}), "the header is not that of a network: "),
    (lambda h: h["nodes"][0]["ending"]["neuron"].update(reset="NEVER"), "the header is not that of a network: "),
    (lambda h: h.update(nodes=3), "the header is not that of a network: "),
    (lambda h: h["nodes"][0]["terms"][0]["weight"]["packed"].update(bits=17), "bits must be an integer in "),
    (lambda h: h["nodes"][0]["terms"][0]["weight"]["packed"].update(shape=[9]), "9 integers of "),
    (lambda h: h["nodes"][0]["terms"][0]["weight"].update(packed=1), "the header is not that of a network: "),
    (lambda h: h["nodes"].reverse(), "which comes after it"),
    (lambda h: h.update(logit_scale=None), "logit_scale must be finite and positive, not None"),
])
def test_an_altered_header_is_named(change, message, tmp_path):
    path = tmp_path / "a.safetensors"
    save_network(network(2), path)
    header, tensors = read_container(path, FILE_KIND, FILE_VERSION)
    change(header)
    write_container(path, FILE_KIND, FILE_VERSION, header, tensors)
    with pytest.raises(NetworkError) as error:
        load_network(path)
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value)


@pytest.mark.parametrize("kind", [np.float32, np.uint64])
@pytest.mark.parametrize("name", ["logit_offset", "layer0.terms.0.offset"])
def test_tensors_that_are_no_integers_are_named(tmp_path, name, kind):
    path = tmp_path / "a.safetensors"
    save_network(network(2), path)
    header, tensors = read_container(path, FILE_KIND, FILE_VERSION)
    tensors[name] = tensors[name].astype(kind)
    write_container(path, FILE_KIND, FILE_VERSION, header, tensors)
    with pytest.raises(NetworkError, match=f"^{path}: tensor {name} is of {np.dtype(kind)}, must be of integers"):
        load_network(path)


def test_a_network_of_an_earlier_version_is_refused_by_its_version(tmp_path):
    path = tmp_path / "a.safetensors"
    write_container(path, FILE_KIND, 2, {}, {})
    with pytest.raises(NetworkError, match=r"network format version 2; this program reads version 3 and 4"):
        load_network(path)


def test_a_network_of_version_3_is_read(tmp_path):
    """Its weights were of 16 bits each."""
    saved = network(2)
    path = tmp_path / "a.safetensors"
    save_network(saved, path)
    header, tensors = read_container(path, FILE_KIND, FILE_VERSION)
    for node in header["nodes"]:
        for term in node.get("terms", ()):
            if form := term.get("weight", {}).pop("packed", None):
                name = term["weight"]["tensor"]
                tensors[name] = unpack(tensors[name], form).astype(np.int16)
    write_container(path, FILE_KIND, 3, header, tensors)
    assert_same(load_network(path), dataclasses.replace(saved, nodes=list(saved.nodes)))
