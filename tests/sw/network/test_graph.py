from dataclasses import replace

import numpy as np
import pytest
from ragged_networks import layer, network
from spikeplane.network.checks import NetworkError
from spikeplane.network.file import load_network, save_network
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import InputFormat
from spikeplane.network.layer import or_pool
from spikeplane.network.weights import WeightKind
from spikeplane_hw.neuron import Neuron, Reset


def small(**changes) -> IntegerNetwork:
    """Return an 8x8 network conv, pool, classifier; ``changes`` replace fields of conv."""
    random = np.random.default_rng(0)
    conv = layer(random, "conv", 5, 2, (3, 3), bits=2, kind=WeightKind.TWOS, padding=1,
                 neuron=Neuron(shift=5, state_bits=4))
    return IntegerNetwork(
        input=InputFormat(channels=2, height=8, width=8, steps=3),
        layers=[
            replace(conv, **changes),
            or_pool("pool", 5, 2),
            layer(random, "out", 10, 5, (4, 4)),
        ],
        logit_offset=np.zeros(10, np.int64),
    )


def test_a_sound_network_passes():
    network = small()
    network.verify()
    assert network.shapes() == [(2, 8, 8), (5, 8, 8), (5, 4, 4), (10, 1, 1)]


@pytest.mark.parametrize(("kind", "bits", "limits"), [
    (WeightKind.ODD, 1, (-1, 1)), (WeightKind.ODD, 4, (-15, 15)),
    (WeightKind.TWOS, 4, (-8, 7)), (WeightKind.UNIT, 2, (0, 3)),
])
def test_codes_and_reference_give_the_weight_back(kind, bits, limits):
    assert kind.limits(bits) == limits
    weights = np.arange(limits[0], limits[1] + 1, 2 if kind is WeightKind.ODD else 1)
    codes = kind.codes(weights, bits)
    assert codes.tolist() == list(range(1 << bits))
    factor = 2 if kind is WeightKind.ODD else 1
    assert (factor * codes - kind.reference(bits)).tolist() == weights.tolist()


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
    ({"stride": 3}, "layer 'conv': stride is 3, must be 1 or 2"),
    ({"padding": 3}, "layer 'conv': padding is 3, must be from 0 to less than the 3x3 kernel"),
    ({"multiplier": None}, "layer 'conv': multiplier must be an integer array, not NoneType"),
    ({"multiplier": np.full(5, 1 << 15)},
     "layer 'conv': multiplier of channel 0 is 32768, limit 16 signed bits"),
    ({"offset": np.full(5, np.nan)}, "layer 'conv': offset must be an integer array, not float64"),
    ({"offset": np.zeros(4, int)}, "layer 'conv': offset has shape (4,), must be (5,)"),
    ({"neuron": None}, "layer 'conv': only the last layer may be a classifier (neuron=None)"),
    ({"name": "pool"}, "layer 'pool': 2 layers have this name"),
    ({"taps": ()}, "layer 'conv': taps are [], must rise from 0 to at most 7"),
    ({"taps": (1, 2)}, "layer 'conv': taps are [1, 2], must rise from 0 to at most 7"),
    ({"taps": (0, 2, 2)}, "layer 'conv': taps are [0, 2, 2], must rise from 0 to at most 7"),
    ({"taps": (0, 8)}, "layer 'conv': taps are [0, 8], must rise from 0 to at most 7"),
    ({"taps": (0, 1)}, "layer 'conv': taps need neurons without state and reset"),
    ({"pool": True}, "layer 'conv': a pool must be as or_pool makes it"),
])
def test_a_broken_layer_is_named(changes, message):
    with pytest.raises(NetworkError) as error:
        small(**changes).verify()
    assert str(error.value) == message


def test_a_broken_network_is_named():
    sound = small()
    cases = [
        ({"layers": []}, "the network has no layers"),
        ({"layers": sound.layers[:2]},
         "layer 'pool': the last layer must be a classifier (neuron=None)"),
        ({"logit_scale": float("nan")}, "logit_scale must be finite and positive, not nan"),
        ({"logit_offset": np.zeros(9, int)}, "logit_offset has shape (9,), must be (10,)"),
        ({"input": replace(sound.input, steps=0)},
         "input: steps must be a positive integer, not 0"),
        ({"input": replace(sound.input, bits=2)},
         "input: bits is 2, limit 8 for a direct-coded image, 1 for spikes"),
    ]
    for changes, message in cases:
        with pytest.raises(NetworkError) as error:
            replace(sound, **changes).verify()
        assert str(error.value) == message


def test_an_image_has_no_steps_to_look_back_at():
    neuron = Neuron(shift=5, state_bits=0, reset=Reset.NONE)
    network = small(taps=(0, 1), neuron=neuron)
    network.verify()
    with pytest.raises(NetworkError, match=r"^layer 'conv': a direct-coded image has no steps for taps"):
        replace(network, input=replace(network.input, direct=True)).verify()


def test_an_empty_map_is_named():
    broken = replace(small(), input=InputFormat(channels=2, height=1, width=8, steps=3))
    with pytest.raises(NetworkError, match=r"layer 'pool': its output map is empty: \(5, 0, 4\)"):
        broken.verify()


@pytest.mark.parametrize("seed", range(6))
def test_a_saved_network_is_read_back(seed, tmp_path):
    saved = network(seed, direct=bool(seed % 2))
    save_network(saved, tmp_path / "a.safetensors")
    read = load_network(tmp_path / "a.safetensors")
    assert (read.input, read.logit_scale, read.metadata) == (
        saved.input, saved.logit_scale, saved.metadata)
    assert np.array_equal(read.logit_offset, saved.logit_offset)
    for one, other in zip(read.layers, saved.layers, strict=True):
        for name, value in vars(other).items():
            assert np.array_equal(getattr(one, name), value), name


def test_a_file_without_a_network_is_named(tmp_path):
    path = tmp_path / "absent"
    with pytest.raises(NetworkError, match="absent: no such file"):
        load_network(path)
