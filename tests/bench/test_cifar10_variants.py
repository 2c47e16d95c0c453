"""What the variants of the CIFAR-10 network are trained on from."""

from pathlib import Path

import cifar10_variants
import torch
from cifar10_variants import INNER, start_of
from spikeplane.training.net.quantizers import BinaryWeight
from spikeplane.training.run.checkpoint import load_checkpoint

ZOO = Path(__file__).parents[2] / "zoo"


def test_two_bits_begin_with_the_signs_of_one(tmp_path, monkeypatch):
    """ReScaW takes weights as they are, so that their signs must be those of weights less their mean."""
    monkeypatch.setattr(cifar10_variants, "FOLDER", tmp_path)
    monkeypatch.setattr(cifar10_variants, "ZOO", ZOO)
    source = load_checkpoint(ZOO / "cifar10_core" / "checkpoint.safetensors").network
    begun = load_checkpoint(start_of("2-16")).network
    for name, value in source.state_dict().items():
        layer, found = name.split(".")[1], begun.state_dict()[name]
        if layer in INNER and name.endswith(".weight") and value.ndim > 1:
            assert torch.equal(torch.where(found >= 0, 1, -1), BinaryWeight().integers(value)[0])
            assert not torch.equal(torch.sign(value), torch.sign(found))
        else:
            assert torch.equal(found, value), name


def test_one_bit_begins_with_the_network_of_the_zoo(monkeypatch):
    monkeypatch.setattr(cifar10_variants, "ZOO", ZOO)
    assert start_of("1-4") == ZOO / "cifar10_core" / "checkpoint.safetensors"
