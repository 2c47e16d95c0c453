"""What does not fit is named with its need, its limit and what would make it fit."""

import re
from dataclasses import replace

import numpy as np
import pytest
from deep_network import conv, deep, residual
from ragged_networks import chain, changed, layer, weights
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.limits import CompileError, Limit, needs
from spikeplane.compiler.place import place
from spikeplane.compiler.remedies import REMEDIES, fits, remedy, ways
from spikeplane.network.endings import Logits
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.pool import OrPool, Pooling
from spikeplane.network.product import Product
from spikeplane.network.schedule import Schedule
from spikeplane.network.weights import WeightKind
from spikeplane.network.window import Window
from spikeplane_hw.config import CONFIGS, LARGE, SMALL, TINY
from spikeplane_hw.neuron import Levels, Neuron, Reset
from transformer_networks import attention

FEW_PASSES = replace(SMALL, pass_count=64, image_planes=1)
WIDE = replace(SMALL, lanes=32, most_packed=4, state_depth=512)


def network(form: InputFormat, *layers) -> IntegerNetwork:
    return IntegerNetwork(input=form, nodes=chain(*layers),
                          logit_offset=np.zeros(len(layers[-1].terms[0].weight), np.int64))


def events(height=1, width=1, steps=1, channels=1) -> InputFormat:
    return InputFormat(channels=channels, height=height, width=width, steps=steps)


def classifier(classes=2, channels=1, side=1, seed=0, **more):
    return layer(np.random.default_rng(seed), "out", classes, channels, (side, side), **more)


def two_tables() -> IntegerNetwork:
    """Return the deep network with two kinds of quantized potentials."""
    net = deep()
    uniform = Neuron(state_bits=3, levels=Levels.UNIFORM)
    net.nodes[1] = conv("b", 12, 10, 3, padding=1, source="a", neuron=uniform)
    return net


def many_passes() -> IntegerNetwork:
    """Return a network on an 8-bit image with 8-bit first weights: 64 passes, and two."""
    form = InputFormat(channels=1, height=8, width=8, steps=2, bits=8, direct=True)
    first = conv("conv1", 8, 1, 3, padding=1, bits=8, kind=WeightKind.TWOS)
    return network(form, first, conv("conv2", 8, 8, 3), classifier(channels=8))


def wide_classifier() -> IntegerNetwork:
    """Return a fully connected classifier of 512 inputs and 8-bit weights, all of them -1."""
    last = classifier(channels=8, side=8, bits=8, kind=WeightKind.TWOS)
    last.terms[0].weight[:] = -1
    return network(events(height=8, width=8, channels=8), last)


def long_recording() -> IntegerNetwork:
    """Return a pooled classifier of many pixels and steps."""
    last = classifier(channels=3, bits=8, kind=WeightKind.TWOS)
    last.terms[0].weight[:] = 127
    return network(events(width=1000, steps=16000, channels=3), last)


def heavy() -> IntegerNetwork:
    """Return the deep network with a channel of the greatest weights."""
    first = conv("a", 10, 2, 3, padding=1, bits=8, kind=WeightKind.UNIT)
    first.terms[0].weight[4] = 255
    return deep(weight=first.terms[0].weight, weight_bits=8, weight_kind=WeightKind.UNIT)


def biased() -> IntegerNetwork:
    net = deep()
    net.nodes[0].terms[0].multiplier[3] = 32767
    net.nodes[0].terms[0].offset[3] = (1 << 31) - 1
    return net


def many_terms() -> IntegerNetwork:
    """Return a network of two layers, one of four terms."""
    net = deep()
    first, _ = net.nodes[0], net.nodes[1]
    return network(net.input, replace(first, terms=first.terms * 4), classifier(channels=10))


def loud() -> IntegerNetwork:
    """Return a network with a layer of four terms whose gains are the greatest."""
    net = heavy()
    first = net.nodes[0]
    first.terms[0].multiplier[4] = 32767
    return network(net.input, replace(first, terms=first.terms * 4), classifier(channels=10))


