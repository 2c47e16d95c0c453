"""Layers in parts: answers stay the same, what is read and made, classifiers in planes, images that say otherwise."""

from dataclasses import replace

import banded_networks
import numpy as np
import pytest
import ragged_networks
import streamed_networks
from ragged_networks import CORES
from spikeplane.compiler.compile import compile_network, random_samples
from spikeplane.compiler.image import ImageError, load_image, save_image
from spikeplane.compiler.interpreter import interpret
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.parts import Split, SplitKind, plane_part, read_rows
from spikeplane.compiler.place import place
from spikeplane.information import placed_rows
from spikeplane.network import model
from spikeplane.network.endings import Store
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.lowered import CoreLayer, CoreTerm
from spikeplane.network.schedule import Schedule
from spikeplane.network.stored import Stored
from spikeplane.network.weights import WeightKind
from spikeplane_hw.memory_map import EXACT_COUNTERS, Space
from spikeplane_hw.neuron import Neuron
from spikeplane_hw.weight_stream import slot_bursts
from streamed_networks import EXTERNAL_DEPTH


def assert_equal(network, image, samples):
    """Compare what the words of an image give for a batch of samples, or one, with the integer model."""
    image.verify()
    outcome = interpret(image, samples if image.batch > 1 else samples[0])
    expected = model.run(network, samples, config=image.config)
    np.testing.assert_array_equal(outcome.sums.reshape(len(samples), -1), expected.sums.numpy())
    for layer, counts in enumerate(expected.counters.values()):
        for counter in EXACT_COUNTERS:
            assert outcome.counters[layer, counter.value] == int(counts[counter].sum()), (layer, counter)


@pytest.mark.parametrize("core", CORES[:3], ids=lambda core: core.name)
@pytest.mark.parametrize("seed", [17, 25, 34])
def test_parts_change_no_answer(core, seed):
    network, config, placement = banded_networks.find(core, seed)
    assert any(len(split.borders) > 2 for split in placement.splits.values())
    samples = random_samples(network.input, 1, 0.4)
    image = compile_network(network, config, keep_maps=False, samples=samples, keep_states=seed == 25)
    assert image.program_layers == len(placement.layers) > len(image.layers) == len(network.nodes)
    assert_equal(network, image, samples)


def test_rows_are_loaded_that_begin_within_a_word():
    network, config, placement = banded_networks.find(CORES[0], 1, most=5000)
    assert any(
        term.source.base % config.word_slots
        for placed in placement.layers for term in placed.terms if term.term.source in placed.reloads
    )
    samples = random_samples(network.input, 1, 0.4)
    assert_equal(network, compile_network(network, config, keep_maps=False, samples=samples), samples)


@pytest.mark.parametrize("core", CORES[:3], ids=lambda core: core.name)
def test_weights_stream_in_for_each_part(core):
    network, config, _ = banded_networks.find(core, 17)
    least = max(placed.stream_group for placed in place(network, config, streaming=True, check=False).layers)
    config = replace(config, weight_depth=1 << least.bit_length())
    placement = place(network, config, keep_maps=False)
    assert placement.streaming and placement.splits
    assert placement.stream_slots > sum(parts[0].groups * parts[0].stream_group for parts in placement.nodes)
    samples = random_samples(network.input, 1, 0.4)
    image = compile_network(network, config, keep_maps=False, samples=samples)
    assert_equal(network, image, samples)
    address, words = image.contents[Space.EXTERNAL]
    wrong = words.copy()
    wrong[-1, 0] ^= 1
    replace(image, contents=image.contents | {Space.EXTERNAL: (address, wrong)}).verify()  # Weights may be any,
    index = next(index for index, each in enumerate(placement.layers) if not each.owns)
    before = sum(each.groups * each.stream_group for each in placement.layers[:index])
    wrong[before * slot_bursts(config), 0] ^= 1
    with pytest.raises(ImageError, match="which the first of its layer's parts has"):  # but alike in all parts.
        replace(image, contents=image.contents | {Space.EXTERNAL: (address, wrong)}).verify()


