"""Batch normalization in float32; over processes it is tested by whole trainings."""

import torch
from spikeplane.training.run.norms import Norm, use_norms
from spikeplane.training.run.processes import Processes
from training_samples import network

ALONE = Processes(torch.device("cpu"))


def test_norms_take_the_place_of_others():
    net = network()
    before = net.state_dict()
    parameters = list(net.parameters())
    use_norms(net, ALONE)
    assert sum(isinstance(module, Norm) for module in net.modules()) == 3
    after = net.state_dict()
    assert list(before) == list(after)
    assert all(mine is other for mine, other in zip(net.parameters(), parameters, strict=True))


def test_outputs_are_float32_and_as_before():
    plain = torch.nn.BatchNorm2d(5)
    norm = Norm(torch.nn.BatchNorm2d(5), ALONE)
    for training in (True, False):
        plain.train(training), norm.train(training)
        maps = torch.randn(6, 5, 4, 3).to(torch.bfloat16)
        assert torch.equal(norm(maps), plain(maps.float()))
    assert torch.equal(norm.get_buffer("running_var"), plain.get_buffer("running_var"))
