"""Losses and regularizers."""

import pytest
import torch
from spikeplane.training.recipe.regularizers import SpikeRegulation, mean_loss, tet_loss
from torch.nn.functional import cross_entropy


def test_losses():
    logits = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 3, 0])
    steps = torch.stack([cross_entropy(step, labels) for step in logits])
    torch.testing.assert_close(tet_loss(logits, labels), steps.mean())
    torch.testing.assert_close(mean_loss(logits, labels), cross_entropy(logits.mean(0), labels))
    assert tet_loss(logits, labels) > mean_loss(logits, labels)


def test_spike_regulation_leaves_out_first_and_last():
    rates = torch.tensor([0.9, 0.2, 0.7, 0.0])
    value = SpikeRegulation(weight=2.0, target=0.5)(rates)
    assert value.item() == pytest.approx(2 * (0.3**2 + 0.2**2) / 2)
    assert SpikeRegulation()(rates[:2]).item() == 0
