"""Spilled maps: what is spilled, that answers stay the same, and that an image's moves are what it says of them."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import spilled_networks
from altered_programs import altered
from ragged_networks import CORES
from spikeplane.compiler.batches import cuts
from spikeplane.compiler.choices import spillable_maps
from spikeplane.compiler.compile import compile_network, random_samples
from spikeplane.compiler.image import ImageError, load_image, save_image
from spikeplane.compiler.interpreter import interpret
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.moves import spill_base
from spikeplane.compiler.place import place
from spikeplane.compiler.program import decode_program
from spikeplane.compiler.remedies import fits
from spikeplane.network import model
from spikeplane.network.schedule import Schedule
from spikeplane_hw.descriptor import Job, job_layout, move_layout
from spikeplane_hw.memory_map import EXACT_COUNTERS, Space


def check_answers(network, config, schedule, image, samples):
    """Interpret an image, for all samples of its batch, and compare with the integer model."""
    outcome = interpret(image, samples if image.batch > 1 else samples[0])
    expected = model.run(network, samples, schedule=schedule, config=config)
    np.testing.assert_array_equal(outcome.sums, expected.sums.numpy() if image.batch > 1 else expected.sums[0].numpy())
    for layer, counts in enumerate(expected.counters.values()):
        for counter in EXACT_COUNTERS:
            assert outcome.counters[layer, counter.value] == int(counts[counter].sum()), (layer, counter)


def decode(image):
    """Return the descriptors of an image's layers."""
    return decode_program(image.config, image.contents[Space.PROGRAM][1].view("<u2").ravel().tolist())


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("schedule", Schedule, ids=lambda schedule: schedule.value)
@pytest.mark.parametrize("core", CORES[:3], ids=lambda core: core.name)
def test_spilled_maps_change_no_answer(core, schedule, batch):
    if batch > 1 and schedule.stores:
        batch = 1  # A batch takes steps in registers; this is one more network.
    network, config, placement = spilled_networks.find(core, schedule, 7 * batch, batch)
    assert placement.spilled
    samples = random_samples(network.input, batch, 0.4)
    image = compile_network(network, config, schedule, keep_maps=False, batch=batch, samples=samples)
    image.verify()
    check_answers(network, config, schedule, image, samples)


@pytest.mark.parametrize("schedule", Schedule, ids=lambda schedule: schedule.value)
@pytest.mark.parametrize("core", CORES[:3], ids=lambda core: core.name)
def test_spilled_streams_change_no_answer(core, schedule):
    network, config = spilled_networks.find_streams(core, 3 * core.lanes)
    samples = random_samples(network.input, 1, 0.4)
    image = spilled_networks.compile_spilled(network, config, schedule)
    image.verify()
    moves = [each for jobs in decode(image) for each in [*jobs.before, *jobs.after] if each["states"]]
    assert {each["store"] for each in moves} == {0, 1}
    check_answers(network, config, schedule, image, samples)


def test_streams_are_spilled_where_they_do_not_fit():
    """Three streams, of which the state memory holds two: the first one leaves it until it is read."""
    network, config = spilled_networks.three_streams()
    roomy = place(network, config, keep_maps=False)
    least = roomy.occupied_words()[Space.STATES] // config.updates
    assert not roomy.spilled
    small = replace(config, state_depth=least - config.chunks)
    placement = place(network, small, keep_maps=False)
    assert list(placement.spilled) == ["a"]
    with pytest.raises(CompileError, match="state chunks"):
        place(network, small, keep_maps=False, spilled=frozenset())
    samples = random_samples(network.input, 1, 0.4)
    image = compile_network(network, small, keep_maps=False, samples=samples)
    check_answers(network, small, Schedule.REGISTERS, image, samples)


def test_nothing_is_spilled_that_fits_and_no_more_than_must():
    network, config, placement = spilled_networks.find(CORES[0], Schedule.REGISTERS, 0)
    roomy = replace(config, spike_depth=CORES[0].spike_depth)
    assert not place(network, roomy, keep_maps=False).spilled
    candidates = spillable_maps(network, config, Schedule.REGISTERS)
    assert list(placement.spilled) == [
        each for each in network.names if each in candidates[:len(placement.spilled)]
    ], "those that are not needed for longest come first"
    with pytest.raises(CompileError, match="spike memory words up to its map's end"):
        place(network, replace(config, external_depth=0), keep_maps=False)
    with pytest.raises(CompileError, match="--reuse-maps"):
        place(network, config, keep_maps=True)


