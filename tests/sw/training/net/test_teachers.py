"""Classifiers that do not spike, on the images that they were made for."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from spikeplane.data.sets.datasets import DataRecipe
from spikeplane.training.net.resnet import ResNet
from spikeplane.training.net.teachers import TEACHERS, load_classifier
from strips import strips_loader

ROOT = os.environ.get("SPIKEPLANE_DATA")
WEIGHTS = {"resnet20_cifar10": 91.73, "resnet56_cifar10": 93.39}
"""Their accuracy in percent on all test images, as published with them."""
COUNT = 400


@pytest.mark.skipif(ROOT is None, reason="SPIKEPLANE_DATA is not set")
@pytest.mark.parametrize(("name", "accuracy"), WEIGHTS.items())
def test_accuracy(name, accuracy):
    file = Path(ROOT or "") / "teachers" / f"{name}.safetensors"
    if not file.exists():
        pytest.skip(f"no {file.name}")
    test = strips_loader(DataRecipe(name="cifar10", steps=1, bits=8), Path(ROOT or ""), "test")
    made = load_classifier(name, file)
    assert made.shape == test.inputs.shape[1:] and made.classes == test.classes
    with torch.no_grad():
        found = made(torch.from_numpy(test.inputs[:COUNT])).argmax(1).numpy()
    # Three standard deviations of a share of COUNT samples.
    assert 100 * (found == test.labels[:COUNT]).mean() == pytest.approx(accuracy, abs=4.1)


def test_sizes():
    assert sum(p.numel() for p in ResNet(3, 10).parameters()) == 269_722
    convolutions = [m for m in ResNet(9, 10).modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) + 1 == 56
    assert sorted(TEACHERS) == sorted(WEIGHTS)


def test_files_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    good = ResNet(3, 10).state_dict()
    save_file(good, path)
    assert torch.equal(load_classifier("resnet20_cifar10", path).state_dict()["conv1.weight"], good["conv1.weight"])
    for edit, message in (
        (lambda t: t.pop("linear.bias"), r"weights\.safetensors: tensor linear\.bias of resnet20_cifar10 is missing"),
        (lambda t: t.update(more=torch.zeros(1)), "resnet20_cifar10 has no tensor more"),
        (lambda t: t.update({"linear.bias": torch.zeros(3)}), r"linear\.bias has shape \(3,\), that of .* \(10,\)"),
    ):
        save_file(good, path)
        tensors = load_file(path)
        edit(tensors)
        save_file(tensors, path)
        with pytest.raises(ValueError, match=message):
            load_classifier("resnet20_cifar10", path)
    path.write_bytes(b"\x80\x04 a pickle")
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        load_classifier("resnet20_cifar10", path)
