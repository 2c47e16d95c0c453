"""Small networks that read their input in ways that chains do not, with samples of each and a core that runs it."""

from dataclasses import replace

import numpy as np
from narrow_core import CONFIG
from ragged_networks import samples, weights
from spikeplane.network.endings import Fire, Logits, Store
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.stored import Stored
from spikeplane.network.weights import WeightKind
from spikeplane.network.window import Window
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.neuron import Neuron

__all__ = ["READERS"]

Found = tuple[IntegerNetwork, np.ndarray, CoreConfig]


def stream_of_an_image() -> Found:
    """A stream is made of the image alone: all its steps have places of their own."""
    random = np.random.default_rng(0)
    scale = {"multiplier": np.full(4, -20000), "offset": np.arange(4), "shift": 5}
    stem = Window(source=INPUT, **weights(random, 4, 2, (1, 1)), **scale)
    made = IntegerNetwork(
        input=InputFormat(channels=2, height=2, width=2, steps=3, bits=2, direct=True), logit_offset=np.zeros(3, int),
        nodes=[
            Layer(name="stem", terms=(stem,), ending=Store(fraction_bits=12)),
            Layer(name="fire", terms=(Stored(streams=("stem",)),), ending=Fire(neuron=Neuron(fire_above=500))),
            Layer(name="head", terms=(Window(source="fire", **weights(random, 3, 4, (1, 1), 4)),), ending=Logits()),
        ],
    )
    return made, samples(made, 2), CONFIG


def whole_input_last() -> Found:
    """The last one that reads events takes a step whole, one before it row by row, of which most are silent."""
    random = np.random.default_rng(0)
    made = IntegerNetwork(
        input=InputFormat(channels=1, height=4, width=2, steps=3), logit_offset=np.zeros(3, int),
        nodes=[
            Layer(name=name, terms=(Window(source=INPUT, **weights(random, 3, 1, kernel, 4)),), ending=Logits())
            for name, kernel in (("pixels", (1, 1)), ("whole", (4, 2)))
        ],
    )
    inputs = np.zeros((1, *made.input.shape), np.uint8)
    inputs[:, 0, :, 0] = inputs[:, 1:, :, 3] = 1
    return made, inputs, CONFIG


def classifier_in_planes() -> Found:
    """The last one that reads events runs in parts, which take the planes of its weights in turn."""
    random = np.random.default_rng(0)
    head = Window(source=INPUT, **weights(random, 3, 2, (4, 4), 8, WeightKind.TWOS))
    made = IntegerNetwork(
        input=InputFormat(channels=2, height=4, width=4, steps=3), logit_offset=np.zeros(3, int),
        nodes=[Layer(name="head", terms=(head,), ending=Logits())],
    )
    return made, samples(made, 2), replace(CONFIG, name="short sums", accumulator_width=10)


READERS = (stream_of_an_image, whole_input_last, classifier_in_planes)
