"""Networks from descriptions, and their export."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from spikeplane.network import model
from spikeplane.network.checks import NetworkError
from spikeplane.network.weights import WeightKind
from spikeplane.training.net.export import export_network
from spikeplane.training.net.networks import LayerRecipe, SpikingNetwork
from spikeplane.training.net.neurons import NeuronRecipe
from spikeplane.training.run.evaluate import compare, predict, predict_integer
from spikeplane_hw.neuron import Levels, Reset
from training_samples import EVENTS, IMAGE, layers, network, samples


def settled(form=EVENTS, **options) -> SpikingNetwork:
    """Return a network whose normalization has seen data."""
    torch.manual_seed(5)
    net = network(form, **options)
    data = torch.from_numpy(samples(form, 64).inputs)
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.momentum = None  # Plain averages: they settle at once.
                layer.weight.uniform_(0.5, 1.5)
                layer.bias.uniform_(-0.2, 0.4)
        net.layers["classifier"].bias.normal_()
        net.train()
        for _ in range(3):
            net(data)
    return net.eval()


@pytest.mark.parametrize("form", [EVENTS, IMAGE], ids=["events", "image"])
@pytest.mark.parametrize("options", [
    {"pooled": True}, {"pooled": False}, {"inner": "odd", "bits": 2}, {"inner": "odd", "bits": 4},
    {"inner": "rescaled", "bits": 2}, {"inner": "rescaled", "bits": 8},
    {"inner": "absmax", "bits": 4}, {"neuron": NeuronRecipe(state_bits=2)},
    {"neuron": NeuronRecipe(state_bits=8, levels="uniform", reset="soft")},
    {"neuron": NeuronRecipe(state_bits=16, reset="none", leak=0.75)},
    {"neuron": NeuronRecipe(state_bits=0)}, {"state_bits": 2}, {"dynamics": "memory_free", "taps": 3},
    {"neuron": NeuronRecipe(state_bits=2), "state_bits": 8, "leak": 0.75, "reset": "soft"},
], ids=str)
def test_export_computes_the_same(form, options):
    net = settled(form, **options)
    inputs = samples(form, 64, seed=9).inputs
    integers = export_network(net)
    agreement = compare(net, integers, inputs)
    # A current is rounded to 2**-FRACTION_BITS: only potentials this near the threshold differ.
    assert all(share > 0.995 for share in agreement.spikes.values())
    assert agreement.spikes["first"] > 0.9995
    assert any(0.02 < rate < 0.98 for rate in agreement.rates.values())
    with torch.no_grad():
        logits = net(torch.from_numpy(inputs))[0].mean(0)
    result = model.run(integers, inputs)
    scaled = integers.logit_scale * (result.sums.numpy() + integers.logit_offset)
    assert np.median(np.abs(scaled - logits.numpy())) < 0.02 * logits.abs().mean()
    assert (predict(net, inputs) == predict_integer(integers, inputs)).mean() > 0.95


def exact_weights(shape: torch.Size, greatest: int, random: torch.Generator) -> torch.Tensor:
    """Return weights whose mean and greatest absolute values are ``greatest`` over a power of two, in each channel."""
    size = shape[1:].numel()
    unit = 2.0 ** -math.ceil(math.log2(greatest * math.sqrt(size)))
    # Pairs around the mean, one of them as far as the greatest, twice the mean.
    aside = torch.randint(0, 64, (shape[0], size // 2), generator=random) / 64
    aside[:, 0] = 1
    values = torch.cat([1 + aside, 1 - aside, torch.ones(shape[0], size % 2)], 1) * greatest * unit
    order = torch.rand(values.shape, generator=random).argsort(1)
    signs = torch.where(torch.rand(values.shape, generator=random) < 0.5, -1.0, 1.0)
    return (values.gather(1, order) * signs).view(shape)


@pytest.mark.parametrize("form", [EVENTS, replace(IMAGE, bits=1)], ids=["events", "image"])
@pytest.mark.parametrize("rescaling", ["mean", "max"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_rescaled_weights_export_bit_for_bit(bits, rescaling, form):
    """Where scales are powers of two, nothing is rounded: all spikes and logits are the same."""
    random = torch.Generator().manual_seed(3)
    described = layers(inner="rescaled", bits=bits)
    described = [replace(each, options={"rescaling": rescaling}) if each.weights == "rescaled" else each
                 for each in described]
    net = SpikingNetwork(form, described, NeuronRecipe(state_bits=16), 4).eval()
    for name, layer in net.layers.items():
        if name == "pool":
            continue
        rescaled = name in ("inner", "last")
        layer.weight.data = exact_weights(layer.weight.shape, (1 << bits) - 1 if rescaled else 127, random)
        if name != "classifier":
            layer.norm.eps = 0.0
            layer.norm.weight.data.fill_(2.0)
            layer.norm.bias.data = torch.randint(-32, 64, (len(layer.weight),), generator=random) / 64
    inputs = samples(form, 32, seed=9).inputs
    integers = export_network(net)
    agreement = compare(net, integers, inputs)
    assert set(agreement.spikes.values()) == {1.0}
    assert all(0.05 < rate < 0.95 for rate in agreement.rates.values())
    weights = [node.terms[0].weight for node in integers.nodes if node.name in ("inner", "last")]
    assert min(len(np.unique(weight)) for weight in weights) >= 4
    result = model.run(integers, inputs)
    with torch.no_grad():
        logits = net(torch.from_numpy(inputs))[0].mean(0)
    scaled = integers.logit_scale * (result.sums + torch.from_numpy(integers.logit_offset))
    torch.testing.assert_close(scaled.float(), logits, rtol=0, atol=1e-5)


def test_logits_are_exact_where_spikes_are():
    net = settled(pooled=True)
    inputs = samples(count=64, seed=9).inputs
    integers = export_network(net)
    result = model.run(integers, inputs, trace=True)
    with torch.no_grad():
        logits, spikes = net(torch.from_numpy(inputs))
    assert result.spikes is not None
    same = (spikes["last"].transpose(0, 1) == result.spikes["last"]).flatten(1).all(1)
    assert same.sum() > 10
    scaled = integers.logit_scale * (result.sums + torch.from_numpy(integers.logit_offset))
    torch.testing.assert_close(
        scaled[same].float(), logits.mean(0)[same], rtol=0, atol=integers.logit_scale
    )


def test_exported_layers():
    integers = export_network(settled(pooled=False))
    assert [node.kind for node in integers.nodes] == ["layer", "layer", "or_pool", "layer", "layer"]
    windows = [node.terms[0] for node in integers.nodes if node.kind == "layer"]
    assert [(window.weight_kind, window.weight_bits) for window in windows] == [
        (WeightKind.TWOS, 8), (WeightKind.ODD, 1), (WeightKind.ODD, 1), (WeightKind.TWOS, 8),
    ]
    maps = integers.maps()
    assert windows[2].walk(maps).fills(2, 2)
    assert maps["dense"].shape == (12, 1, 1)
    assert [node.name for node in integers.heads] == ["classifier"]


def test_layers_differ_in_their_neurons():
    settings = {"state_bits": 2, "levels": "uniform", "reset": "soft", "leak": 0.25}
    default = NeuronRecipe(state_bits=8, leak=1.0)
    integers = export_network(settled(neuron=default, **settings))
    first, inner, last = (node.ending.neuron for node in integers.nodes if node.name in ("first", "inner", "last"))
    assert inner.state_bits == 2 and inner.levels is Levels.UNIFORM
    assert inner.reset is Reset.SOFT and inner.leak == 0.25
    for neuron in (first, last):
        assert neuron == default.create().neuron


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(value):
    net = settled()
    with torch.no_grad():
        net.layers["inner"].weight[2, 1, 0, 1] = value
    with pytest.raises(NetworkError) as caught:
        export_network(net)
    assert str(caught.value) == (
        f"layer 'inner': weight [2, 1, 0, 1] is {value}, must be finite"
    )


def test_a_float_twin_has_no_integers():
    net = settled(inner="float", bits=32)
    with pytest.raises(NetworkError, match="layer 'inner': FloatWeight weights have no integer"):
        export_network(net)


@pytest.mark.parametrize(("change", "message"), [
    (lambda ls: ls[:-1], "must end in their only classifier"),
    (lambda ls: [ls[0], *ls], "layer 'first': two layers have this name"),
    (lambda ls: [LayerRecipe(name="p", kind="pool", kernel=9), *ls],
     "layer 'p': kernel .* exceeds its 8x8 input"),
    (lambda ls: [LayerRecipe(name="c", kind="conv", channels=1, weights="ternary"), *ls],
     "layer 'c': weights must be one of .* not 'ternary'"),
    (lambda ls: [LayerRecipe(name="c", kind="conv", channels=1, weight_bits=3), *ls],
     "layer 'c': binary weights have 1 bit, not 3"),
    (lambda ls: [LayerRecipe(name="c", kind="conv", channels=1, neuron={"state_bits": 2, "leak": 0.6}), *ls],
     r"layer 'c': leak must be in 0\.\.0\.5 with state_bits 2, not 0\.6"),
    (lambda ls: [LayerRecipe(name="p", kind="pool", kernel=2, neuron={"leak": 0.5, "taps": 2}), *ls],
     "layer 'p': a pool has no neurons whose leak, taps to set"),
    (lambda ls: [LayerRecipe(name="c", kind="conv", channels=1, neuron={"taps": 2}), *ls],
     "layer 'c': unknown key neuron.taps; known are state_bits, levels, leak, reset"),
])
def test_bad_descriptions_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        SpikingNetwork(EVENTS, change(layers()), NeuronRecipe(), 4)


def test_inputs_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"inputs have shape \(2, 3, 2, 8, 7\)"):
        network()(torch.zeros(2, 3, 2, 8, 7))
