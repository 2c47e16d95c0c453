"""What sharing rows between steps saves: its terms on spikes that are known."""

import numpy as np
import steps
from ragged_networks import CORES
from spikeplane.compiler.cycles import bank_cycles
from spikeplane.compiler.place import place
from spikeplane.network.endings import Fire, Logits
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.weights import WeightKind
from spikeplane.network.window import Window
from spikeplane_hw.neuron import Neuron

CONFIG = CORES[0]
CHANNELS = 4 * CONFIG.banks


def dense(name: str, source: str, out: int, inputs: int, ending) -> Layer:
    """Return a layer that reads all channels of one pixel."""
    affine = np.ones(out, np.int64) if isinstance(ending, Fire) else None
    window = Window(
        source=source, weight=np.ones((out, inputs, 1, 1), np.int64), weight_bits=1, weight_kind=WeightKind.ODD,
        multiplier=affine, offset=affine,
    )
    return Layer(name=name, terms=(window,), ending=ending)


def test_terms_on_known_spikes():
    network = IntegerNetwork(
        input=InputFormat(channels=CHANNELS, height=1, width=1, steps=3),
        nodes=[dense("hidden", INPUT, CHANNELS, CHANNELS, Fire(neuron=Neuron())),
               dense("classifier", "hidden", 2, CHANNELS, Logits())],
        logit_offset=np.zeros(2, np.int64),
    )
    layer = place(network, CONFIG).layers[1]
    (term,) = layer.terms
    spikes = np.zeros((1, 3, CHANNELS, 1, 1), np.uint8)
    # Bank 0 has three spikes in each step, two of which are in both of the steps that share rows.
    for step, slots in enumerate([(0, 1, 2), (1, 2, 3), (0, 1, 3)]):
        for slot in slots:
            spikes[0, step, slot * CONFIG.banks] = 1
    assert steps.repeated(spikes) == 4 / 6
    together = steps.shared(spikes)
    assert together[0, :, ::CONFIG.banks, 0, 0].tolist() == [[1, 1, 1, 1], [1, 1, 0, 1]]
    assert steps.repeated(np.zeros_like(spikes)) == 0
    # One more spike is a cycle more of its bank, and none of another bank that has time.
    alone = bank_cycles(term, layer, spikes, CONFIG)
    later = spikes.copy()
    later[0, 1, 0] = 1
    assert bank_cycles(term, layer, later, CONFIG) == alone + layer.groups
    beside = spikes.copy()
    beside[0, 1, 1] = 1
    assert bank_cycles(term, layer, beside, CONFIG) == alone
    saved = steps.saved_cycles(term, layer, spikes, CONFIG)
    assert saved == alone - bank_cycles(term, layer, together, CONFIG)
    # Six reads of the first two steps are four.
    assert 2 <= saved <= 2 + layer.groups * term.pass_count