@pytest.mark.parametrize("height", range(3, 9))
@pytest.mark.parametrize("kernel, stride, padding", [(1, 1, 0), (3, 1, 1), (3, 2, 1), (2, 2, 0), (5, 1, 2), (3, 1, 0)])
def test_windows_of_a_part_read_what_those_of_the_layer_do(height, kernel, stride, padding):
    rows = (height + 2 * padding - kernel) // stride + 1
    for start in range(rows):
        for stop in range(start + 1, rows + 1):
            read, above = read_rows(range(start, stop), height, kernel, stride, padding)
            for row in range(start, stop):
                window = [row * stride - padding + each for each in range(kernel)]
                own = [(row - start) * stride - above + each for each in range(kernel)]
                found = [read.start + each for each in own if 0 <= each < len(read)]
                assert found == [each for each in window if 0 <= each < height]


@pytest.mark.parametrize("kind", WeightKind, ids=lambda kind: kind.value)
def test_planes_of_weights_add_up(kind):
    bits, random = 8, np.random.default_rng(1)
    low, high = kind.limits(bits)
    weight = random.integers(low, high + 1, (3, 5, 2, 2))
    if kind is WeightKind.ODD:
        weight -= 1 - weight % 2
    layer = CoreLayer(terms=(CoreTerm(source="a", channels=3, weight=weight, weight_bits=bits, weight_kind=kind),))
    for borders in ((0, 3, 6, 8), (0, 1, 8), (0, 7, 8)):
        parts = [plane_part(layer, each) for each in Split(kind=SplitKind.PLANES, borders=borders).ranges]
        total = np.zeros_like(weight)
        for part in parts:
            (term,) = part.terms
            assert term.weight is not None
            codes = term.weight_kind.codes(term.weight, term.weight_bits)
            assert codes.min() >= 0 and codes.max() < 1 << term.weight_bits
            total += term.weight << part.exponent
        np.testing.assert_array_equal(total, weight)


def classifier(width=8):
    """Return a network whose classifier has sums of more than 12 bits, and its core."""
    random = np.random.default_rng(3)
    form = InputFormat(channels=2, height=4, width=4, steps=2)
    inner = ragged_networks.layer(random, "inner", 8, 2, (3, 3), padding=1, neuron=Neuron(state_bits=2))
    head = ragged_networks.layer(random, "classifier", 3, 8, (4, 4), source="inner", bits=width, kind=WeightKind.TWOS)
    network = IntegerNetwork(input=form, nodes=[inner, head], logit_offset=np.zeros(3, np.int64))
    return network, replace(CORES[1], accumulator_width=12)


def test_a_classifier_with_large_sums_takes_its_planes_in_turn():
    network, config = classifier()
    placement = place(network, config)
    assert placement.splits == {"classifier": Split(kind=SplitKind.PLANES, borders=(0, 5, 8))}
    samples = random_samples(network.input, 1, 0.5)
    assert_equal(network, compile_network(network, config, samples=samples), samples)
    wide = compile_network(network, replace(config, accumulator_width=20), samples=samples)
    assert not any(layer.split for layer in wide.layers)
    with pytest.raises(CompileError, match="layer 'classifier': largest sum of channel"):
        place(network, replace(config, accumulator_width=6))


@pytest.mark.parametrize("batch", [1, 3])
def test_planes_stream_in_where_a_classifiers_weights_are_too_large(batch):
    network, config = classifier()
    config = streamed_networks.roomy(replace(config, external_depth=EXTERNAL_DEPTH, weight_depth=128), batch)
    placement = place(network, config, keep_maps=False, batch=batch)
    assert placement.splits == {"classifier": Split(kind=SplitKind.PLANES, borders=tuple(range(9)))}
    samples = random_samples(network.input, batch, 0.4)
    image = compile_network(network, config, keep_maps=False, samples=samples, batch=batch)
    assert_equal(network, image, samples)


