"""The search for ratios: where the network bears pruning, and where pruning saves most of a budget.

Each group is pruned alone, to each of several ratios, and the loss on held-out samples and the cost are measured.
A price on the cost decides for every group the ratio of the least ``loss + price * cost``; the lowest price at
which the whole network meets the budget is taken, and then as many channels are given back as the budget allows.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..progress import steps
from .costs import Budget
from .groups import ChannelGroup
from .removal import PruningError, kept_count

__all__ = ["LEVELS", "Probe", "Sensitivity", "find_counts", "sensitivities"]

LEVELS = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
"""Ratios that each group is tried at; the last one is the most that a search removes."""

Counts = dict[str, int]
Probe = Callable[[Mapping[str, int]], tuple[float, float]]
"""Returns (loss, cost) of the network with so many channels in each group."""


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """What pruning one group alone does."""

    counts: list[int]
    """Channels that are left, all of them first."""
    losses: list[float]
    """How much the loss rises, at 0 for all channels, never falling."""
    savings: list[float]
    """How much the cost falls."""


def whole(groups: Sequence[ChannelGroup]) -> Counts:
    """Return the counts of the unpruned network."""
    return {group.name: group.channels for group in groups}


def with_bases(groups: Sequence[ChannelGroup], counts: Mapping[str, int]) -> Counts:
    """Return ``counts`` with no group having fewer channels than its base: the base gives way."""
    result = dict(counts)
    for group in reversed(groups):
        if group.base is not None:
            result[group.base.name] = min(result[group.base.name], result[group.name])
    return result


def _levels(group: ChannelGroup) -> list[int]:
    counts = [group.channels, *(max(1, kept_count(group.channels, level)) for level in LEVELS)]
    return sorted(set(counts), reverse=True)


def sensitivities(groups: Sequence[ChannelGroup], probe: Probe, *, shown: bool = True) -> dict[str, Sensitivity]:
    """Return what pruning each group alone does; costs that are not finite save nothing."""
    total = whole(groups)
    found = {}
    with steps(1 + sum(len(_levels(group)) - 1 for group in groups), unit="network", title="sensitivity",
               shown=shown) as bar:
        loss, cost = probe(total)
        bar.update()
        for group in groups:
            counts, losses, savings = _levels(group), [0.0], [0.0]
            for count in counts[1:]:
                here, spent = probe(with_bases(groups, total | {group.name: count}))
                losses.append(max(losses[-1], here - loss))
                savings.append(cost - spent if math.isfinite(cost) and math.isfinite(spent) else 0.0)
                bar.update()
            found[group.name] = Sensitivity(counts=counts, losses=losses, savings=savings)
    return found


def _at_price(found: Mapping[str, Sensitivity], price: float) -> Counts:
    result = {}
    for name, each in found.items():
        values = [loss - price * saving for loss, saving in zip(each.losses, each.savings, strict=True)]
        result[name] = each.counts[values.index(min(values))]
    return result


def _prices(found: Mapping[str, Sensitivity]) -> list[float]:
    """Return the prices at which a choice may change, ascending, a little above each."""
    prices = {
        (each.losses[j] - each.losses[i]) / (each.savings[j] - each.savings[i])
        for each in found.values() for j in range(len(each.counts)) for i in range(j)
        if each.savings[j] > each.savings[i]
    }
    return [price * (1 + 1e-9) + 1e-30 for price in sorted(prices)]


def find_counts(
    groups: Sequence[ChannelGroup],
    found: Mapping[str, Sensitivity],
    budget: Budget,
    cost: Callable[[Mapping[str, int]], float],
) -> Counts:
    """Return the channels to keep so that ``cost`` of them is within the budget.

    A PruningError says what is the least cost that the search reaches if the budget is below, and which layer
    takes most of it.
    """
    total = whole(groups)
    start = cost(total)
    limit = budget.limit(start)
    if start <= limit:
        return total
    least = with_bases(groups, {name: each.counts[-1] for name, each in found.items()})
    lowest = cost(least)
    if lowest > limit:
        raise _unreachable(groups, budget, limit, least, lowest, cost)
    # From the whole network to the least one, in the order of the price.
    path = [total]
    for price in _prices(found):
        counts = with_bases(groups, _at_price(found, price))
        if counts != path[-1]:
            path.append(counts)
    path.append(least)
    low, high = 0, len(path) - 1  # the first costs too much, the last does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if cost(path[middle]) <= limit else (middle, high)
    return _between(groups, path[high], path[low], limit, cost)


def _between(groups, within: Counts, above: Counts, limit: float, cost) -> Counts:
    """Return the counts between two, of which one is ``within`` the limit, with as many channels as it allows."""
    apart = max(abs(above[name] - within[name]) for name in within)
    low, high = 0, apart
    while high - low > 1:
        middle = (low + high) // 2
        counts = _part(groups, within, above, middle / apart)
        low, high = (middle, high) if cost(counts) <= limit else (low, middle)
    return _part(groups, within, above, low / max(1, apart))


def _part(groups, within: Counts, above: Counts, share: float) -> Counts:
    return with_bases(groups, {
        name: count + math.floor(share * (above[name] - count) + 1e-9) for name, count in within.items()
    })


def _unreachable(groups, budget: Budget, limit: float, least: Counts, lowest: float, cost) -> PruningError:
    asked = f"budget {budget.text(limit)} cannot be met"
    if not math.isfinite(lowest):
        return PruningError(f"{asked}: with {LEVELS[-1]:.1%} of each layer's channels removed the network does not "
                            f"fit the core; name a larger one by --config")
    # Of which layer the removal saves most of what is left.
    saved = {
        group.name: lowest - cost(with_bases(groups, least | {group.name: 1})) for group in groups
        if least[group.name] > 1
    }
    most = max(saved, key=lambda name: saved[name]) if saved else groups[-1].name
    nearest = math.ceil(lowest)
    return PruningError(
        f"{asked}: with {LEVELS[-1]:.1%} of each layer's channels removed it is {budget.text(nearest)}, the nearest "
        f"budget that can be met; layer {most!r}, {least[most]} channels left, takes the largest part of it"
    )
