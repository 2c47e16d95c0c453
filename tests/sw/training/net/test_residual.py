"""Residual blocks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.interpreter import interpret
from spikeplane.network import model
from spikeplane.training.net.export import export_network
from spikeplane.training.net.layers import NormConv, PadShortcut, SpikingConv
from spikeplane.training.net.networks import LayerRecipe, SpikingNetwork
from spikeplane.training.net.neurons import NeuronRecipe
from spikeplane.training.recipe.recipes import Recipe
from spikeplane.training.run.evaluate import compare, evaluate
from spikeplane.training.run.train import train
from spikeplane_hw.config import LARGE
from torch.nn import functional
from training_samples import EVENTS, IMAGE, offer_sample, recipe, samples

LEAKY = NeuronRecipe(state_bits=4)
MEMORY_FREE = NeuronRecipe(dynamics="memory_free", taps=3)


def blocks(shortcut: str = "conv") -> list[LayerRecipe]:
    """Return layers with a block that keeps its input's shape, and one that changes it."""
    return [
        LayerRecipe(name="first", kind="conv", channels=6, weights="absmax", weight_bits=8),
        LayerRecipe(name="same", kind="block", channels=6),
        LayerRecipe(name="other", kind="block", channels=10, stride=2, shortcut=shortcut),
        LayerRecipe(name="classifier", kind="classifier", weights="absmax", weight_bits=8),
    ]


def settled(neuron: NeuronRecipe, shortcut: str = "conv", form=EVENTS) -> SpikingNetwork:
    """Return a network whose normalization has seen data."""
    torch.manual_seed(22)
    net = SpikingNetwork(form, blocks(shortcut), neuron, 4)
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.momentum = None  # Plain averages: they settle at once.
                layer.weight.uniform_(0.5, 1.5)
                layer.bias.uniform_(-0.2, 0.4)
        net(torch.from_numpy(samples(form, 64).inputs))
    return net.eval()


def trace(spikes: torch.Tensor, exponents: tuple[int, ...]) -> torch.Tensor:
    """Return the spikes of the last steps, weighted, step by step."""
    result = []
    for step in range(len(spikes)):
        seen = [2.0**-k * spikes[step - d] for d, k in enumerate(exponents) if d <= step]
        result.append(torch.stack(seen).sum(0))
    return torch.stack(result)


