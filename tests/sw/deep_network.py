"""Networks that tests of the compiler share: a chain of six layers, and one with a shortcut and a stream."""

from dataclasses import replace

import numpy as np
from ragged_networks import chain, changed, layer, or_pool
from spikeplane.network.endings import Store
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.shortcut import Shortcut
from spikeplane.network.stored import Stored
from spikeplane_hw.neuron import Neuron

__all__ = ["conv", "deep", "residual"]


def conv(name, out, channels, side, seed=0, **more) -> Layer:
    """Return a convolution of random weights, or its neurons, where not given."""
    neuron = more.pop("neuron", Neuron(state_bits=4))
    return layer(np.random.default_rng(seed), name, out, channels, (side, side), neuron=neuron, **more)


def deep(steps=3, **changes) -> IntegerNetwork:
    """Return a network of six layers on 12x12 events; ``changes`` are those of its first layer."""
    first = changed(conv("a", 10, 2, 3, padding=1), **changes)
    out = first.terms[0].weight.shape[0]
    return IntegerNetwork(
        input=InputFormat(channels=2, height=12, width=12, steps=steps),
        nodes=chain(
            first, conv("b", 12, out, 3, padding=1), or_pool("pool", 2),
            conv("c", 9, 12, 3, padding=1), conv("d", 7, 9, 6),
            layer(np.random.default_rng(1), "out", 4, 7, (1, 1)),
        ),
        logit_offset=np.zeros(4, np.int64),
    )


def residual(steps=3) -> IntegerNetwork:
    """Return the first two layers of :func:`deep` with a stream and a shortcut between them, and two heads."""
    net = deep(steps)
    first, second, *_ = net.nodes
    stream = Layer(name="stream", terms=second.terms, ending=Store(fraction_bits=12))
    (window,) = conv("b", 12, 12, 1, source="c").terms
    both = Layer(name="b", terms=(Stored(streams=("stream",)), Shortcut(source="c"), window), ending=second.ending)
    third = Layer(name="c", terms=(Stored(streams=("stream",)),), ending=second.ending)
    heads = [
        layer(np.random.default_rng(2), f"head of {source}", 4, channels, (1, 1), source=source)
        for source, channels in (("a", 10), ("b", 12))
    ]
    return replace(net, nodes=[first, stream, third, both, *heads])
