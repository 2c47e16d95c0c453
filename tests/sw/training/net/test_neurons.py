"""Neurons by their names, with their options."""

from dataclasses import dataclass

import pytest
import torch
from spikeplane.training.net.lif import LIF
from spikeplane.training.net.memory_free import MemoryFree
from spikeplane.training.net.networks import LayerRecipe, SpikingNetwork
from spikeplane.training.net.neuron import SpikingNeurons
from spikeplane.training.net.neurons import NEURONS, NeuronRecipe
from spikeplane_hw.neuron import Levels, Reset
from training_samples import EVENTS, IMAGE, layers, network, samples


def test_options_are_those_of_the_kind():
    neurons = NeuronRecipe(state_bits=2, levels="uniform", reset="soft", leak=0.25).create()
    assert isinstance(neurons, LIF)
    neuron, taps = neurons.integers()
    assert (neuron.state_bits, neuron.levels, neuron.reset, neuron.leak) == (2, Levels.UNIFORM, Reset.SOFT, 0.25)
    assert taps == (0,) and neurons.stored_bits == 2 and neurons.text == "2-bit potentials"
    free = NeuronRecipe("memory_free", taps=3)
    assert free.options == {"taps": 3, "learned_taps": False}
    neurons = free.create()
    assert isinstance(neurons, MemoryFree) and neurons.integers()[1] == (0, 1, 2)
    assert neurons.stored_bits == 0 and neurons.text == "memory-free, 3 taps"


@pytest.mark.parametrize(("settings", "message"), [
    ({"taps": 3}, r"^unknown key neuron\.taps; known are state_bits, levels, leak, reset$"),
    ({"dynamics": "memory_free", "leak": 0.5}, r"^unknown key neuron\.leak; known are taps, learned_taps$"),
    ({"leak": "half"}, r'^neuron\.leak must be float, not "half"$'),
    ({"dynamics": "izhikevich"},
     r"^neuron\.dynamics must be one of graded, imported, integrating, leaky, memory_free, not 'izhikevich'$"),
])
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        NeuronRecipe(**settings)


def test_another_kind_begins_with_its_own_defaults(monkeypatch):
    @dataclass(frozen=True, kw_only=True)
    class Options:
        leak: float = 1.0
        taps: int = 9

    class Other(SpikingNeurons):
        options = Options

    NEURONS.register("other", Other)
    try:
        base = NeuronRecipe(state_bits=2, leak=0.25)
        # Both kinds have a leak.
        assert base.over(dynamics="other").to_dict() == {"dynamics": "other", "leak": 0.25, "taps": 9}
        assert base.over(dynamics="other", leak=0.75).options["leak"] == 0.75
        assert base.over(dynamics="memory_free").options == {"taps": 4, "learned_taps": False}
        assert base.over(reset="soft").less(base) == {"reset": "soft"}
        assert base.less(NeuronRecipe("other")) == base.to_dict()
        # Without a method of its own, a kind has nothing to leave out.
        assert NeuronRecipe("other").float32() == NeuronRecipe("other")
    finally:
        NEURONS.unregister("other")
    assert base.float32() == base.over(state_bits=16)


def test_neurons_that_cannot_replay_an_image_are_refused():
    free = NeuronRecipe("memory_free")
    with pytest.raises(ValueError, match=r"layer 'first': memory_free neurons cannot replay an image: set "
                                         r"layers\.first\.neuron\.dynamics to leaky"):
        SpikingNetwork(IMAGE, layers(), free, 4)
    pool = LayerRecipe(name="p", kind="pool", kernel=1)
    with pytest.raises(ValueError, match="layer 'first': memory_free neurons cannot replay"):
        SpikingNetwork(IMAGE, [pool, *layers()], free, 4)
    SpikingNetwork(EVENTS, layers(), free, 4)


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("neuron", [
    NeuronRecipe(), NeuronRecipe(state_bits=16, reset="soft"), NeuronRecipe(state_bits=0), NeuronRecipe("memory_free"),
], ids=lambda n: str(n.to_dict()))
def test_recorded_potentials_are_those_that_the_threshold_sees(neuron, training):
    made, inputs = network(neuron=neuron).train(training), torch.from_numpy(samples().inputs)
    logits, spikes = made(inputs)
    with made.recording() as potentials:
        again, same = made(inputs)
    assert list(potentials) == list(made.neuron_shapes) and not made.layers["inner"].neurons.records
    if not training:
        assert torch.equal(again, logits)
    for name, values in potentials.items():
        assert torch.equal((values > 1).float(), same[name]) and values.shape == spikes[name].shape
        assert values.requires_grad


@pytest.mark.parametrize("replayed", [False, True], ids=["steps", "replayed"])
@pytest.mark.parametrize("options", [
    {"reset": "hard"}, {"reset": "soft", "state_bits": 16}, {"state_bits": 0}, {"reset": "none", "state_bits": 16},
], ids=str)
def test_gradients_of_potentials_are_those_of_the_loop(options, replayed):
    torch.manual_seed(2)
    lif = NeuronRecipe(**options).create().train()
    assert isinstance(lif, LIF)
    currents = 1.5 * torch.randn(1 if replayed else 4, 3, 50)
    weights = torch.randn(2, 4, 3, 50)

    def by_steps(values):
        found = list(lif.trace(values, 4))
        return torch.stack([potential > 1 for potential, _ in found]), torch.stack([each for each, _ in found])

    gradients = []
    for respond in (lambda values: lif.respond(values, 4, True), by_steps):
        leaf = currents.clone().requires_grad_()
        _, potentials = respond(leaf)
        (potentials * weights[0]).sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)
