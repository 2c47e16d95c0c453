"""Regularizers."""

import pytest
import torch
from spikeplane.training.recipe.regularizers import SpikeLimit, SpikeRegulation


def test_spike_regulation_leaves_out_first_and_last():
    rates = torch.tensor([0.9, 0.2, 0.7, 0.0])
    value = SpikeRegulation(weight=2.0, target=0.5)(rates)
    assert value.item() == pytest.approx(2 * (0.3**2 + 0.2**2) / 2)
    assert SpikeRegulation()(rates[:2]).item() == 0


def test_spike_limit_looks_at_the_first_layers_above_it():
    rates = torch.tensor([0.5, 0.2, 0.4, 0.9], requires_grad=True)
    value = SpikeLimit(limit=0.3, layers=3, weight=10.0)(rates)
    value.backward()
    assert value.item() == pytest.approx(10 * (0.2**2 + 0.1**2))
    assert rates.grad.tolist() == pytest.approx([4.0, 0.0, 2.0, 0.0])
    assert SpikeLimit(limit=0.3)(rates).item() == pytest.approx(100 * 0.2**2)


@pytest.mark.parametrize("options, message", [
    ({"limit": 1.5}, "limit must be in 0..1, not 1.5"),
    ({"limit": 0.2, "layers": 0}, "layers must be an integer of 1 or more, not 0"),
    ({"limit": 0.2, "weight": -1.0}, "weight must be 0 or more, not -1.0"),
])
def test_bad_spike_limits_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SpikeLimit(**options)
