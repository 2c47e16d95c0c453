"""Trainings that start from a classifier without spikes."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from spikeplane.data.sets.datasets import DataRecipe
from spikeplane.network.input import InputFormat
from spikeplane.training.net import resnet
from spikeplane.training.net.families import NetworkRecipe
from spikeplane.training.net.graded import Graded
from spikeplane.training.net.networks import SpikingNetwork
from spikeplane.training.net.neurons import NeuronRecipe
from spikeplane.training.net.quantizers import FloatWeight
from spikeplane.training.net.resnet import ResNet
from spikeplane.training.net.teachers import load_classifier
from spikeplane.training.run.evaluate import predict
from spikeplane.training.run.start import file_digest
from spikeplane.training.run.start_classifier import _clip, take_over_classifier
from strips import strips_loader

NAME = "resnet20_cifar10"
ROOT = os.environ.get("SPIKEPLANE_DATA")
FORM = InputFormat(direct=True, channels=3, height=32, width=32, steps=1, bits=8)
COUNT = 400
IMAGES = torch.randint(0, 256, (8, 3, 32, 32), generator=torch.Generator().manual_seed(1), dtype=torch.uint8).numpy()


def made(neuron: NeuronRecipe | None = None, classes: int = 10, **network) -> SpikingNetwork:
    layers = NetworkRecipe(**{"family": "cifar_resnet20", "weights": "absmax", "weight_bits": 8} | network).layers()
    return SpikingNetwork(FORM, layers, neuron or NeuronRecipe("graded", bits=4), classes)


@pytest.fixture
def weights(tmp_path) -> Path:
    """A file of a classifier with random weights, whose statistics and factors are random too."""
    torch.manual_seed(2)
    teacher = ResNet(3, 10)
    for module in teacher.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 2)
            module.bias.data.normal_()
    path = tmp_path / "weights.safetensors"
    save_file(teacher.state_dict(), path)
    return path


def test_it_computes_what_the_classifier_does_but_for_levels(weights, monkeypatch):
    monkeypatch.setattr(resnet, "MEAN", (0.0, 0.0, 0.0))  # Borders are black in both.
    monkeypatch.setattr(Graded, "respond", lambda _, currents, steps, potentials: (currents.relu(), None))
    network = made().eval()
    record = take_over_classifier(network, NAME, weights, IMAGES)
    for module in list(network.modules()):
        if hasattr(module, "quantizer"):
            module.quantizer = FloatWeight()
    with torch.no_grad():
        found = network(torch.from_numpy(IMAGES))[0][0]
        expected = resnet_of(weights)(torch.from_numpy(IMAGES))
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
    assert record["sha256"] == file_digest(weights) and record["classifier"] == NAME
    assert record["clips"].keys() == network.neuron_shapes.keys() and set(record["taken"]) == set(network.state_dict())


def resnet_of(weights: Path) -> ResNet:
    found = load_classifier(NAME, weights)
    assert isinstance(found, ResNet)
    return found


def test_images_are_normalized_in_the_first_convolution(weights):
    network, teacher = made().eval(), resnet_of(weights)
    clip = take_over_classifier(network, NAME, weights, IMAGES)["clips"]["conv1"]
    first = network.layers["conv1"]
    first.quantizer = FloatWeight()
    images = torch.from_numpy(IMAGES).float() / 255
    with torch.no_grad():
        found = first.currents(images[None], lambda maps: maps)[0] * clip
        expected = teacher.bn1(teacher.conv1((images - teacher.mean) / teacher.deviation))
    inside = (..., slice(1, -1), slice(1, -1))
    assert torch.allclose(found[inside], expected[inside], atol=1e-3)
    assert not torch.allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_the_clip_has_the_least_error(bits):
    neurons = Graded(bits)
    levels = torch.arange(1 << bits) / neurons.levels
    assert _clip([levels], neurons) == 1.0
    # What is rare is cut off, unless another map is full of it.
    rare = torch.cat([torch.linspace(0, 1, 10_000), torch.tensor([2.0])])
    assert 0.5 < _clip([rare], neurons) <= 1.1 and _clip([rare, 2 * levels], neurons) > _clip([rare], neurons)
    assert _clip([torch.zeros(5)], neurons) == 1.0


@pytest.mark.parametrize(("changes", "message"), [
    ({"family": "vgg_compact"}, "a convolution, 9 blocks and a classifier, this network SpikingConv.*cifar_resnet20"),
    ({"family": "cifar_resnet56"}, "9 blocks"),
    ({"family": "resnet20"}, r"layer 'conv1' has weights \(64, 3, 3, 3\) \(stride 1, padding 1\), that of"),
    ({"width": 8}, r"layer 'conv1' has weights \(8, 3, 3, 3\)"),
    ({"shortcut": "conv"}, "layer 'block4': its shortcut has weights"),
    ({"neuron": NeuronRecipe("leaky")}, "layer 'conv1' has .* neurons: .* set neuron.dynamics to graded"),
    ({"classes": 100}, r"layer 'classifier' has weights \(100, 64, 1, 1\), that of resnet20_cifar10 \(10, 64, 1, 1\)"),
])
def test_networks_that_are_built_otherwise_are_refused(weights, changes, message):
    network = made(**changes)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        take_over_classifier(network, NAME, weights, IMAGES)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_another_input_is_refused(weights):
    layers = NetworkRecipe(family="cifar_resnet20").layers()
    form = InputFormat(direct=True, channels=3, height=16, width=16, steps=1, bits=8)
    network = SpikingNetwork(form, layers, NeuronRecipe("graded"), 10)
    with pytest.raises(ValueError, match=r"takes images \(3, 32, 32\), this network \(3, 16, 16\)"):
        take_over_classifier(network, NAME, weights, IMAGES)


@pytest.mark.skipif(ROOT is None, reason="SPIKEPLANE_DATA is not set")
def test_levels_of_a_trained_classifier_tell_classes_at_once():
    file = Path(ROOT or "") / "teachers" / f"{NAME}.safetensors"
    if not file.exists():
        pytest.skip(f"no {file.name}")
    parts = {
        part: strips_loader(DataRecipe(name="cifar10", steps=1, bits=6), Path(ROOT or ""), part)
        for part in ("train", "test")
    }
    network = SpikingNetwork(
        parts["test"].input, NetworkRecipe(family="cifar_resnet20", weights="absmax", weight_bits=8).layers(),
        NeuronRecipe("graded", bits=4), 10,
    )
    take_over_classifier(network, NAME, file, parts["train"].inputs)
    test = parts["test"]
    right = (predict(network.eval(), test.inputs[:COUNT]) == test.labels[:COUNT]).mean()
    assert right > 0.8  # The classifier: 0.92.