def memory_free() -> IntegerNetwork:
    return deep(neuron=Neuron(state_bits=0, reset=Reset.NONE), taps=(0, 1, 2))


def pooled(pooling: Pooling, *, of_its_own: bool = False) -> IntegerNetwork:
    """Return a network with a pool on the way out of its first layer, or behind it."""
    first = conv("a", 4, 2, 1)
    pool = [OrPool(name="pool", source="a", pooling=pooling)]
    nodes = [first, *pool] if of_its_own else [changed(first, pooling=pooling)]
    return network(events(height=9, width=9, channels=2, steps=3), *nodes, classifier(channels=4))


STORED = {"schedule": Schedule.STORED}
ANY = "another configuration (it fits tiny, compact, small, large, huge)"
ONE_TERM = replace(LARGE, term_count=1)
"""It takes all planes of a classifier's weights at once."""
BIGGER = "another configuration (it fits compact, small, large, huge)"
CASES = {
    Limit.LAYERS: (
        deep, replace(WIDE, layer_count=5), {},
        "layers: 6 needed, limit 5; to make it fit: at most 5 layers and OR-pools together, strides of "
        f"convolutions in place of 1 OR-pool or {ANY}"),
    Limit.PROGRAM: (
        many_terms, replace(SMALL, layer_count=2), {},
        "words of the program, layers and their terms: 102 needed, limit 72; to make it fit: fewer layers with several "
        f"terms or {BIGGER}"),
    Limit.TERMS: (
        residual, TINY, {},
        "layer 'stream': terms (a shortcut, stream, digit, product, second head or groups count two): 2 needed, "
        "limit 1 (state chunks exceeded too); to make it fit: at most 1 term in layer 'stream', a "
        "configuration that sums several terms (compact, small, large, huge) or another configuration (it fits small "
        "with --schedule stored, large with --reuse-maps, huge with --reuse-maps)"),
    Limit.PARTIAL: (
        loud, SMALL, {},
        "layer 'a': largest sum of its 4 terms, channel 4: 18812356 needed, limit 16777215; to make it fit: smaller "
        "gains, or fewer terms and inputs, of channel 4 of layer 'a'"),
    Limit.EXTERNAL: (
        deep, replace(WIDE, weight_depth=64, external_depth=64), {},
        "bursts of memory outside the chip, for the weights of all layers: 252 needed, limit 64 (weight slots of a "
        f"bank exceeded too); to make it fit: fewer weights, or a board with more memory or {ANY}"),
    Limit.TABLES: (
        two_tables, replace(WIDE, table_count=1), {},
        "quantizer tables: 2 needed, limit 1; to make it fit: at most 1 kind of quantized potentials "
        f"(now 4-bit tanh, 3-bit uniform) or {ANY}"),
    Limit.SPIKES: (
        deep, replace(WIDE, spike_depth=100), {},
        "layer 'b': spike memory words up to its map's end: 135 needed, limit 100; to make it fit: at "
        f"most 1 time step, smaller maps (layer 'a' takes 54 words), --schedule stored or {ANY}"),
    Limit.ROW_FLAGS: (
        deep, replace(WIDE, row_flag_count=100), {},
        "layer 'b': row flags up to its map's end: 108 needed, limit 100; to make it fit: at most 2 time "
        "steps, smaller maps (the input takes 36 row flags), --reuse-maps, --schedule stored or "
        f"{ANY}"),
    Limit.SIDE: (
        lambda: network(events(height=40), classifier()), TINY, {},
        "input: height: 40 needed, limit 31; to make it fit: at most 31 pixels a side (smaller input, "
        f"larger strides, less padding) or {BIGGER}"),
    Limit.STEPS: (
        lambda: network(events(steps=70), classifier()), TINY, {},
        f"input: time steps: 70 needed, limit 63; to make it fit: at most 63 time steps or {BIGGER}"),
    Limit.RUN_STEPS: (
        lambda: network(events(steps=300), classifier()), SMALL, {},
        "input: time steps of a layer at once: 300 needed, limit 255; to make it fit: at most 255 time "
        "steps, --schedule stored or another configuration (it fits compact with --schedule stored, large with "
        "--schedule stored, huge with --schedule stored)"),
    Limit.EVENT: (
        lambda: network(events(width=600), classifier()), SMALL, {},
        "input: values of an event's x: 600 needed, limit 512; to make it fit: at most 512 pixels a side"),
    Limit.STEP_SLOTS: (
        lambda: network(events(height=4, width=4), classifier()), replace(SMALL, spike_depth=1, term_count=1), {},
        "layer 'out': slots of a time step of its input: 16 needed, limit 15; to make it fit: fewer "
        f"channels or pixels of the input of layer 'out' or {ANY}"),
    Limit.WEIGHTS: (
        lambda: network(events(channels=8), conv("wide", 200, 8, 1, bits=4), classifier(channels=200)),
        replace(SMALL, weight_depth=38), {},
        "layer 'out': weight slots a bank, all layers to here: 42 needed, limit 38; to make it fit: fewer "
        f"channels, inputs or weight bits (layer 'out' takes 25 slots) or {BIGGER}"),
    Limit.PASSES: (
        many_passes, FEW_PASSES, {},
        "layer 'conv2': passes, all layers to here: 65 needed, limit 64 (largest sum, largest reference "
        "sum exceeded too); to make it fit: a 7-bit input or 4-bit weights in layer 'conv1'"),
    Limit.STRIDE: (
        lambda: pooled(Pooling(kernel=(2, 2), stride=5), of_its_own=True), TINY, {},
        "layer 'pool': stride: 5 needed, limit 3; to make it fit: a stride of at most 3 in layer 'pool' or another "
        "configuration (it fits compact, small, large, huge)"),
    Limit.POOL: (
        lambda: pooled(Pooling(kernel=(2, 2), stride=2)), replace(SMALL, pool_depth=80), {},
        "layer 'a': chunks of a row of its pool on the way out, all steps of it: 120 needed, limit 80; to make it fit: "
        "at most 2 time steps, a pool of its own (OrPool) behind layer 'a', --schedule stored or "
        "another configuration (it fits small, large, huge)"),
    Limit.TAPS: (
        memory_free, TINY, {},
        "layer 'a': taps: 3 needed, limit 1; to make it fit: leaky neurons (dynamics = \"leaky\") or "
        f"{BIGGER}"),
    Limit.PIXEL_SLOTS: (
        lambda: network(events(), conv("wide", 130, 1, 1), classifier(channels=130)),
        replace(TINY, parameter_depth=2048), {},
        "layer 'wide': slots of a pixel: 65 needed, limit 63; to make it fit: at most 126 channels in "
        f"layer 'wide' or {BIGGER}"),
    Limit.LOGITS: (
        deep, replace(WIDE, logit_count=3), {},
        f"layer 'out': logits: 4 needed, limit 3; to make it fit: at most 3 classes or {ANY}"),
    Limit.PARAMETERS: (
        deep, replace(WIDE, parameter_depth=4), {},
        "layer 'b': parameter chunks, all layers to here: 8 needed, limit 4; to make it fit: fewer "
        f"channels: at most 1 group of up to 32 in all layers with neurons (now 5) or {ANY}"),
    Limit.STATES: (
        deep, replace(SMALL, state_depth=2048), {"keep_states": True},
        "layer 'b': state chunks, all layers to here: 2312 needed, limit 2048; to make it fit: fewer "
        "channels, pixels or potential bits (layer 'a' takes 1152 chunks), no --keep-states, "
        "--schedule stored or another configuration (it fits compact with --schedule stored, large with --schedule "
        "stored, huge with --schedule stored)"),
    Limit.SUM: (
        heavy, replace(SMALL, accumulator_width=12), {},
        "layer 'a': largest sum of channel 4: 4590 needed, limit 4095; to make it fit: at most 16 inputs "
        f"of a sum (now 18), 4-bit weights in layer 'a' or {ANY}"),
    Limit.REFERENCE: (
        wide_classifier, ONE_TERM, {},
        "layer 'out': largest reference sum: 65536 needed, limit 65535; to make it fit: at most 511 "
        "inputs of a sum (now 512), 4-bit weights in layer 'out' or another configuration (it fits large, huge)"),
    Limit.LOGIT_SUM: (
        long_recording, replace(SMALL, spike_depth=1 << 20), STORED,
        "layer 'out': largest logit, all pixels and steps: 6096000000 needed, limit 2147483647; to make "
        "it fit: at most 5636 time steps or fewer pixels, inputs or weight bits of layer 'out'"),
    Limit.CURRENT: (
        biased, TINY, {},
        "layer 'a': largest |sum * M| + |B|, channel 3: 2147811317 needed, limit 2147483647; to make it "
        f"fit: a bias nearer to 0 in channel 3 of layer 'a' or {BIGGER}"),
}


