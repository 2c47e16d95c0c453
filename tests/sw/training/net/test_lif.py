"""Training neurons against the core's."""

import itertools

import numpy as np
import pytest
import torch
from spikeplane.training.net.lif import LIF, fire
from spikeplane_hw.neuron import FRACTION_BITS, Levels, Neuron, Reset, leak_limit

CASES = [
    Neuron(state_bits=bits, levels=levels, reset=reset, leak=leak)
    for bits, levels, reset, leak in itertools.product(
        (0, 2, 16), Levels, Reset, (0.5, 1.0)
    )
    if leak <= leak_limit(bits)
]


@pytest.mark.parametrize("neuron", CASES, ids=str)
def test_spikes_are_the_cores(neuron):
    """Where decoding is exact in fixed point (n = 1, or potentials as such) nothing may differ."""
    random = np.random.RandomState(1)
    # Even numbers: halves after the leak stay integers in the first steps.
    currents = random.randint(-(1 << 11), 1 << 12, (4, 5000)) * 16
    currents = currents.clip(-(1 << 15), (1 << 15) - 16)
    lif = LIF(neuron).eval()
    spikes = lif(torch.from_numpy(currents / 2.0**FRACTION_BITS).float(), 4)
    state = np.zeros(5000, np.int64)
    for step in range(4):
        expected, state, _ = neuron.step(currents[step], state)
        np.testing.assert_array_equal(spikes[step].numpy().astype(bool), expected)
    assert 0.05 < spikes.mean() < 0.95


def test_replay_repeats_the_current():
    lif = LIF(Neuron(reset=Reset.NONE, leak=0.5, state_bits=16))
    spikes = lif(torch.tensor([[0.3, 0.6, 1.1, 0.5]]), 3)
    assert spikes.tolist() == [[0, 0, 1, 0], [0, 0, 1, 0], [0, 1, 1, 0]]


def test_compare_is_strict_and_the_gradient_a_triangle():
    potential = torch.tensor([-0.5, 0.25, 1.0, 1.5, 2.5], requires_grad=True)
    spikes = fire(potential)
    assert spikes.tolist() == [0, 0, 0, 1, 1]
    spikes.sum().backward()
    assert potential.grad is not None and potential.grad.tolist() == [0, 0.25, 1, 0.5, 0]


def test_gradient_flows_through_the_reset():
    # u1 = 0.8 does not fire; u2 = 0.5 * u1 + 0.4; state and both surrogates carry gradient.
    lif = LIF(Neuron(state_bits=16))
    currents = torch.tensor([[0.8], [0.4]], requires_grad=True)
    lif(currents, 2)[1].sum().backward()
    surrogate_first, surrogate_second = 0.8, 0.8
    # d state / d u1 = (1 - s1) - u1 * ds1/du1
    slope = 1 - 0.8 * surrogate_first
    assert currents.grad is not None
    assert currents.grad.flatten().tolist() == pytest.approx(
        [surrogate_second * 0.5 * slope, surrogate_second]
    )
