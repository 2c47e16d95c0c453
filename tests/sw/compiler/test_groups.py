"""Groups of channels that a core cannot run are refused by name, need, limit and remedy."""

from dataclasses import replace

import numpy as np
import pytest
import transformer_networks
from ragged_networks import CORES, affine, weights
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.place import place
from spikeplane.network.endings import Fire, Logits, Store
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.schedule import Schedule
from spikeplane.network.shortcut import Shortcut
from spikeplane.network.window import Window
from spikeplane_hw.config import LARGE, SMALL
from spikeplane_hw.neuron import Neuron

NEURON = Neuron(state_bits=4)


def grouped(inputs=16, outputs=16, groups=2, terms=(), ending=None, source="first"):
    """Return a network whose second layer has groups of channels, and ``terms`` beside them."""
    random = np.random.default_rng(1)
    ending = ending or Fire(neuron=NEURON)
    scale = {} if isinstance(ending, Logits) else affine(random, outputs, 4, 5)
    window = Window(source=source, groups=groups, **weights(random, outputs, inputs // groups, (1, 1)), **scale)
    first = Window(source=INPUT, **weights(random, inputs, 2, (1, 1)), **affine(random, inputs, 2, 5))
    head = Window(source="second", **weights(random, 3, outputs, (1, 1)))
    nodes = [
        Layer(name="first", terms=(first,), ending=Fire(neuron=NEURON)),
        Layer(name="second", terms=(window, *terms), ending=ending),
    ]
    if isinstance(ending, Fire):
        nodes.append(Layer(name="head", terms=(head,), ending=Logits()))
    return IntegerNetwork(
        input=InputFormat(channels=2, height=2, width=2, steps=2), nodes=nodes,
        logit_offset=np.zeros(outputs if isinstance(ending, Logits) else 3, np.int64),
    )


def test_a_group_has_lanes_of_its_own():
    layer = place(grouped(outputs=32, groups=4, inputs=32), SMALL).layers[1]
    assert (layer.groups, layer.group_lanes, layer.last_lanes) == (4, 8, 8)
    assert layer.terms[0].weight_group == 1  # one slot of eight channels


@pytest.mark.parametrize(("network", "config", "message"), [
    (grouped(outputs=10), SMALL, "its 2 groups have 5 output channels each; small runs groups of a multiple of 8, at "
                                 "most 64: make them so, or merge groups"),
    (grouped(outputs=16), LARGE, "its 2 groups have 8 output channels each; large runs groups of a multiple of 16"),
    (grouped(inputs=10), SMALL, "its 2 groups have 5 channels of 'first' each; small reads groups of a multiple of 8"),
    (grouped(outputs=256), SMALL, "at most 64"),
    (grouped(terms=(Shortcut(source="first"),)), SMALL, "it adds 2 groups of channels and a shortcut"),
    (grouped(ending=Logits()), SMALL, "it adds 2 groups of channels to the logits"),
], ids=range(6))
def test_groups_that_no_core_runs_are_refused(network, config, message):
    network.verify()
    with pytest.raises(CompileError) as error:
        place(network, config)
    assert str(error.value).startswith("layer 'second': ")
    assert message in str(error.value)


def test_streams_of_groups_are_refused():
    network = grouped(ending=Store(fraction_bits=9))
    with pytest.raises(CompileError, match="it stores the sums of 2 groups"):
        place(network, SMALL, check=False)


def test_the_live_input_is_no_operand():
    network = transformer_networks.attention(1, width=2, heads=1, height=2, columns=2, steps=2)
    nodes = list(network.nodes)
    product = nodes[4].terms[0]
    nodes[4] = replace(nodes[4], terms=(replace(product, operand=INPUT),))
    changed = replace(network, nodes=nodes)
    place(changed, CORES[0], check=False)
    with pytest.raises(CompileError) as error:
        place(changed, CORES[0], Schedule.STORED, check=False)
    assert str(error.value).startswith("layer 'attention map': the operand of its product is the input")
