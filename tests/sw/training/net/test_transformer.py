"""Spiking transformer blocks: what they compute, that they invert, and their export bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.limits import CompileError
from spikeplane.network import model
from spikeplane.network.checks import NetworkError
from spikeplane.training.net.export import export_network
from spikeplane.training.net.networks import LayerRecipe, SpikingNetwork
from spikeplane.training.net.neurons import NeuronRecipe
from spikeplane.training.net.streams import Grid
from spikeplane.training.net.transformer import LEAST_SCALE, TransformerBlock
from spikeplane.training.run.evaluate import compare
from spikeplane_hw.config import LARGE
from transformer_training import EVENTS, described, exact, settled, some_events, transformer

PARTS = {"spikes", "query", "key", "value", "map", "picked", "inner", "hidden"}


def streams_of(network: SpikingNetwork, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return all streams of a forward pass by the names that they have in integers."""
    found, handles = {}, []
    for name, module in network.layers.items():
        if name == "embedding":
            handles.append(module.register_forward_hook(lambda _, __, out: found.update(embedding=out[1][0])))
        if isinstance(module, TransformerBlock):
            names = [f"{name}.attended", f"{name}.mixed"] if module.options.reversible else [f"{name}.mixed"]
            handles.append(module.register_forward_hook(
                lambda _, __, out, names=names: found.update(zip(names, out[1], strict=True))
            ))
    with torch.no_grad():
        network(inputs)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("reversible", [True, False], ids=["reversible", "residual"])
@pytest.mark.parametrize("ends", [{"count": 2}, {"count": 1, "bits": 5, "fraction_bits": 2}], ids=["two heads", "one"])
def test_the_export_is_the_network_bit_for_bit(ends, reversible):
    """Where scales are multiples of what currents resolve: all spikes, streams and logits are the same."""
    network = exact(settled(transformer(reversible=reversible, ends=ends)))
    inputs = some_events()
    integers = export_network(network)
    agreement = compare(network, integers, inputs.numpy())
    assert {f"block{index}.{part}" for index in (1, 2) for part in PARTS} | {"conv1"} == agreement.spikes.keys()
    assert set(agreement.spikes.values()) == {1.0} and agreement.predictions == 1.0
    assert all(0.01 < rate < 0.95 for name, rate in agreement.rates.items() if name in network.neuron_shapes)
    result = model.run(integers, inputs, trace=True)
    made = streams_of(network, inputs)
    assert len(made) == (5 if reversible else 3)
    for name, stream in made.items():
        unit = 2.0**network.layers["embedding"].grid.fraction_bits
        assert torch.equal((stream.transpose(0, 1) * unit).to(torch.int32), result.streams[name])
    with torch.no_grad():
        logits = network(inputs)[0].mean(0)
    scaled = integers.logit_scale * (result.sums + torch.from_numpy(integers.logit_offset))
    torch.testing.assert_close(scaled.float(), logits, rtol=0, atol=1e-5)


def test_rounded_exports_agree_but_for_single_spikes():
    network = settled(transformer())
    agreement = compare(network, export_network(network), some_events(64).numpy())
    assert min(agreement.spikes.values()) > 0.99 and agreement.predictions > 0.9