def test_every_limit_has_a_remedy_and_a_case():
    assert set(REMEDIES) == set(CASES) == set(Limit)


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.name)
def test_what_does_not_fit_is_named_with_its_remedy(kind):
    make, core, options, message = CASES[kind]
    with pytest.raises(CompileError) as error:
        place(make(), core, **options)
    assert str(error.value) == message
    with pytest.raises(CompileError) as error:
        compile_network(make(), core, **options)
    assert str(error.value) == message


def exceeded(net, core, **options) -> set[Limit]:
    placement = place(net, core, check=False, **options)
    return {need.kind for need in needs(placement) if need.exceeded}


def with_bits(net, index, bits):
    """Return ``net`` with random weights of ``bits`` bits in one layer."""
    (former,) = net.nodes[index].terms
    low, high = former.weight_kind.limits(bits)
    drawn = np.random.default_rng(0).integers(low, high + 1, former.weight.shape)
    nodes = [*net.nodes]
    nodes[index] = changed(nodes[index], weight=drawn, weight_bits=bits)
    return replace(net, nodes=nodes)


def with_input(net, **changes):
    return replace(net, input=replace(net.input, **changes))


def test_what_passes_need_is_enough_and_no_more():
    net = many_passes()
    assert Limit.PASSES in exceeded(net, FEW_PASSES)
    assert Limit.PASSES not in exceeded(with_input(net, bits=7), FEW_PASSES)
    assert not exceeded(with_bits(net, 0, 4), FEW_PASSES)
    tight = replace(FEW_PASSES, pass_count=1)
    placement = place(net, tight, check=False)
    (need, *_) = [need for need in needs(placement) if need.kind is Limit.PASSES and need.exceeded]
    assert remedy(placement, need).startswith(
        "fewer layers, input bits, weight bits or taps (layer 'conv1' takes 64 passes)")