def normalized(conv: NormConv, maps: torch.Tensor) -> torch.Tensor:
    """Return what a convolution and its normalization make of one step's maps."""
    weight, norm = conv.quantizer(conv.weight), conv.norm
    sums = functional.conv2d(maps, weight, stride=conv.stride, padding=weight.shape[-1] // 2)
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    gain = norm.weight / (variance + norm.eps).sqrt()
    return (sums - mean[:, None, None]) * gain[:, None, None] + norm.bias[:, None, None]


@pytest.mark.parametrize("shortcut", ["conv", "pad"])
@pytest.mark.parametrize("neuron", [LEAKY, MEMORY_FREE], ids=["leaky", "memory_free"])
def test_the_shortcut_adds_to_the_current_of_the_second_neurons(neuron, shortcut):
    net = settled(neuron, shortcut)
    with torch.no_grad():
        _, spikes = net(torch.from_numpy(samples(count=16, seed=9).inputs))
    for name, before in (("same", "first"), ("other", "same")):
        block = net.layers[name]
        inputs, inner, found = spikes[before], spikes[f"{name}.conv1"], spikes[name]
        assert 0.02 < found.mean() < 0.98 and 0.02 < inner.mean() < 0.98
        if neuron is MEMORY_FREE:
            exponents = block.conv2.neurons.exponents
            assert len(exponents) == 3
            inputs, inner = trace(inputs, exponents), trace(inner, exponents)
        state = None
        for step in range(EVENTS.steps):
            with torch.no_grad():
                current = normalized(block.conv2, inner[step])
                if isinstance(block.shortcut, NormConv):
                    added = normalized(block.shortcut, inputs[step])
                else:
                    added = torch.zeros_like(current)
                    thinned = inputs[step] if name == "same" else inputs[step][..., ::2, ::2]
                    added[:, :6] = thinned
                current = current + added
                if neuron is MEMORY_FREE:
                    expected = (current > 1).float()
                else:
                    expected, state = block.conv2.neurons.step(current, state)
            # Sums in another order may fall on the other side of the threshold.
            assert (expected == found[step]).double().mean() > 0.9995


def test_shortcuts_have_weights_only_where_the_shape_changes():
    net, padded = settled(LEAKY), settled(LEAKY, "pad")
    assert isinstance(net.layers["same"].shortcut, PadShortcut)
    assert isinstance(net.layers["other"].shortcut, NormConv)
    assert isinstance(padded.layers["other"].shortcut, PadShortcut)
    assert net.weight_count - padded.weight_count == 6 * 10
    assert padded.weight_count == 9 * (2 * 6 + 2 * 6 * 6 + 6 * 10 + 10 * 10) + 10 * 4


@pytest.mark.parametrize("neuron", [LEAKY, MEMORY_FREE], ids=["leaky", "memory_free"])
@pytest.mark.parametrize("shortcut", ["conv", "pad"])
def test_every_convolution_reads_spikes(neuron, shortcut):
    net = settled(neuron, shortcut)
    read = []
    currents = NormConv.currents
    with pytest.MonkeyPatch.context() as patch:
        def watched(self, maps, mix):
            read.append(maps)
            return currents(self, maps, mix)
        patch.setattr(NormConv, "currents", watched)
        net(torch.from_numpy(samples(count=4).inputs))
    assert len(read) == sum(isinstance(module, NormConv) for module in net.modules())
    assert all(set(maps.unique().tolist()) <= {0.0, 1.0} for maps in read)


def test_all_neurons_of_a_block_are_returned():
    net = settled(LEAKY)
    _, spikes = net(torch.from_numpy(samples(count=2).inputs))
    assert list(spikes) == list(net.neuron_shapes) == ["first", "same.conv1", "same", "other.conv1", "other"]
    assert {name: tuple(maps.shape[2:]) for name, maps in spikes.items()} == net.neuron_shapes
    assert net.neuron_count == sum(maps[0, 0].numel() for maps in spikes.values())


def residual(**changes) -> Recipe:
    chosen = recipe(epochs=24, augmentations={})
    values = {key: getattr(chosen, key) for key in ("name", "seed", "data", "neuron", "training")}
    return Recipe(**{**values, "layers": blocks("pad"), **changes})


@pytest.mark.parametrize("chosen", [
    residual(), residual(layers=blocks("conv"), neuron=MEMORY_FREE), residual().float32(),
], ids=["leaky", "memory_free", "float32"])
def test_residual_networks_train(tmp_path, monkeypatch, chosen):
    offer_sample(
        monkeypatch, lambda recipe, root, part: samples(seed={"train": 0, "test": 1}[part]),
    )
    result = evaluate(train(chosen, tmp_path, progress=False))
    assert result.trained > 0.8
    if chosen.name.endswith("float32"):
        assert result.integer is None and result.agreement is None
    else:
        assert abs(result.integer - result.trained) < 0.02
        assert min(result.agreement.spikes.values()) > 0.99


@pytest.mark.parametrize(("form", "neuron"), [(EVENTS, LEAKY), (IMAGE, LEAKY), (EVENTS, MEMORY_FREE)],
                         ids=["events", "image", "memory_free"])
@pytest.mark.parametrize("shortcut", ["conv", "pad"])
def test_export_of_blocks_computes_the_same(shortcut, neuron, form):
    net = settled(neuron, shortcut, form=form)
    integers = export_network(net)
    assert [node.name for node in integers.nodes] == [
        "first", "same.conv1", "same", "other.conv1", "other", "classifier"]
    kinds = [[term.kind for term in node.terms] for node in integers.nodes]
    assert kinds[2] == ["window", "shortcut"]
    assert kinds[4] == ["window", "window" if shortcut == "conv" else "shortcut"]
    agreement = compare(net, integers, samples(form, 64, seed=9).inputs)
    assert min(agreement.spikes.values()) > 0.99, agreement.spikes
    assert all(0.02 < rate < 0.98 for rate in agreement.rates.values()), agreement.rates
    image = compile_network(integers, LARGE)
    sample = image.vectors[0].sample
    expected = model.run(integers, sample[None])
    np.testing.assert_array_equal(interpret(image, sample).sums, expected.sums[0].numpy())


@pytest.mark.parametrize(("settings", "message"), [
    ({"kernel": 2}, "layer 'b': a block has an odd kernel and padding -1, not 2 and -1"),
    ({"padding": 1}, "layer 'b': a block has an odd kernel and padding -1, not 3 and 1"),
    ({"shortcut": "none"}, r"layer 'b': shortcut must be one of \('conv', 'pad'\), not 'none'"),
    ({"channels": 5, "shortcut": "pad"},
     "layer 'b': shortcut pad needs at least the input's 6 channels, not 5"),
    ({"name": "b.c"}, "layer 'b.c': a name must not be empty or have a dot"),
])
def test_bad_blocks_are_refused(settings, message):
    first, *_, last = blocks()
    with pytest.raises(ValueError, match=message):
        block = LayerRecipe(**{"name": "b", "kind": "block", "channels": 6, **settings})
        SpikingNetwork(EVENTS, [first, block, last], LEAKY, 4)


def test_a_block_cannot_read_an_image():
    with pytest.raises(ValueError, match="layer 'same': a layer of kind block reads spikes, not an image"):
        SpikingNetwork(IMAGE, blocks()[1:], LEAKY, 4)
    assert isinstance(settled(LEAKY, form=IMAGE).layers["first"], SpikingConv)


@pytest.mark.parametrize("shortcut", ["conv", "pad"])
def test_a_block_may_be_narrower_inside(shortcut):
    described = [replace(each, inner_channels=5) if each.kind == "block" else each for each in blocks(shortcut)]
    net = SpikingNetwork(EVENTS, described, LEAKY, 4).eval()
    inputs = samples(count=8).inputs
    with torch.no_grad():
        _, spikes = net(torch.from_numpy(inputs))
    for name, shape in net.neuron_shapes.items():
        assert spikes[name].shape[2:] == shape
    assert net.neuron_shapes["same.conv1"][0] == net.neuron_shapes["other.conv1"][0] == 5
    integers = export_network(net)
    compare(net, integers, inputs)
    with pytest.raises(ValueError, match="layer 'first': inner_channels are a block's and 0 or more, not a conv's 5"):
        replace(described[0], inner_channels=5)