def test_blocks_invert_in_float64():
    network = settled(transformer(weights="float")).double()
    stream = torch.randn(3, 4, 16, 4, 4, dtype=torch.float64)
    first, second = network.layers["block1"], network.layers["block2"]
    with torch.no_grad():
        _, between = first((torch.randn_like(stream), stream), 3)
        _, last = second(between, 3)
        for found, expected in zip(second.invert(last), between, strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
        wrong = second.invert((last[0] + 0.5, last[1]))
    assert (wrong[0] - between[0]).abs().max() > 0.1


def test_rounded_blocks_invert_to_a_unit():
    """A mean of two streams forgets its last bit: what comes back is at most one unit above."""
    network = exact(settled(transformer()))
    block, unit = network.layers["block2"], 2.0**-network.layers["embedding"].grid.fraction_bits
    streams = streams_of(network, some_events())
    inputs, outputs = (
        (streams[f"block{index}.attended"], streams[f"block{index}.mixed"]) for index in (1, 2)
    )
    with torch.no_grad():
        found = block.invert(outputs)
        # With the bit that was lost, the last stream is exact, and the first one has the same bound.
        lost = torch.remainder((inputs[1] + outputs[0]) / unit, 2) * unit
        assert torch.equal(found[1] - lost, inputs[1])
        _, added = block.attention(inputs[1])
        first = 2 * (outputs[0] - block.grid.round(added)) - inputs[1]
    for back, expected in ((found[1], inputs[1]), (first, inputs[0])):
        assert set(((back - expected) / unit).unique().tolist()) == {0.0, 1.0}
    # A unit rarely decides about a spike, and where it does not the first stream is as near.
    assert ((found[0] - inputs[0]).abs() <= unit).float().mean() > 0.9


def test_a_block_with_one_stream_has_no_inverse():
    block = transformer(reversible=False).layers["block1"]
    with pytest.raises(ValueError, match="one residual stream"):
        block.invert((torch.zeros(1), torch.zeros(1)))


@pytest.mark.parametrize("reversible", [True, False])
def test_the_integer_model_inverts_as_far_as_it_rounds(reversible):
    """From the exported integers alone: ``2 * (mixed - term) - attended``, one unit at most above what it was."""
    network = exact(settled(transformer(reversible=reversible)))
    integers = export_network(network)
    result = model.run(integers, some_events(), trace=True)
    node = next(node for node in integers.nodes if node.name == "block2.mixed")
    window = node.terms[1].plan(integers.maps(), node.ending.scale)
    term = window.add({"block2.hidden": result.spikes["block2.hidden"]})
    mixed, attended, last = (
        result.streams[name].long() for name in ("block2.mixed", "block2.attended", "block1.mixed")
    )
    if reversible:
        assert set((2 * (mixed - term) - attended - last).unique().tolist()) == {0, 1}
    else:
        assert torch.equal(mixed - term, attended)


def test_all_that_is_learned_has_a_gradient():
    network = settled(transformer()).train()
    heads, _ = network.answer(some_events())
    heads.square().mean().backward()
    assert heads.shape == (2, 3, 32, 4)
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in network.parameters())


def test_scales_stay_positive_in_training():
    network = transformer(blocks=1)
    scale = network.layers["block1"].scale
    scale.scale.data[0] = -3.0
    network.train()(some_events(4))
    assert scale.scale.tolist() == [LEAST_SCALE, 1.0]
    assert export_network(network.eval())


def test_a_negative_scale_is_not_exported():
    network = transformer(blocks=1).eval()
    network.layers["block1"].scale.scale.data[1] = -0.25
    message = r"'block1\.picked': the scale of head 1 at step 0 is -0\.25, must be above 0"
    with pytest.raises(NetworkError, match=message):
        export_network(network)


def test_scales_of_steps_are_trained_and_exported_if_they_are_alike():
    network = settled(transformer(blocks=1, scales="step"))
    assert network.layers["block1"].scale.scale.shape == (6,)
    assert export_network(network)
    network.layers["block1"].scale.scale.data[3] = 2.0
    with pytest.raises(NetworkError, match=r"scales of head 1 are 1, 2, 1, one for each step; .*\.scales = \"head\""):
        export_network(network)
    factors = network.layers["block1"].scale.factors()
    assert factors.tolist() == [[1, 1], [1, 2], [1, 1]]


def test_maps_have_a_channel_for_each_head_and_token():
    network = transformer(blocks=1)
    assert network.neuron_shapes["block1.map"] == (32, 4, 4)
    assert network.neuron_shapes["block1.hidden"] == (32, 4, 4)
    names = [name for name, _ in network.named_neurons()]
    assert names == list(network.neuron_shapes)
    with network.recording() as potentials:
        network(some_events(2))
    assert {name: tuple(each.shape[2:]) for name, each in potentials.items()} == network.neuron_shapes