def test_maps_that_fit_or_are_kept_are_not_split():
    network, config, placement = banded_networks.find(CORES[0], 17)
    assert not place(network, replace(config, spike_depth=CORES[0].spike_depth), keep_maps=False).splits
    assert all(placed.before or placed.after for placed in placement.layers if placed.layer.name in placement.splits)
    assert not place(network, config, keep_maps=True, check=False).splits
    with pytest.raises(CompileError, match="--reuse-maps"):
        place(network, config, keep_maps=True)


def test_a_layer_that_cannot_be_split_is_named():
    network, config = classifier()
    inner, head = network.nodes
    assert isinstance(inner, Layer)
    stream = Layer(name="stream", terms=inner.terms, ending=Store(fraction_bits=12))
    both = replace(inner, terms=(Stored(streams=("stream",)), *inner.terms))
    network, config = replace(network, nodes=[stream, both, head]), replace(config, external_depth=EXTERNAL_DEPTH)
    small = replace(config, spike_depth=place(network, config).input_map.words(config))
    with pytest.raises(CompileError, match=(
        r"layer 'inner': spike memory words up to its map's end: \d+ needed, limit \d+.*, and it does not run in "
        "parts, since it has a stream; to make it fit: "
    )):
        place(network, small, keep_maps=False)
    with pytest.raises(CompileError, match="parts only with single samples and all steps at once"):
        place(network, small, Schedule.STORED, keep_maps=False)


def test_what_is_decided_is_said():
    network, config, placement = banded_networks.find(CORES[0], 17)
    image = compile_network(network, config, keep_maps=False)
    rows = dict(placed_rows(image))
    for name, split in placement.splits.items():
        assert f"{name} {len(split.ranges)} of its {split.kind.value}" in rows["parts"]
    assert placement.moved_words == image.loaded_words + sum(map(len, image.spilled_bursts))


def test_what_an_image_says_of_parts_is_held_against_its_words(tmp_path):
    network, config, _ = banded_networks.find(CORES[0], 17)
    image = compile_network(network, config, keep_maps=False)
    path = tmp_path / "parts.spk"
    save_image(image, path)
    assert load_image(path).layers == image.layers
    index, info = next((index, each) for index, each in enumerate(image.layers) if each.split == "rows")
    first, *others = info.borders
    for change, text in (
        ({"split": ""}, "it has borders"),
        ({"split": "columns"}, "must be one of rows, steps, planes"),
        ({"borders": ()}, "must rise from 0"),
        ({"borders": (first, *others[:-1], others[-1] + 1)}, "must rise from 0"),
        ({"borders": (first, *others[1:])}, "PROGRAM: it has|must rise from 0"),
        ({"split": "", "borders": ()}, "PROGRAM: it has"),
        ({"borders": (first, others[0] + 1, *others[1:])}, "limit|must|borders"),
        ({"split": "steps"}, "must rise from 0|steps are split"),
        ({"spilled": not info.spilled}, "limit|spilled"),
    ):
        layers = list(image.layers)
        layers[index] = replace(info, **change)
        with pytest.raises(ImageError, match=text):
            replace(image, layers=layers).verify()


def test_every_bit_of_the_moves_and_parts_is_checked():
    network, config, placement = banded_networks.find(CORES[1], 17)
    image = compile_network(network, config, keep_maps=False)
    image.verify()
    words = image.contents[Space.PROGRAM][1]
    moves = [each for placed in placement.layers for each in [*placed.before, *placed.after]]
    assert moves
    random = np.random.default_rng(5)
    refused = 0
    for at in random.choice(len(words), 40, replace=False):
        changed = words.copy()
        changed[at, 0] ^= 1 << int(random.integers(8))
        try:
            replace(image, contents=image.contents | {Space.PROGRAM: (0, changed)}).verify()
        except ImageError:
            refused += 1
    assert refused >= 30, "few bits, of thresholds and scales, may be anything"


def test_memory_outside_the_chip_is_what_parts_need():
    network, config, _ = banded_networks.find(CORES[0], 17)
    assert config.external_depth == EXTERNAL_DEPTH
    with pytest.raises(CompileError, match="spike memory words up to its map's end"):
        place(network, replace(config, external_depth=0), keep_maps=False)
    assert INPUT not in place(network, config, keep_maps=False).spilled
