"""Random graphs on the integer model against plain loops; bench/graph.py runs hundreds more."""

import pytest
from graph_checks import differences
from ragged_networks import CORES
from random_graphs import graph
from spikeplane.network.schedule import Schedule


@pytest.mark.parametrize("seed", range(40))
def test_a_random_graph_equals_plain_loops(seed):
    core, schedule = CORES[seed % len(CORES)], list(Schedule)[seed // 2 % 2]
    assert differences(graph(seed), core, schedule, seed) == []


def test_the_graphs_reach_every_kind():
    kinds = set()
    for seed in range(40):
        for node in graph(seed).nodes:
            kinds.add(node.kind)
            kinds |= {term.kind for term in getattr(node, "terms", ())}
            kinds |= {node.ending.kind} if hasattr(node, "ending") else set()
            kinds |= {"tap" for term in getattr(node, "terms", ()) if len(getattr(term, "taps", ())) > 1}
            kinds |= {"groups" for term in getattr(node, "terms", ()) if getattr(term, "groups", 1) > 1}
            kinds |= {"pooled" for _ in [0] if getattr(getattr(node, "ending", None), "pooling", None)}
    assert kinds == {
        "layer", "or_pool", "window", "product", "shortcut", "stored", "fire", "store", "digit", "logits", "tap",
        "groups", "pooled",
    }