def test_attention_is_what_the_equations_say():
    network = settled(transformer(blocks=1))
    with torch.no_grad():
        _, spikes = network(some_events(2))
    query, key, value, seen = (spikes[f"block1.{part}"] for part in ("query", "key", "value", "map"))
    counts, picked = np.zeros((3, 2, 32, 16)), np.zeros((3, 2, 16, 16))
    for head in range(2):
        part = slice(8 * head, 8 * head + 8)
        q, k, v = (each[:, :, part].flatten(3).numpy() for each in (query, key, value))
        counts[:, :, 16 * head : 16 * head + 16] = np.einsum("tbcn,tbcm->tbmn", q, k)
        a = seen[:, :, 16 * head : 16 * head + 16].flatten(3).numpy()
        picked[:, :, part] = np.einsum("tbmn,tbcm->tbcn", a, v)
    potential = np.zeros((2, 32, 16))
    for step, current in enumerate(counts):
        potential = potential / 2 + current
        fired = potential > 1
        assert np.array_equal(fired, seen[step].flatten(2).numpy())
        potential -= fired
    potential = np.zeros((2, 16, 16))
    for step, current in enumerate(picked):
        potential = potential / 2 + current
        fired = potential > 1
        assert np.array_equal(fired, spikes["block1.picked"][step].flatten(2).numpy())
        potential *= ~fired


@pytest.mark.parametrize(("change", "message"), [
    ({"heads": 3}, "layer 'block1': 3 heads do not divide 16 channels"),
    ({"heads": 0}, "layer 'block1': heads must be positive, not 0"),
    ({"map_gain": 0.0}, "layer 'block1': map_gain must be above 0"),
    ({"scales": "token"}, "layer 'block1': scales must be one of head, step"),
    ({"depth": 2}, r"layer 'block1': unknown key transformer\.depth"),
])
def test_wrong_options_name_the_layer(change, message):
    with pytest.raises(ValueError, match=message):
        transformer(**change)


@pytest.mark.parametrize(("at", "layer", "message"), [
    (1, None, "layer 'block1': a layer of kind transformer reads streams: put an embedding ahead of it"),
    (2, LayerRecipe(name="conv2", kind="conv", channels=4), "layer 'conv2': a conv reads spikes, a stream"),
    (2, LayerRecipe(name="again", kind="embedding", channels=4), "layer 'again': a layer of kind embedding reads"),
    (2, LayerRecipe(name="wide", kind="transformer", channels=8), "layer 'wide': channels are 8, its stream has 16"),
])
def test_layers_in_a_wrong_place_are_named(at, layer, message):
    layers = described()
    layers[at : at + 1] = [layer] if layer else []
    with pytest.raises(ValueError, match=message):
        SpikingNetwork(EVENTS, layers, NeuronRecipe(state_bits=16), 4)


def test_more_tokens_than_lanes_name_the_map():
    form = replace(EVENTS, height=24, width=24)
    integers = export_network(transformer(form, blocks=1).eval())
    message = r"'block1\.map': its 2 groups have 144 output channels each; large runs groups .* at most 128"
    with pytest.raises(CompileError, match=message):
        compile_network(integers, LARGE)


def test_attention_needs_leaky_neurons():
    with pytest.raises(ValueError, match="layer 'block1': its attention needs leaky neurons, not memory_free"):
        SpikingNetwork(EVENTS, described(), NeuronRecipe(dynamics="memory_free"), 4)


def test_an_image_needs_a_convolution_first():
    image = replace(EVENTS, bits=4, direct=True)
    with pytest.raises(ValueError, match="layer 'embedding': a layer of kind embedding reads spikes, not an image"):
        SpikingNetwork(image, described()[1:], NeuronRecipe(state_bits=16), 4)


def test_float_twins_have_no_grid():
    assert transformer(weights="float").layers["block1"].grid == Grid(10, rounds=False)
    assert transformer().layers["block1"].grid == Grid(10)