def test_what_sums_need_is_enough_and_no_more():
    net = wide_classifier()
    (last,) = net.nodes
    weight = last.terms[0].weight.reshape(2, 512)[:, :511].reshape(2, 7, 1, 73)
    shorter = network(events(width=73, channels=7), changed(last, weight=weight))
    assert exceeded(net, ONE_TERM) == {Limit.REFERENCE}
    assert not exceeded(shorter, ONE_TERM)
    assert not exceeded(with_bits(net, 0, 4), ONE_TERM)
    image = with_input(many_passes(), bits=4)
    image.nodes[0].terms[0].weight[:] = -1
    core = replace(SMALL, accumulator_width=13)
    placement = place(image, core, check=False)
    (need,) = [need for need in needs(placement) if need.kind is Limit.REFERENCE and need.exceeded]
    assert remedy(placement, need) == (
        "at most 4 inputs of a sum (now 9), 4-bit weights in layer 'conv1', a 3-bit input or "
        "another configuration (it fits compact, small, large, huge)")
    assert Limit.REFERENCE not in exceeded(with_input(image, bits=3), core)
    placement = place(with_input(image, bits=8), core, check=False)
    need = next(need for need in needs(placement) if need.kind is Limit.SUM and need.exceeded)
    assert "2-bit weights in layer 'conv1'" in remedy(placement, need)
    assert {Limit.SUM, Limit.REFERENCE}.isdisjoint(exceeded(with_bits(placement.network, 0, 2), core))
    assert Limit.SUM in exceeded(with_bits(placement.network, 0, 4), core)


