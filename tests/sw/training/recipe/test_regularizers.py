"""Regularizers."""

import pytest
import torch
from spikeplane.training.recipe.regularizers import SpikeRegulation


def test_spike_regulation_leaves_out_first_and_last():
    rates = torch.tensor([0.9, 0.2, 0.7, 0.0])
    value = SpikeRegulation(weight=2.0, target=0.5)(rates)
    assert value.item() == pytest.approx(2 * (0.3**2 + 0.2**2) / 2)
    assert SpikeRegulation()(rates[:2]).item() == 0
