"""Memory-free neurons in training: parallel over time, against a loop over steps."""

import pytest
import torch
from spikeplane.network.window import TAP_LIMIT
from spikeplane.training.net.layers import NormConv
from spikeplane.training.net.memory_free import MemoryFree
from spikeplane.training.net.quantizers import FloatWeight
from spikeplane_hw.neuron import Neuron, Reset

NEURON = Neuron(state_bits=0, reset=Reset.NONE)


@pytest.mark.parametrize("taps", [1, 2, 4, 8])
@pytest.mark.parametrize("steps", [1, 3, 10])
def test_all_steps_at_once_are_the_sums_one_by_one(taps, steps):
    torch.manual_seed(taps)
    neurons = MemoryFree(NEURON, taps)
    sums = torch.randn(steps, 2, 5)
    mixed = neurons.mix(sums)
    for step in range(steps):
        expected = sum(
            2.0**-exponent * sums[step - delay]
            for delay, exponent in enumerate(neurons.exponents) if delay <= step
        )
        torch.testing.assert_close(mixed[step], expected)
    assert torch.equal(neurons(mixed, steps), (mixed > 1).float())


def test_exponents_rise_by_whole_numbers():
    neurons = MemoryFree(NEURON, 6)
    assert neurons.exponents == (0, 1, 2, 3, 4, 5)
    with torch.no_grad():
        neurons.rises.copy_(torch.tensor([-1.0, 2.4, 1.2, 3.6, 1.0]))
    assert neurons.exponents == (0, 1, 3, 4)  # 8 and 9 are beyond the limit
    impulse = torch.zeros(6, 1)
    impulse[0] = 1
    assert neurons.mix(impulse).flatten().tolist() == [1, 0.5, 0.125, 0.0625, 0, 0]


def test_learned_exponents_learn():
    """A trace that decays twice as fast is found by gradient descent."""
    torch.manual_seed(0)
    target = MemoryFree(NEURON, 3)
    with torch.no_grad():
        target.rises.fill_(2.0)
    neurons = MemoryFree(NEURON, 3, learned=True)
    optimizer = torch.optim.Adam(neurons.parameters(), 0.1)
    sums = torch.randn(8, 64)
    for _ in range(60):
        optimizer.zero_grad()
        (neurons.mix(sums) - target.mix(sums)).square().mean().backward()
        optimizer.step()
    assert neurons.exponents == target.exponents == (0, 2, 4)
    assert not list(filter(lambda p: p.requires_grad, target.parameters()))


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match=f"^taps must be in 1..{TAP_LIMIT + 1}, not 9$"):
        MemoryFree(NEURON, 9)
    with pytest.raises(ValueError, match=r"no state and no reset, not state_bits 4 and reset hard$"):
        MemoryFree(Neuron(state_bits=4, reset=Reset.HARD), 2)
    with pytest.raises(ValueError, match=r"an input for each of 4 steps, not 1"):
        MemoryFree(NEURON, 2)(torch.zeros(1, 3), 4)


@pytest.mark.parametrize(("inputs", "channels", "mixed"), [(2, 9, "inputs"), (9, 2, "sums")])
def test_inputs_are_mixed_where_sums_are_more(inputs, channels, mixed):
    torch.manual_seed(1)
    neurons, shapes = MemoryFree(NEURON, 3, learned=True), []

    def mix(maps):
        shapes.append(maps.shape)
        return neurons.mix(maps)

    layer = NormConv(inputs, channels, (3, 3), stride=1, padding=1, quantizer=FloatWeight())
    spikes = torch.randint(0, 2, (5, 4, inputs, 6, 7)).float()
    currents = layer.currents(spikes, mix)
    sums = torch.stack([torch.conv2d(step, layer.weight, None, 1, 1) for step in spikes])
    expected = layer.norm(neurons.mix(sums).flatten(0, 1)).unflatten(0, (5, 4))
    assert shapes == [spikes.shape if mixed == "inputs" else sums.shape]
    torch.testing.assert_close(currents, expected, rtol=1e-4, atol=1e-5)
    for found, other in zip(*(
        torch.autograd.grad(each.square().mean(), [layer.weight, neurons.rises])
        for each in (currents * sums.detach(), expected * sums.detach())
    ), strict=True):
        torch.testing.assert_close(found, other, rtol=1e-3, atol=1e-5)
