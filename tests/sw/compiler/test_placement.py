"""Graphs that no core runs yet: the node is named, and why."""

from dataclasses import replace

import numpy as np
import pytest
from ragged_networks import CORES, affine, chain, layer, or_pool, weights
from random_graphs import graph
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.place import place
from spikeplane.network.endings import Fire, Logits, Store
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.pool import Pooling
from spikeplane.network.product import Product
from spikeplane.network.window import Window
from spikeplane_hw.neuron import Neuron

RANDOM = np.random.default_rng(0)
FIRE = Fire(neuron=Neuron())
STORE = Store(fraction_bits=10)
POOLED = Fire(neuron=Neuron(), pooling=Pooling(kernel=(1, 1), stride=2))


def window(source="a", groups=1, scaled=True, kernel=(1, 1)) -> Window:
    scale = affine(RANDOM, 4, 2, 5) if scaled else {}
    return Window(source=source, groups=groups, **weights(RANDOM, 4, 4 // groups, kernel), **scale)


def network(*nodes) -> IntegerNetwork:
    """Return a network of a first layer "a" with 4 channels, ``nodes``, and a head that reads the last of them."""
    first = Layer(name="a", terms=(window(INPUT),), ending=FIRE)
    last = nodes[-1].name if nodes else "a"
    head = Layer(name="out", terms=(window(last, scaled=False),), ending=Logits())
    return IntegerNetwork(
        input=InputFormat(channels=4, height=2, width=2, steps=2), nodes=[first, *nodes, head],
        logit_offset=np.zeros(4, np.int64),
    )


UNSUPPORTED = {
    "window on a stream": ([Layer(name="x", terms=(window(),), ending=STORE),
                            Layer(name="y", terms=(window("x"),), ending=FIRE)],
                           "layer 'y': source 'x' is a stream; the core has no windows on streams yet, the integer "
                           "model runs them"),
    "groups": ([Layer(name="x", terms=(window(groups=2, kernel=(2, 2)),), ending=FIRE)],
               "layer 'x': groups is 2 in a kernel 2 columns wide; the core has groups in kernels of one column, the "
               "integer model runs all"),
    "pooling": ([Layer(name="x", terms=(window(),), ending=POOLED)],
                "layer 'x': it pools 1x1 spikes on the way out with stride 2 and padding 0; the core's windows there "
                "lie side by side, without padding, and have at most 7 pixels a side: make the pool a node of its own "
                "(OrPool)"),
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_what_no_core_runs_is_named(kind):
    nodes, message = UNSUPPORTED[kind]
    made = network(*nodes)
    made.verify()
    with pytest.raises(CompileError) as error:
        place(made, CORES[0])
    assert str(error.value) == message


def mixed() -> IntegerNetwork:
    """Return a network of which a layer has a product beside a window."""
    product = Product(source="a", operand="a", transposed=False, **affine(RANDOM, 4, 2, 5))
    return network(Layer(name="b", terms=(product, window()), ending=FIRE))


def test_a_product_beside_streamed_weights_of_its_layer_is_named():
    core = replace(CORES[0], external_depth=1 << 10)
    assert not place(mixed(), core).streaming
    with pytest.raises(CompileError) as error:
        place(mixed(), core, streaming=True)
    assert str(error.value) == ("layer 'b': it has a product beside terms with weights, which cannot stream in; to "
                                "make it fit: a layer of its own for the product")
    # By itself it stays on the chip, and says what there is too little of.
    with pytest.raises(CompileError, match=r"weight slots a bank.* a layer of its own for the product of layer 'b'"):
        place(mixed(), replace(core, weight_depth=4))


def test_operands_have_half_of_the_weight_slots_where_weights_stream_in():
    made = network(Layer(name="b", terms=mixed().nodes[1].terms[:1], ending=FIRE))
    whole = place(made, CORES[0])
    core = replace(CORES[0], external_depth=1 << 10, weight_depth=8)
    placement = place(made, core)
    assert placement.streaming and placement.ring == 4
    (term,) = placement.nodes[1][0].terms
    assert term.weight_base == 4 and placement.nodes[1][0].operand_end == 8
    assert whole.layers[1].operand_end > 8
    longer = replace(made, input=replace(made.input, steps=3))
    with pytest.raises(CompileError, match=r"'b': weight slots a bank, its operand in all steps: 6 needed, limit 4; to "
                                           r"make it fit: at most 2 time steps"):
        place(longer, core)


def test_random_graphs_are_placed_or_refused_by_name():
    placed = 0
    for seed in range(60):
        made = graph(seed)
        try:
            place(made, CORES[0])
            placed += 1
        except CompileError as error:
            assert str(error).startswith((
                    "input", "words of the program", *(f"layer {name!r}" for name in made.names)
                )), error
    assert 0 < placed < 60


def test_layers_read_the_maps_that_they_name():
    random = np.random.default_rng(1)
    nodes = chain(
        layer(random, "first", 4, 4, (1, 1), neuron=Neuron()), or_pool("pool", 2),
        layer(random, "last", 3, 4, (1, 1)),
    )
    placed = place(IntegerNetwork(
        input=InputFormat(channels=4, height=2, width=2, steps=2), nodes=nodes, logit_offset=np.zeros(3, np.int64),
    ), CORES[0]).layers
    assert [each.terms[0].term.source for each in placed] == [INPUT, "first", "pool"]
    assert [each.terms[0].source for each in placed[1:]] == [each.target for each in placed[:-1]]
