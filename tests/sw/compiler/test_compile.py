from dataclasses import replace

import numpy as np
import pytest
from ragged_networks import CORES, chain, changed, layer, network, or_pool, samples
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.interpreter import interpret
from spikeplane.compiler.placement import CompileError, place
from spikeplane.compiler.program import Program, decode_fields, encode_fields
from spikeplane.network import model
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import InputFormat
from spikeplane.network.schedule import Schedule
from spikeplane.network.weights import WeightKind
from spikeplane_hw.config import LARGE, SMALL, TINY
from spikeplane_hw.descriptor import descriptor_layout
from spikeplane_hw.memory_map import Register, Space
from spikeplane_hw.neuron import Levels, Neuron


def conv(name, out, channels, side, seed=0, **more) -> object:
    neuron = more.pop("neuron", Neuron(state_bits=4))
    return layer(np.random.default_rng(seed), name, out, channels, (side, side), neuron=neuron, **more)


def deep(steps=3, **changes) -> IntegerNetwork:
    """Return a network of six layers on 12x12 events."""
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


def spread(start, length):
    return set(range(start, start + length))


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
@pytest.mark.parametrize("core", [*CORES[:3], TINY, SMALL, LARGE], ids=lambda c: c.name)
def test_kept_maps_share_nothing(core, schedule):
    core = replace(core, state_depth=1 << 13)
    placement = place(deep(), core, schedule, keep_states=True)
    maps = [placement.input_map, *(p.target for p in placement.layers[:-1])]
    words = [spread(m.first_word(core), m.words(core)) for m in maps]
    flags = [spread(m.flags, m.rows) for m in maps]
    for taken in (words, flags):
        assert len(set().union(*taken)) == sum(map(len, taken))
    states = [
        spread(p.state_base, p.output_height * p.output_width * p.groups * core.chunks >> p.state_pack)
        for p in placement.layers if p.stored
    ]
    states.append(spread(0, core.chunks))
    assert len(set().union(*states)) == sum(map(len, states))
    assert placement.kept == [True] * 5 + [False]


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
def test_maps_that_are_not_kept_are_overwritten_only_when_dead(schedule):
    core, net = CORES[0], deep()
    kept = compile_network(net, core, schedule)
    tight = compile_network(net, core, schedule, keep_maps=False)
    end = max(info.spikes.base + info.spikes.slots for info in kept.layers if info.spikes)
    used = max(p.target.base + p.target.slots
               for p in place(net, core, schedule, keep_maps=False).layers[:-1])
    assert used < end
    assert [info.spikes is not None for info in tight.layers] == [False] * 3 + [True, True, False]
    for vector in tight.vectors:
        assert interpret(tight, vector.sample).sums.tolist() == vector.sums.tolist()


def test_registers_describe_the_input():
    stored = replace(SMALL, state_depth=1 << 13)
    image = compile_network(deep(), SMALL)
    assert image.registers == {
        Register.LAYERS: 6, Register.OUTER_STEPS: 1, Register.INPUT_BASE: 0,
        Register.INPUT_WORDS: 27, Register.INPUT_WIDTH: 12, Register.INPUT_HEIGHT: 12,
        Register.INPUT_STEPS: 3,
    }
    assert compile_network(deep(), stored, Schedule.STORED).registers[Register.OUTER_STEPS] == 3
    image = compile_network(network(3, direct=True), CORES[0])
    assert image.registers[Register.INPUT_STEPS] == 0
    assert not image.takes_events


def test_the_zero_slot_stays_empty():
    image = compile_network(deep(), SMALL)
    address, words = image.contents[Space.WEIGHTS]
    assert address == 0
    assert not words[:SMALL.banks].any()
    assert words[SMALL.banks:].any()


def test_vectors_are_what_the_model_gives():
    net = deep()
    inputs = samples(net, 3)
    image = compile_network(net, SMALL, samples=inputs)
    result = model.run(net, inputs, config=SMALL)
    assert [v.sums.tolist() for v in image.vectors] == result.sums.tolist()
    for index, vector in enumerate(image.vectors):
        assert np.array_equal(vector.sample, inputs[index])
        for number, counts in enumerate(result.counters.values()):
            for counter, values in counts.items():
                assert vector.counters[number, counter.value] == values[index]


def test_fields_are_decoded_as_encoded():
    program = Program.of(place(network(2), CORES[0]))
    layout = descriptor_layout(CORES[0])
    for fields in program.descriptors:
        assert decode_fields(layout, encode_fields(layout, fields, "x")) == fields
    lowest = program.descriptors[0] | {"fire_above": -(1 << 15)}
    assert decode_fields(layout, encode_fields(layout, lowest, "x")) == lowest


@pytest.mark.parametrize(("core", "message"), [
    ({"weight_depth": 100}, "layer 'd': weight slots a bank, all layers to here: 126 needed, limit 100"),
    ({"spike_depth": 100}, "layer 'b': spike memory words up to its map's end: 135 needed, limit 100"),
    ({"parameter_depth": 4}, "layer 'b': parameter chunks, all layers to here: 8 needed, limit 4"),
    ({"table_count": 1}, "quantizer tables: 2 needed, limit 1"),
    ({"pass_count": 5}, "layer 'out': passes, all layers to here: 6 needed, limit 5"),
    ({"layer_count": 5}, "layers: 6 needed, limit 5"),
    ({"logit_count": 3}, "layer 'out': logits: 4 needed, limit 3"),
    ({"row_flag_count": 100}, "layer 'b': row flags up to its map's end: 108 needed, limit 100"),
    ({"accumulator_width": 4}, "layer 'a': largest reference sum: 18 needed, limit 15"),
])
def test_what_does_not_fit_is_named(core, message):
    base = replace(SMALL, lanes=32, state_depth=512)
    net = deep()
    net.nodes[1] = conv("b", 12, 10, 3, padding=1, source="a",
                        neuron=Neuron(state_bits=3, levels=Levels.UNIFORM))
    place(net, base)
    with pytest.raises(CompileError) as error:
        place(net, replace(base, **core))
    assert str(error.value) == message


def test_states_and_sums_that_do_not_fit_are_named():
    with pytest.raises(CompileError, match=r"layer 'b': state chunks, all layers to here: "):
        place(deep(), replace(SMALL, state_depth=2048), keep_states=True)
    heavy = conv("a", 10, 2, 3, padding=1, bits=8, kind=WeightKind.UNIT)
    heavy.terms[0].weight[4] = 255
    with pytest.raises(CompileError) as error:
        place(deep(weight=heavy.terms[0].weight, weight_bits=8, weight_kind=WeightKind.UNIT),
              replace(SMALL, accumulator_width=12))
    assert str(error.value) == "layer 'a': largest sum of channel 4: 4590 needed, limit 4095"


def test_descriptor_fields_that_overflow_are_named():
    with pytest.raises(CompileError) as error:
        compile_network(deep(steps=300), replace(SMALL, spike_depth=1 << 15, row_flag_count=1 << 15))
    assert str(error.value) == "layer 'a': steps is 300, limit 0..255"


def test_events_that_cannot_be_named_are_refused():
    net = IntegerNetwork(
        input=InputFormat(channels=1, height=1, width=600, steps=1),
        nodes=[layer(np.random.default_rng(0), "out", 2, 1, (1, 1))],
        logit_offset=np.zeros(2, np.int64))
    with pytest.raises(CompileError) as error:
        compile_network(net, SMALL)
    assert str(error.value) == "input: values of an event's x: 600 needed, limit 512"
