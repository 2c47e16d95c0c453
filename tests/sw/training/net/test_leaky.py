"""The leaky neuron as one node against its plain loop."""

import itertools

import pytest
import torch
from spikeplane.training.net import leaky
from spikeplane.training.net.lif import LIF
from spikeplane_hw.neuron import Levels, Neuron, Reset, leak_limit

CASES = [
    Neuron(state_bits=bits, levels=levels, reset=reset, leak=leak)
    for bits, levels, reset, leak in itertools.product((0, 2, 4, 8, 16), Levels, Reset, (0.5, 0.75))
    if leak <= leak_limit(bits)
]
STEPS = 4


def loop(lif: LIF, currents: torch.Tensor) -> torch.Tensor:
    state, spikes = None, []
    for step in range(STEPS):
        spike, state = lif.step(currents[step if len(currents) > 1 else 0], state)
        spikes.append(spike)
    return torch.stack(spikes)


@pytest.mark.parametrize("compiling", [False, True], ids=["in_blocks", "unrolled"])
@pytest.mark.parametrize("replayed", [False, True], ids=["steps", "replayed"])
@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("neuron", CASES, ids=str)
def test_spikes_and_gradients_are_the_loops(neuron, training, replayed, compiling, monkeypatch):
    monkeypatch.setattr(leaky, "BLOCK", 64)  # 3 * 7 * 5 * 2 elements: the last block is ragged
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: compiling)
    random = torch.Generator().manual_seed(1)
    lif = LIF(neuron).train(training)
    currents = 1.5 * torch.randn(1 if replayed else STEPS, 3, 7, 5, 2, generator=random)
    weights = torch.randn(STEPS, 3, 7, 5, 2, generator=random)
    found = []
    for run in (lambda x: lif(x, STEPS), lambda x: loop(lif, x)):
        leaf = currents.clone().requires_grad_()
        spikes = run(leaf)
        (spikes * weights).sum().backward()
        found.append((spikes.detach(), leaf.grad))
    assert 0.05 < found[0][0].mean() < 0.9
    torch.testing.assert_close(found[0][0], found[1][0], rtol=0, atol=0)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-5, atol=1e-6)


def test_inputs_need_not_lie_in_order():
    lif = LIF(Neuron())
    currents = torch.randn(2, 3, STEPS, generator=torch.Generator().manual_seed(1)).movedim(2, 0)
    leaf = currents.clone().requires_grad_()
    spikes = lif(leaf, STEPS)
    torch.testing.assert_close(spikes, lif(currents.contiguous(), STEPS), rtol=0, atol=0)
    spikes.movedim(0, 2).square().sum().backward()
    assert leaf.grad is not None and leaf.grad.abs().sum() > 0


def test_maps_lie_with_their_channels_last():
    spikes = LIF(Neuron())(torch.randn(STEPS, 3, 7, 5, 2), STEPS)
    assert spikes.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


def test_the_gradient_of_a_firing_rate_is_a_means_and_lies_as_the_spikes_do():
    spikes = torch.rand(STEPS, 3, 5, 2, 7).movedim(-1, 2).requires_grad_()
    rate = leaky.firing_rate(spikes)
    assert rate == spikes.mean()
    (found,) = torch.autograd.grad(3 * rate, spikes)
    (expected,) = torch.autograd.grad(3 * spikes.mean(), spikes)
    torch.testing.assert_close(found, expected)
    assert found.stride() == spikes.stride()
