"""Criteria that channels are judged by."""

import numpy as np
import pytest
import torch
from pruned_networks import chain, residual
from spikeplane.pruning.criteria import CRITERIA, Judged, scores, spike_ranks
from spikeplane.pruning.groups import find_groups
from training_samples import samples


def judged(seed=0, made=None) -> Judged:
    network, layers = made or chain()
    inputs = torch.from_numpy(samples(count=48).inputs)
    return Judged(
        network=network, groups=find_groups(network, layers), batches=[inputs[:32], inputs[32:]], seed=seed, shown=False
    )


def spikes(shape, rate=0.2, seed=1):
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < rate).float()


def test_ranks_are_those_of_the_mean_over_steps():
    maps = spikes((3, 5, 4, 6, 7), rate=0.1)
    maps[:, :, 2] = 0
    maps[:, :, 3] = 1
    mean = maps.mean(0).numpy()
    expected = np.linalg.matrix_rank(mean).mean(0)
    found = spike_ranks(maps)
    assert found.tolist() == expected.tolist()
    assert found[2] == 0 and found[3] == 1 and 1 < found[0] < 6
    # Not the mean of the ranks of each step.
    assert not np.allclose(found.numpy(), np.linalg.matrix_rank(maps.numpy()).mean((0, 1)))


def test_a_tolerance_is_absolute():
    maps = spikes((2, 3, 4, 5, 5))
    values = np.linalg.svd(maps.mean(0).double().numpy(), compute_uv=False)
    for tolerance in (1e-6, 0.4, 0.9):
        assert spike_ranks(maps, tolerance).tolist() == (values > tolerance).sum(-1).mean(0).tolist()


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1)])
def test_maps_of_one_row_have_rank_one_where_they_spike(shape):
    maps = spikes((2, 9, 3, *shape), rate=0.1)
    assert spike_ranks(maps).tolist() == maps.sum((0, 3, 4)).gt(0).double().mean(0).tolist()
    assert spike_ranks(maps, 1e-6).tolist() == spike_ranks(maps).tolist()


def test_rates_and_ranks_are_means_over_batches_and_maps():
    at = judged(made=residual("pad"))
    with torch.no_grad():
        _, found = at.network(torch.cat(list(at.batches)))
    rates, ranks = scores("rate", at), scores("svs", at)
    for group in at.groups:
        maps = [found[name] for name in group.maps]
        torch.testing.assert_close(
            rates[group.name], torch.stack([each.double().mean((0, 1, 3, 4)) for each in maps]).mean(0)
        )
        torch.testing.assert_close(ranks[group.name], torch.stack([spike_ranks(each) for each in maps]).mean(0))


def test_l1_is_the_mean_absolute_weight_beside_its_layers():
    at = judged()
    weight = at.network.get_parameter("layers.inner.weight").detach().double().abs().mean((1, 2, 3))
    torch.testing.assert_close(scores("l1", at)["inner"], weight / weight.mean())


def test_random_scores_are_those_of_the_seed():
    first, again, other = (scores("random", judged(seed))["last"] for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_an_unknown_criterion_is_named():
    with pytest.raises(ValueError, match="criterion must be one of svs, l1, rate, random, not 'l2'"):
        scores("l2", judged())


def test_the_command_names_all():
    from spikeplane.commands import prune

    assert tuple(CRITERIA) == prune.CRITERIA
