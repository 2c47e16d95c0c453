"""Rules of networks: what is wrong is named, with the value and the limit."""

from dataclasses import replace

import numpy as np
import pytest
from ragged_networks import affine, chain, changed, layer, or_pool, weights
from spikeplane.network.checks import NetworkError
from spikeplane.network.endings import Digit, Fire, Logits, Store
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.pool import OrPool, Pooling
from spikeplane.network.product import Product
from spikeplane.network.shortcut import Shortcut
from spikeplane.network.stored import Stored
from spikeplane.network.weights import WeightKind
from spikeplane.network.window import Window
from spikeplane_hw.neuron import Neuron, Reset


def small(**changes) -> IntegerNetwork:
    """Return an 8x8 network conv, pool, classifier; ``changes`` replace fields of conv."""
    random = np.random.default_rng(0)
    conv = layer(random, "conv", 5, 2, (3, 3), bits=2, kind=WeightKind.TWOS, padding=1,
                 neuron=Neuron(state_bits=4))
    nodes = chain(conv, or_pool("pool", 2), layer(random, "out", 10, 5, (4, 4)))
    nodes[0] = changed(conv, **changes)
    return IntegerNetwork(
        input=InputFormat(channels=2, height=8, width=8, steps=3), nodes=nodes,
        logit_offset=np.zeros(10, np.int64),
    )


def window(source: str, out: int, channels: int, kernel=(1, 1), **more) -> Window:
    random = np.random.default_rng(1)
    return Window(source=source, **weights(random, out, channels, kernel), **affine(random, out, 2, 5), **more)


def wide(*added, **changes) -> IntegerNetwork:
    """Return a network with spikes "a" and "b" (6 x 8 x 8), streams "s" and "t", and a head; plus ``added``."""
    fire, store = Fire(neuron=Neuron()), Store(fraction_bits=10)
    nodes = [
        Layer(name="a", terms=(window(INPUT, 6, 2),), ending=fire),
        Layer(name="b", terms=(window("a", 6, 6), Shortcut(source="a")), ending=fire),
        Layer(name="s", terms=(window("b", 6, 6),), ending=store),
        Layer(name="t", terms=(window("a", 6, 6), Stored(streams=("s",))), ending=store),
        *added,
        layer(np.random.default_rng(2), "out", 3, 6, (1, 1), source="t"),
    ]
    return replace(IntegerNetwork(
        input=InputFormat(channels=2, height=8, width=8, steps=2), nodes=nodes,
        logit_offset=np.zeros(3, np.int64),
    ), **changes)


def refuse(network: IntegerNetwork, message: str) -> None:
    with pytest.raises(NetworkError) as error:
        network.verify()
    assert str(error.value) == message


def test_sound_networks_pass():
    network = small()
    network.verify()
    assert {name: form.shape for name, form in network.maps().items()} == {
        INPUT: (2, 8, 8), "conv": (5, 8, 8), "pool": (5, 4, 4)}
    wide().verify()
    assert [node.name for node in wide().heads] == ["out"]
    assert [node.name for node in wide().readers()["a"]] == ["b", "t"]


WRONG_WEIGHT = np.zeros((5, 2, 3, 3), np.int64)
WRONG_WEIGHT[1, 0, 2, 2] = 2


