"""Groups of channels that go together."""

import pytest
from pruned_networks import chain, residual
from spikeplane.pruning.groups import find_groups


def test_a_chain_has_a_group_for_each_layer():
    network, layers = chain()
    groups = find_groups(network, layers)
    assert [(group.name, group.channels, group.producers, group.consumers) for group in groups] == [
        ("first", 6, ["layers.first"], ["layers.inner"]),
        ("inner", 10, ["layers.inner"], ["layers.last"]),
        ("last", 12, ["layers.last"], ["layers.classifier"]),
    ]
    assert all(group.base is None and group.maps == [group.name] for group in groups)


@pytest.mark.parametrize("shortcut", ["pad", "conv"])
def test_shortcuts_tie_channels(shortcut):
    network, layers = residual(shortcut)
    groups = {group.name: group for group in find_groups(network, layers)}
    assert list(groups) == ["first", "same.conv1", "wide.conv1", "wide", "more.conv1"]
    assert groups["first"].maps == ["first", "same"]
    assert groups["first"].layers == ["first", "same"]
    assert groups["first"].producers == ["layers.first", "layers.same.conv2"]
    assert groups["same.conv1"].fields == [("same", "inner_channels")]
    assert groups["wide"].maps == ["wide", "more"]
    if shortcut == "pad":
        assert groups["wide"].base is groups["first"]
        assert groups["first"].consumers == ["layers.same.conv1", "layers.wide.conv1"]
    else:
        assert groups["wide"].base is None
        assert groups["wide"].producers == ["layers.wide.conv2", "layers.wide.shortcut", "layers.more.conv2"]
        assert groups["first"].consumers == ["layers.same.conv1", "layers.wide.conv1", "layers.wide.shortcut"]
