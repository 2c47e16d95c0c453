"""A Flatten may lie on either side of the neurons: what is read is the same network."""

from dataclasses import replace

import nir
import numpy as np
import pytest
import snntorch
import torch
from library_spikes import snntorch_spikes
from nir_networks import SHAPE, affine, convolution, if_neurons, write
from spikeplane.importing.chain import run_stage
from spikeplane.importing.imported import import_modules, import_nir
from spikeplane.importing.modules import read_modules
from spikeplane.importing.nir_file import Meaning, read_nir
from spikeplane.network.checks import NetworkError
from spikeplane.network.file import save_network
from spikeplane.network.input import InputFormat
from torch import nn

FORM = InputFormat(channels=SHAPE[0], height=SHAPE[1], width=SHAPE[2], steps=4)


def leaky(**options) -> nn.Module:
    return snntorch.Leaky(beta=0.5, **options)


def modules(*between: nn.Module) -> list[nn.Module]:
    torch.manual_seed(1)
    made = [nn.Conv2d(2, 6, 3, padding=1), *between, nn.Linear(384, 4), leaky()]
    with torch.no_grad():
        made[0].weight.mul_(4)
        made[-2].weight.mul_(4)
    return made


def flatten(*shape: int) -> nir.NIRNode:
    return nir.Flatten(input_type=np.array(shape), start_dim=0, end_dim=-1)


def content(imported, path) -> bytes:
    """Return the file of an integer network, but for what is said of where it is from."""
    save_network(replace(imported.network, metadata={}), path)
    return path.read_bytes()


def test_modules_of_either_order_become_one_network(tmp_path):
    behind, ahead = modules(leaky(), nn.Flatten()), modules(nn.Flatten(), leaky(threshold=torch.ones(384)))
    first, second = (content(import_modules(each, form=FORM), tmp_path / "a.network") for each in (behind, ahead))
    assert first == second
    other = content(import_modules(modules(leaky(threshold=0.5), nn.Flatten()), form=FORM), tmp_path / "a.network")
    assert other != first
    inputs = torch.from_numpy((np.random.RandomState(0).random((8, 4, *SHAPE)) < 0.4).astype(np.uint8))
    values = inputs
    for stage in read_modules(ahead, SHAPE).stages:
        values = run_stage(stage, values)
    expected = snntorch_spikes(ahead, inputs)
    assert 0.05 < expected.mean() < 0.95
    assert (values.flatten(2) == expected).float().mean() > 0.99


def test_nodes_of_either_order_become_one_network(tmp_path):
    found = []
    for between in ((if_neurons(6, 8, 8), flatten(6, 8, 8)), (flatten(6, 8, 8), if_neurons(384))):
        path = write(tmp_path / "a.nir", convolution(), *between, affine(4, 384), if_neurons(4))
        found.append(content(import_nir(path, form=FORM), tmp_path / "a.network"))
    assert found[0] == found[1]


@pytest.mark.parametrize("between", [
    [nn.Flatten(), leaky(), nn.Conv2d(6, 6, 3, padding=1), leaky()],
    [nn.Flatten(), leaky(), nn.MaxPool2d(3, 1, 1)],
    [nn.Flatten(), leaky(), nn.AvgPool2d(2, 1), leaky()],
])
def test_a_flatten_does_not_last_beyond_what_takes_a_map(between):
    linear = nn.Linear(6 * (49 if isinstance(between[2], nn.AvgPool2d) else 64), 4)
    with pytest.raises(NetworkError, match=r"\(Linear\): it takes a vector, .*: a Flatten is missing"):
        read_modules([nn.Conv2d(2, 6, 3, padding=1), *between, linear], SHAPE)
    read_modules([nn.Conv2d(2, 6, 3, padding=1), *between, nn.Flatten(), linear], SHAPE)


def test_a_factor_leaves_vectors_as_they_are(tmp_path):
    nodes = [convolution(), if_neurons(6, 8, 8), flatten(6, 8, 8), nir.Scale(scale=np.full(384, 0.5)), affine(4, 384)]
    assert read_nir(write(tmp_path / "a.nir", *nodes), Meaning()).classes == 4