def test_a_map_that_is_spilled_lies_nowhere_else_in_between():
    _network, config, placement = spilled_networks.find(CORES[1], Schedule.REGISTERS, 3)
    names = [placed.layer.name for placed in placement.layers]
    for name in placement.spilled:
        maker = placement.layers[names.index(name)]
        (store,) = maker.after
        loads = [move for placed in placement.layers if name in placed.reloads for move in placed.before
                 if move.burst == store.burst]
        assert store.store and loads and not any(move.store for move in loads)
        assert {move.words for move in loads} == {store.words}
        assert store.burst >= spill_base(config)
    bursts = sorted((move.burst, move.words) for placed in placement.layers for move in placed.after)
    assert all(first + words <= after for (first, words), (after, _) in itertools.pairwise(bursts))


def test_samples_have_bursts_of_their_own():
    batch = 3
    _network, _config, placement = spilled_networks.find(CORES[0], Schedule.REGISTERS, 2, batch)
    stores = [move for placed in placement.layers for move in placed.after]
    loads = [move for placed in placement.layers for move in placed.before]
    assert all(move.sampled for move in stores)
    assert len(loads) == batch * len(stores)
    assert len({move.burst for move in loads}) == len(loads)
    assert placement.moved_words == 2 * batch * sum(move.words for move in stores)


def test_a_batch_is_collected_where_least_goes_between_chip_and_memory():
    batch, found = 3, False
    for seed in range(0, 60, 6):
        network, config, _ = spilled_networks.find(CORES[seed % 3], Schedule.REGISTERS, seed, batch)
        options = {"keep_maps": False, "batch": batch, "check": False}
        chosen = place(network, config, **options)
        others = [place(network, config, early=early, **options) for early in cuts(network)]
        fitting = [each for each in others if fits(each)]
        assert chosen.traffic == min(each.traffic for each in fitting)
        found = found or len(fitting) > 1
    assert found, "somewhere there was a choice"


@pytest.mark.parametrize("name", ["store", "states", "sampled", "last", "word", "words", "burst"])
def test_a_move_that_is_not_what_the_image_says_is_refused(name):
    network, config, _ = spilled_networks.find(CORES[0], Schedule.REGISTERS, 0)
    image = compile_network(network, config, keep_maps=False)
    image.verify()
    with pytest.raises(ImageError, match=r"move|MOVE|PROGRAM|sampled"):
        altered(image, Job.MOVE, name, lambda value: value ^ 1).verify()


def test_what_an_image_says_of_spilled_maps_is_held_against_its_moves(tmp_path):
    network, config, _placement = spilled_networks.find(CORES[0], Schedule.REGISTERS, 0)
    image = compile_network(network, config, keep_maps=False)
    path = tmp_path / "spilled.spk"
    save_image(image, path)
    assert load_image(path).layers == image.layers
    reader = next(index for index, each in enumerate(image.layers) if each.reloads)
    maker = next(index for index, each in enumerate(image.layers) if each.spilled)
    for index, change, text in (
        (reader, {"reloads": ()}, "load nothing that the image names"),
        (reader, {"reloads": ("nothing",)}, "which no layer before it stores"),
        (reader, {"reloads": image.layers[reader].reloads * 2}, "moves ahead of its walk"),
        (maker, {"spilled": False}, "spilled is False|output_step"),
    ):
        layers = list(image.layers)
        layers[index] = replace(layers[index], **change)
        with pytest.raises(ImageError, match=text):
            replace(image, layers=layers).verify()


def test_moves_are_decoded_where_they_may_be():
    network, config, placement = spilled_networks.find(CORES[0], Schedule.REGISTERS, 0)
    image = compile_network(network, config, keep_maps=False)
    program = decode_program(config, [int(word) for word in image.contents[Space.PROGRAM][1].view("<u2").ravel()])
    assert [(len(each.before), len(each.after)) for each in program] == [
        (len(placed.before), len(placed.after)) for placed in placement.layers
    ]
    assert job_layout(config, Job.MOVE) == move_layout(config)