@pytest.mark.parametrize(("changes", "message"), [
    ({"weight": WRONG_WEIGHT},
     "layer 'conv': weight [1, 0, 2, 2] is 2; 2-bit twos weights are integers in -2..1"),
    ({"weight_kind": WeightKind.ODD, "weight": WRONG_WEIGHT},
     "layer 'conv': weight [0, 0, 0, 0] is 0; 2-bit odd weights are odd integers in -3..3"),
    ({"weight": np.zeros((5, 2, 3, 3))}, "layer 'conv': weight must be an integer array, not float64"),
    ({"weight": np.zeros((5, 3, 3, 3), int)},
     "layer 'conv': weight has 3 input channels, the map before it 2"),
    ({"weight": np.zeros((5, 2, 9, 3), int)},
     "layer 'conv': kernel is 9x3, limit 7 a side or the whole 8x8 input without padding"),
    ({"weight": np.zeros((5, 2, 3), int)},
     "layer 'conv': weight must have 4 dimensions, none 0, not (5, 2, 3)"),
    ({"weight_bits": 3}, "layer 'conv': weight_bits is 3, must be 1, 2, 4 or 8"),
    ({"weight_kind": "odd"}, "layer 'conv': weight_kind must be one of ODD, TWOS, UNIT, not 'odd'"),
    ({"stride": 3}, "layer 'conv': stride is 3, must be 1 or 2"),
    ({"stride": 0}, "layer 'conv': stride is 0, must be 1 or 2"),
    ({"stride": "two"}, "layer 'conv': stride must be an integer, not 'two'"),
    ({"stride": 1.0}, "layer 'conv': stride must be an integer, not 1.0"),
    ({"padding": 3}, "layer 'conv': padding is 3, must be from 0 to less than the 3x3 kernel"),
    ({"padding": True}, "layer 'conv': padding must be an integer, not True"),
    ({"groups": 3}, "layer 'conv': groups is 3, must divide the 2 input and the 5 output channels"),
    ({"groups": 0}, "layer 'conv': groups is 0, must divide the 2 input and the 5 output channels"),
    ({"shift": 2}, "layer 'conv': shift is 2, must be one of (1, 5, 9, 13)"),
    ({"multiplier": None}, "layer 'conv': multiplier must be an integer array, not NoneType"),
    ({"multiplier": np.full(5, 1 << 15)},
     "layer 'conv': multiplier of channel 0 is 32768, limit 16 signed bits"),
    ({"offset": np.full(5, np.nan)}, "layer 'conv': offset must be an integer array, not float64"),
    ({"offset": np.zeros(4, int)}, "layer 'conv': offset has shape (4,), must be (5,)"),
    ({"ending": Logits()}, "layer 'conv': multiplier must be None: sums become logits as they are"),
    ({"ending": Digit(digit=16, fraction_bits=3)}, "layer 'conv': digit is 16, must be in 0..15"),
    ({"ending": Digit(digit=2, fraction_bits=-1)}, "layer 'conv': fraction_bits is -1, must be in 0..15"),
    ({"multiplier": None, "offset": None, "ending": Logits(exponent=16)},
     "layer 'conv': exponent is 16, must be in 0..15"),
    ({"ending": None}, "layer 'conv': ending must be an Ending, not None"),
    ({"terms": ()}, "layer 'conv': it has no terms to sum up"),
    ({"terms": ("window",)}, "layer 'conv': terms[0] must be a Term, not 'window'"),
    ({"name": "pool"}, "layer 'pool': 2 layers have this name"),
    ({"name": INPUT}, "layer 'input': the input of the network has this name"),
    ({"name": ""}, "layer '': a name must be a text that is not empty"),
    ({"neuron": "LIF"}, "layer 'conv': neuron must be a Neuron, not 'LIF'"),
    ({"taps": ()}, "layer 'conv': taps are [], must rise from 0 to at most 7"),
    ({"taps": (1, 2)}, "layer 'conv': taps are [1, 2], must rise from 0 to at most 7"),
    ({"taps": (0, 2, 2)}, "layer 'conv': taps are [0, 2, 2], must rise from 0 to at most 7"),
    ({"taps": (0, 8)}, "layer 'conv': taps are [0, 8], must rise from 0 to at most 7"),
    ({"taps": (0, "1")}, "layer 'conv': taps[1] must be an integer, not '1'"),
    ({"taps": (0, 1)}, "layer 'conv': taps need neurons without state and reset"),
    ({"pooling": Pooling(kernel=(9, 2), stride=2)},
     "layer 'conv': the pool's kernel is 9x2, must be 1 to 7 a side or the whole 8x8 map"),
    ({"pooling": Pooling(kernel=(2, 2), stride=0)}, "layer 'conv': the pool's stride is 0, must be in 1..7"),
    ({"pooling": Pooling(kernel=(2, 2), stride=2, padding=2)},
     "layer 'conv': the pool's padding is 2, must be from 0 to less than the 2x2 kernel"),
])
def test_a_broken_layer_is_named(changes, message):
    refuse(small(**changes), message)


def test_a_broken_network_is_named():
    sound = small()
    for changes, message in [
        ({"nodes": []}, "the network has no layers"),
        ({"nodes": sound.nodes[:2]},
         "layer 'pool': no layer adds to the logits; the last one must be a classifier"),
        ({"nodes": ["conv"]}, "a node of the network is 'conv'"),
        ({"logit_scale": float("nan")}, "logit_scale must be finite and positive, not nan"),
        ({"logit_scale": "1"}, "logit_scale must be finite and positive, not '1'"),
        ({"logit_offset": np.zeros(9, int)}, "logit_offset has shape (9,), must be (10,)"),
        ({"metadata": []}, "metadata must be a table, not []"),
        ({"input": replace(sound.input, steps=0)},
         "input: steps must be a positive integer, not 0"),
        ({"input": replace(sound.input, steps="3")}, "input: steps must be an integer, not '3'"),
        ({"input": replace(sound.input, direct=1)}, "input: direct must be true or false, not 1"),
        ({"input": replace(sound.input, bits=2)},
         "input: bits is 2, limit 8 for a direct-coded image, 1 for spikes"),
    ]:
        refuse(replace(sound, **changes), message)


def fire(name: str, *terms) -> Layer:
    return Layer(name=name, terms=terms, ending=Fire(neuron=Neuron()))


