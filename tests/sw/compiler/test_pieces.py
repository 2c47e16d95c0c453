"""Streams that are on the chip row by row of a channel group, and parameters that come layer by layer."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import piece_networks
import pytest
from altered_programs import altered
from ragged_networks import samples
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import ImageError
from spikeplane.compiler.interpreter import interpret
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.place import place
from spikeplane.network import model
from spikeplane_hw.descriptor import Job, state_bursts
from spikeplane_hw.memory_map import EXACT_COUNTERS, Register, Space
from spikeplane_hw.weight_stream import slot_bursts


@pytest.mark.parametrize("resident", [False, True], ids=["streamed", "resident"])
@pytest.mark.parametrize("core", range(3))
def test_pieces_change_no_answer(core, resident):
    network, config = piece_networks.find(core, core, blocks=1 + core % 2, resident=resident)
    inputs = samples(network, 2)
    image = compile_network(network, config, keep_maps=False, samples=inputs)
    image.verify()
    assert image.in_pieces and image.loads_parameters != resident
    expected = model.run(network, inputs, config=config)
    for index, sample in enumerate(inputs):
        outcome = interpret(image, sample)
        assert outcome.sums.tolist() == expected.sums[index].tolist()
        for layer, counters in enumerate(expected.counters.values()):
            for counter in EXACT_COUNTERS:
                assert outcome.counters[layer, counter.value] == counters[counter][index]


def test_of_a_stream_a_row_of_a_channel_group_is_there():
    network, config = piece_networks.find(1, 1)
    placement = place(network, config, keep_maps=False)
    streams = {name for name, form in network.maps().items() if form.signed}
    assert placement.in_pieces and streams <= placement.spilled.keys()
    size = network.input.steps * network.input.width * config.chunks * state_bursts(config)
    for placed in placement.layers:
        read = {name for term in placed.terms for name in (term.term.source, term.term.second) if name in streams}
        assert placed.in_pieces == bool(read or placed.layer.stores), placed.layer.name
        assert placed.stream_reloads.keys() == read
        assert [move.words for move in placed.loading] == [size] * len(read)
        assert [move.words for move in placed.after] == [size] * placed.layer.stores
        whole = sum(move.words * ((move.piece and placed.groups * placed.output_height) or 1) for move in placed.moves)
        assert placed.moved_words == whole
    # All of them lie outside, one behind the other.
    bursts = sorted(placement.spilled[name] for name in streams)
    assert {after - before for before, after in pairwise(bursts)} == {
        size * network.input.height * placement.layers[-1].terms[0].source.channels // config.lanes
    }


def test_streams_are_in_pieces_only_where_they_do_not_fit():
    network, config = piece_networks.find(0, 0, resident=True)
    assert not place(network, replace(config, state_depth=1 << 13), keep_maps=False).in_pieces
    with pytest.raises(CompileError, match=r"state chunks"):
        place(network, replace(config, state_depth=config.state_depth // 2), keep_maps=False)
    with pytest.raises(CompileError, match=r"state chunks"):
        place(network, config)  # all of them are to be read afterwards


def test_parameters_are_loaded_only_where_they_do_not_fit():
    network, config = piece_networks.find(0, 0)
    assert not place(network, replace(config, parameter_depth=1 << 13), keep_maps=False).loads_parameters
    with pytest.raises(CompileError, match=r"parameter chunks"):
        place(network, replace(config, parameter_depth=config.parameter_depth // 2), keep_maps=False)
    with pytest.raises(CompileError, match=r"parameter chunks"):
        # Without a stream of weights nothing comes from outside.
        place(network, replace(config, weight_depth=1 << 14), keep_maps=False, streaming=False)


@pytest.fixture(scope="module")
def image():
    network, config = piece_networks.find(0, 0)
    return compile_network(network, config, keep_maps=False)


@pytest.mark.parametrize(("name", "text"), [
    ("store", r"PROGRAM|move"), ("states", "not all of its moves"), ("piece", "not all of its moves"),
    ("parameters", "move"), ("word", "move|chunks|first slot"), ("words", "move"), ("burst", "move|burst"),
])
def test_a_move_of_a_piece_that_is_not_what_the_image_says_is_refused(image, name, text):
    image.verify()
    with pytest.raises(ImageError, match=text):
        altered(image, Job.MOVE, name, lambda value: value ^ 1, which=lambda fields: fields["piece"]).verify()


def test_a_walk_that_does_not_stop_for_moves_is_refused(image):
    with pytest.raises(ImageError, match=r"does not stop|state_step|store"):
        altered(image, Job.WALK, "pieces", lambda _: 0, which=lambda fields: fields["pieces"]).verify()
    with pytest.raises(ImageError, match=r"not all of its moves"):
        altered(image, Job.WALK, "pieces", lambda _: 1, which=lambda fields: not fields["pieces"]).verify()


@pytest.mark.parametrize("name", ["burst", "word", "words", "states"])
def test_parameters_from_elsewhere_are_refused(image, name):
    with pytest.raises(ImageError, match=r"parameters, move"):
        altered(image, Job.MOVE, name, lambda value: value ^ 1, which=lambda fields: fields["parameters"]).verify()


def test_parameters_that_nothing_loads_are_refused(image):
    with pytest.raises(ImageError, match=r"load|moves ahead"):
        altered(image, Job.MOVE, "parameters", lambda _: 0, which=lambda fields: fields["parameters"]).verify()
    first, words = image.contents[Space.EXTERNAL]
    for wrong in (words[:-1], np.concatenate([words, words[-1:]])):
        with pytest.raises(ImageError, match=r"EXTERNAL"):
            replace(image, contents=image.contents | {Space.EXTERNAL: (first, wrong)}).verify()
    slots = image.registers[Register.STREAM_SLOTS]
    assert slots * slot_bursts(image.config) < len(words)
    for wrong in (slots - 1, slots + 1, len(words), True):
        with pytest.raises(ImageError, match=r"STREAM_SLOTS|EXTERNAL|parameters"):
            replace(image, registers=image.registers | {Register.STREAM_SLOTS: wrong}).verify()
