from dataclasses import replace

import numpy as np
import pytest
from deep_network import deep
from ragged_networks import CORES, changed, network, samples
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.interpreter import interpret
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.place import place
from spikeplane.compiler.program import Program, decode_fields, encode_fields
from spikeplane.network import model
from spikeplane.network.checks import NetworkError
from spikeplane.network.schedule import Schedule
from spikeplane_hw.config import LARGE, SMALL, TINY
from spikeplane_hw.descriptor import Job, job_layout, layer_layout
from spikeplane_hw.memory_map import Register, Space


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
        Register.OUTER_STEPS: 1, Register.INPUT_BASE: 0,
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
    for layer in program.layers:
        for fields in layer.jobs:
            layout = job_layout(CORES[0], Job(fields["job"]))
            assert decode_fields(layout, encode_fields(layout, fields, "x")) == fields
    layout, lowest = layer_layout(CORES[0]), program.layers[0].layer | {"fire_above": -(1 << 15)}
    assert decode_fields(layout, encode_fields(layout, lowest, "x")) == lowest


def test_descriptor_fields_that_overflow_are_named():
    program = Program.of(place(deep(), SMALL))
    program.layers[0].layer["steps"] = 300
    with pytest.raises(CompileError) as error:
        program.verify()
    assert str(error.value) == "layer 'a': steps is 300, limit 0..255"
    program.layers[0].layer["steps"] = 255
    program.verify()
    program.layers[0].layer["steps"] = 256
    with pytest.raises(CompileError, match=r"steps is 256, limit 0\.\.255$"):
        program.verify()


@pytest.mark.parametrize("core", [SMALL, LARGE], ids=lambda c: c.name)
@pytest.mark.parametrize("change, message", [
    (lambda net: replace(net, nodes=[]), "the network has no layers"),
    (lambda net: replace(net, nodes=[*net.nodes[:-1], replace(net.nodes[-1], terms=())]), "no terms to sum up"),
    (lambda net: replace(net, nodes=[*net.nodes[:-1], changed(net.nodes[-1], stride=0)]), "stride is 0, must be"),
])
def test_networks_that_break_a_rule_are_named_by_every_core(core, change, message):
    """Also by cores with memory outside, for which is chosen what lies there."""
    with pytest.raises(NetworkError, match=message):
        compile_network(change(network(3)), core)