@pytest.mark.parametrize(("added", "message"), [
    ([fire("x", window("nowhere", 6, 6))],
     "layer 'x': source 'nowhere' is no map; there are input, a, b, s, t, x, out"),
    ([fire("x", window("out", 6, 6))],
     "layer 'x': it reads 'out', which comes after it; put a node behind all that it reads"),
    ([fire("x", window("y", 6, 6)), fire("y", window("x", 6, 6))],
     "layer 'x': it reads 'y', which reads it again: the network has a cycle"),
    ([fire("x", window("x", 6, 6))],
     "layer 'x': it reads 'x', which reads it again: the network has a cycle"),
    ([fire("x", window("a", 6, 6))], "layer 'x': nothing reads it"),
    ([fire("x", window("a", 6, 6), window("a", 6, 6, (3, 3)))],
     "layer 'x', term 1: it adds a map of (6, 6, 6), the terms before it (6, 8, 8)"),
    ([fire("x", window("a", 6, 6), Shortcut(source="a", silent=1))],
     "layer 'x', term 1: it adds a map of (7, 8, 8), the terms before it (6, 8, 8)"),
    ([fire("x", Shortcut(source="s"))], "layer 'x': a shortcut adds spikes; 's' is a stream"),
    ([fire("x", Shortcut(source="a", stride=3))], "layer 'x': stride is 3, must be 1 or 2"),
    ([fire("x", Shortcut(source="a", silent=-1))], "layer 'x': silent is -1, must be 0 or more channels"),
    ([fire("x", Stored(streams=("a",)))], "layer 'x': source 'a' is no stream but spikes"),
    ([fire("x", Stored(streams=("s",)))],
     "layer 'x': 's' has 10 fraction bits, times 2**0 that makes 10; its sum becomes 12 fraction bits"),
    ([fire("x", Stored(streams=("s",), exponent=16))], "layer 'x': exponent is 16, must be in -15..15"),
    ([fire("x", Stored(streams=("s", "t", "s"), exponent=2))],
     "layer 'x': streams are ['s', 't', 's'], must be one or two"),
    ([Layer(name="x", terms=(Stored(streams=("s",), exponent=6),), ending=Store(fraction_bits=16))],
     "layer 'x': fraction_bits is 16, must be in 0..15"),
    ([Layer(name="x", terms=(Shortcut(source="a"),), ending=Logits())],
     "layer 'x': a spike adds 1.0 in units of 2**-0, which logits do not hold"),
    ([Layer(name="x", terms=(Shortcut(source="a", taps=(0, 3)),), ending=Store(fraction_bits=2))],
     "layer 'x': a spike adds 1.0 in units of 2**-3, which 2 fraction bits do not hold"),
    ([Layer(name="x", terms=(Stored(streams=("s",)),), ending=Logits())],
     "layer 'x': 's' has 10 fraction bits, times 2**0 that makes 10; its sum becomes logits"),
    ([Layer(name="x", terms=(Window(source="a", **weights(np.random.default_rng(0), 4, 6, (1, 1))),), ending=Logits())],
     "layer 'out': it adds to 3 logits, 'x' to 4"),
    ([OrPool(name="x", source="s", pooling=Pooling(kernel=(2, 2), stride=2))],
     "layer 'x': an OR-pool reads spikes; 's' is a stream"),
    ([fire("x", Product(source="a", operand="s"))], "layer 'x': a product counts spikes; 's' is a stream"),
    ([fire("x", Product(source="a", operand="b", groups=4))],
     "layer 'x': groups is 4, must divide the 6 channels of 'a' and the 6 of 'b'"),
    ([fire("x", Product(source="a", operand="b", transposed=True))],
     "layer 'x': 'a' has 6 channels, must have 64: 1 groups of 64 pixels of 'b'"),
    ([fire("x", Product(source="a", operand="b"))], "layer 'x': multiplier must be an integer array, not NoneType"),
    ([fire("x", window("s", 6, 6, taps=(0, 1)))],
     "layer 'x': taps look back at spikes, not at a stream; let its neurons leak without a reset instead"),
])
def test_a_broken_graph_is_named(added, message):
    refuse(wide(*added), message)


def test_an_image_has_no_steps_to_look_back_at():
    neuron = Neuron(state_bits=0, reset=Reset.NONE)
    network = small(taps=(0, 1), neuron=neuron)
    network.verify()
    refuse(replace(network, input=replace(network.input, direct=True)),
           "layer 'conv': a direct-coded image has no steps for taps; let its neurons leak without a reset instead")


def test_a_classifier_reads_no_image():
    network = small()
    head = layer(np.random.default_rng(0), "out", 10, 2, (1, 1))
    refuse(replace(network, nodes=[head], input=replace(network.input, direct=True)),
           "layer 'out': a classifier cannot read a direct-coded image, only spikes")


def test_an_empty_map_is_named():
    refuse(replace(small(), input=InputFormat(channels=2, height=1, width=8, steps=3)),
           "layer 'pool': its output map is empty: (5, 0, 4)")


def test_integers_of_numpy_are_integers():
    small(stride=np.int64(1), padding=np.int8(1)).verify()