@pytest.mark.parametrize("depth", [256, 512])
def test_what_a_streamed_group_needs_is_enough_and_no_more(depth):
    """Channels of a map are counted in chunks: pixels are padded to them."""
    core = replace(LARGE, weight_depth=depth)

    def deep(channels: int) -> IntegerNetwork:
        first = conv("a", channels, 8, 1)
        return network(events(4, 4, 1, 8), first, conv("b", 8, channels, 3, source="a", bits=8), classifier(channels=8))

    placement = place(deep(512), core, check=False, streaming=True)
    need = next(need for need in needs(placement) if need.kind is Limit.WEIGHTS and need.exceeded)
    most = int(re.search(r"at most (\d+) channels of 'a'", remedy(placement, need))[1])
    for channels, fits_so in ((most, True), (most + 1, False)):
        other = place(deep(channels), core, check=False, streaming=True)
        assert any(each.exceeded for each in needs(other) if each.kind is Limit.WEIGHTS) is not fits_so


def test_what_steps_and_maps_need_is_enough_and_no_more():
    for kind, steps in ((Limit.SPIKES, 1), (Limit.ROW_FLAGS, 2)):
        make, core, _, _ = CASES[kind]
        assert exceeded(make(), core) == {kind} == exceeded(make(steps=steps + 1), core)
        assert not exceeded(make(steps=steps), core)
        assert not exceeded(make(), core, schedule=Schedule.STORED)
        reused = exceeded(make(), core, keep_maps=False)
        assert reused == ({kind} if kind is Limit.SPIKES else set())


def test_what_weights_need_is_enough_and_no_more():
    net = network(events(channels=8), conv("wide", 200, 8, 1, bits=8, kind=WeightKind.TWOS),
                  classifier(channels=200))
    core = replace(SMALL, weight_depth=50)
    with pytest.raises(CompileError) as error:
        place(net, core)
    remedies = str(error.value).partition("to make it fit: ")[2]
    assert remedies.startswith("4-bit weights in layer 'wide', at most 192 channels in layer 'wide' or")
    assert not exceeded(with_bits(net, 0, 4), core)
    tighter = replace(core, weight_depth=38)
    assert Limit.WEIGHTS in exceeded(with_bits(net, 0, 4), tighter)
    assert Limit.WEIGHTS not in exceeded(with_bits(net, 0, 2), tighter)
    with pytest.raises(CompileError, match="to make it fit: 2-bit weights in layer 'wide', at most 64 channels"):
        place(net, tighter)
    narrower = network(net.input, conv("wide", 192, 8, 1, bits=8, kind=WeightKind.TWOS),
                       classifier(channels=192))
    assert not exceeded(narrower, core)


def attending(steps=36, classes=10, bits=4) -> IntegerNetwork:
    """Return an attention on 8x8 pixels, whose operands take more slots than its weights."""
    net = attention(0, width=8, heads=1, height=8, columns=8, steps=steps)
    *nodes, head = net.nodes
    fields = weights(np.random.default_rng(0), classes, 8, (8, 8), bits, WeightKind.TWOS)
    head = replace(head, terms=(Window(source=head.terms[0].source, **fields),))
    return replace(net, nodes=[*nodes, head], logit_offset=np.zeros(classes, np.int64))


