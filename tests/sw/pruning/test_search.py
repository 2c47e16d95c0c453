"""The search for ratios, on costs and losses that are formulas."""

import math

import pytest
from pruned_networks import chain, residual
from spikeplane.pruning.costs import Budget, parse_budget
from spikeplane.pruning.groups import find_groups
from spikeplane.pruning.removal import PruningError
from spikeplane.pruning.search import LEVELS, find_counts, sensitivities, with_bases

GROUPS = find_groups(*chain())


def cost(counts) -> float:
    """Return weights of 3x3 convolutions, one behind the other."""
    return 9 * (2 * counts["first"] + counts["first"] * counts["inner"] + counts["inner"] * counts["last"])


def probe(counts) -> tuple[float, float]:
    """The first layer bears nothing, the last one everything."""
    loss = 0.2 + 5 * (6 - counts["first"]) / 6 + (10 - counts["inner"]) / 10 + 0.01 * (12 - counts["last"]) / 12
    return loss, cost(counts)


def test_the_budget_is_met_where_it_hurts_least():
    found = sensitivities(GROUPS, probe, shown=False)
    whole = {"first": 6, "inner": 10, "last": 12}
    for share in (0.9, 0.7, 0.5, 0.3):
        counts = find_counts(GROUPS, found, Budget("size", share, True), cost)
        assert cost(counts) <= share * cost(whole)
        # Not a channel more of what was given back last would fit.
        more = [counts | {name: count + 1} for name, count in counts.items() if count < whole[name]]
        assert min(map(cost, more)) > share * cost(whole)
        assert counts["last"] / 12 <= counts["inner"] / 10 <= counts["first"] / 6
    assert find_counts(GROUPS, found, Budget("size", cost(whole)), cost) == whole


def test_where_it_costs_nothing_nothing_is_removed():
    """A layer whose channels save nothing keeps them, however little they are worth."""
    def free(counts):
        return counts["inner"] * 100.0

    found = sensitivities(GROUPS, lambda counts: (probe(counts)[0], free(counts)), shown=False)
    counts = find_counts(GROUPS, found, Budget("cycles", 0.5, True), free)
    assert counts == {"first": 6, "inner": 5, "last": 12}


def test_a_budget_out_of_reach_names_layer_and_nearest():
    found = sensitivities(GROUPS, probe, shown=False)
    least = {"first": 1, "inner": 1, "last": 1}
    with pytest.raises(PruningError) as caught:
        find_counts(GROUPS, found, Budget("size", 20.0), cost)
    nearest = cost(least)
    assert f"size={nearest:.0f}B, the nearest budget that can be met" in str(caught.value)
    assert "layer '" in str(caught.value) and f"{LEVELS[-1]:.1%}" in str(caught.value)
    assert cost(find_counts(GROUPS, found, Budget("size", nearest), cost)) == nearest


def test_a_network_too_large_for_the_core_is_pruned_until_it_fits():
    def cycles(counts):
        return math.inf if cost(counts) > 700 else cost(counts)

    found = sensitivities(GROUPS, lambda counts: (probe(counts)[0], cycles(counts)), shown=False)
    counts = find_counts(GROUPS, found, Budget("cycles", 600.0), cycles)
    assert cycles(counts) <= 600
    with pytest.raises(PruningError, match="does not fit the core, so there is nothing that this is a part of"):
        find_counts(GROUPS, found, Budget("cycles", 0.5, True), cycles)
    with pytest.raises(PruningError, match="does not fit the core; name a larger one by --config"):
        find_counts(GROUPS, found, Budget("cycles", 600.0), lambda counts: math.inf)


def test_bases_give_way():
    groups = find_groups(*residual("pad"))
    counts = {group.name: group.channels for group in groups}
    assert with_bases(groups, counts | {"wide": 4})["first"] == 4
    assert with_bases(groups, counts | {"first": 2}) == counts | {"first": 2}


@pytest.mark.parametrize(("text", "budget"), [
    ("size=120kB", Budget("size", 120e3)), ("size=1.5MB", Budget("size", 1.5e6)), ("size=800", Budget("size", 800.0)),
    ("operations=50%", Budget("operations", 0.5, True)), ("cycles=20k", Budget("cycles", 20e3)),
])
def test_budgets_are_read(text, budget):
    assert parse_budget(text) == budget


@pytest.mark.parametrize("text", [
    "size", "size=", "weights=5", "size=many", "cycles=3B", "size=50%B", "size=-1", "size=0", "cycles=150%", "size=0%",
])
def test_wrong_budgets_are_named(text):
    with pytest.raises(ValueError, match="budget '"):
        parse_budget(text)