def remedies(net: IntegerNetwork, core=SMALL, schedule=Schedule.REGISTERS) -> str:
    """Return what would help against what is told of a network's weights where maps are overwritten."""
    placement = place(net, core, schedule, keep_maps=False, check=False)
    need = next(need for need in needs(placement) if need.kind is Limit.WEIGHTS and need.exceeded)
    return ", ".join(REMEDIES[Limit.WEIGHTS](placement, need))


def test_channels_of_groups_are_no_remedy():
    """Of fewer channels there would be as many groups, each of which takes its slots."""
    second = conv("second", 128, 8, 1, bits=8, groups=16, kind=WeightKind.TWOS)
    net = network(events(channels=8), conv("first", 128, 8, 1), second, classifier(channels=128))
    assert remedies(net, replace(SMALL, weight_depth=34)) == (
        "fewer channels, inputs or weight bits (layer 'second' takes 128 slots)")


def test_what_operands_need_is_enough_and_no_more():
    net = attending(classes=100, bits=2)
    assert exceeded(net, SMALL, keep_maps=False) == {Limit.WEIGHTS}
    assert remedies(net) == (
        "at most 31 time steps, fewer channels or pixels of the operand of layer 'attention picked', 1-bit weights in "
        "layer 'head', at most 64 channels in layer 'head'")
    for helped, less in (
        (attending(31, 100, 2), attending(32, 100, 2)), (attending(36, 64, 2), attending(36, 65, 2)),
        (attending(36, 100, 1), net),
    ):
        place(helped, SMALL, keep_maps=False)
        assert exceeded(less, SMALL, keep_maps=False) == {Limit.WEIGHTS}


def test_what_does_not_help_an_operand_is_not_offered():
    assert "channels in layer 'head'" not in remedies(attending())  # The ten are one group of lanes.
    assert remedies(attending(steps=60, bits=1)) == (
        "at most 55 time steps, fewer channels or pixels of the operand of layer 'attention picked'")
    # Nor are steps where one at a time is there, or none would do.
    tight = replace(SMALL, weight_depth=280, state_depth=4096)
    assert exceeded(attending(), tight, schedule=Schedule.STORED, keep_maps=False) == set()
    tighter = replace(tight, weight_depth=265)
    assert remedies(attending(), tighter, Schedule.STORED).startswith("fewer channels or pixels of the operand")
    assert remedies(attending(bits=8)).startswith("2-bit weights")
    assert exceeded(attending(bits=2), SMALL, keep_maps=False) == set()


def test_an_operand_may_be_all_the_weights_there_are():
    product = Product(source=INPUT, operand=INPUT)
    net = IntegerNetwork(
        input=events(height=8, width=8, steps=40, channels=8), logit_offset=np.zeros(64, np.int64),
        nodes=[Layer(name="out", terms=(product,), ending=Logits())],
    )
    core = replace(SMALL, weight_depth=32)
    assert remedies(net, core) == "at most 31 time steps, fewer channels or pixels of the operand of layer 'out'"
    place(with_input(net, steps=31), core)
    assert Limit.WEIGHTS in exceeded(with_input(net, steps=32), core)


def test_configurations_that_are_named_do_fit():
    named = 0
    for make, core, options, message in CASES.values():
        fitting = message.partition("(it fits ")[2].rstrip(")")
        for name, config in CONFIGS.items():
            placements = [other for _, other in ways(place(make(), core, check=False, **options), config)]
            assert any(map(fits, placements)) == (name in fitting) or config == core
            named += name in fitting
    assert named > 20


def test_a_network_that_fits_nothing_names_no_configuration():
    message = CASES[Limit.EVENT][-1]
    assert "configuration" not in message
