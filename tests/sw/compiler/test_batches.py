"""Batches: where a program collects samples, that nothing of one is seen by another, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import streamed_networks
from ragged_networks import CORES
from spikeplane.compiler.batches import cuts
from spikeplane.compiler.compile import compile_network, random_samples
from spikeplane.compiler.image import ImageError, load_image, save_image
from spikeplane.compiler.interpreter import interpret
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.place import place
from spikeplane.compiler.program import decode_program
from spikeplane.network import model
from spikeplane.network.schedule import Schedule
from spikeplane_hw.memory_map import EXACT_COUNTERS, Space


def batched(seed, batch, config=CORES[0]):
    """Return the first random network from ``seed`` on that a batch suits, its core and its placement."""
    network, core = streamed_networks.find_batched(config, batch, seed)
    return network, core, place(network, core, batch=batch)


@pytest.mark.parametrize("seed", range(4))
def test_a_batch_answers_as_each_sample_by_itself(seed):
    batch, keep_maps = 2 + seed % 4, seed % 2 == 0
    network, core, _ = batched(10 * seed, batch, CORES[seed % 3])
    samples = random_samples(network.input, batch, 0.4)
    image = compile_network(network, core, keep_maps=keep_maps, keep_states=True, batch=batch, samples=samples)
    image.verify()
    outcome = interpret(image, samples)
    expected = model.run(network, samples, config=core, trace=True)
    np.testing.assert_array_equal(outcome.sums, expected.sums.numpy())
    for layer, counts in enumerate(expected.counters.values()):
        for counter in EXACT_COUNTERS:
            assert outcome.counters[layer, counter.value] == int(counts[counter].sum()), (layer, counter)
    for index, info in enumerate(image.layers):
        if info.spikes is not None:
            first, count = image.map_place(index)
            held = info.spikes.steps // network.input.steps
            found = image.decode_map(index, outcome.spikes[first:first + count])
            np.testing.assert_array_equal(found, np.concatenate(list(expected.spikes[info.name][-held:])), info.name)
        if info.state_base is not None and not info.stream_steps:
            first, count = image.state_place(index)
            found = image.decode_states(index, outcome.states[first:first + count])
            np.testing.assert_array_equal(found, expected.states[info.name][-1], info.name)


def test_as_few_layers_as_fit_run_sample_by_sample():
    network, core, placement = batched(3, 3)
    first, *others = cuts(network)
    assert placement.early == first
    words = [
        place(network, core, batch=3, early=early, check=False).occupied_words()[Space.SPIKES]
        for early in (first, *others)
    ]
    assert min(words) < words[0], "a later place takes less"
    tight = replace(core, spike_depth=words[0] - 1)
    placement = place(network, tight, batch=3, check=False)
    fitting = [early for early, size in zip((first, *others), words, strict=True) if size < words[0]]
    assert placement.early == fitting[0]
    assert [placed.samples for placed in placement.layers] == [
        1 if index < placement.early else 3 for index in range(len(placement.layers))
    ]


def test_what_cannot_be_batched_is_refused():
    network, core, placement = batched(3, 2)
    for options, text in (
        ({"batch": 9}, "a batch of 9 samples was asked for, limit of .* 1..8"),
        ({"batch": 2, "schedule": Schedule.STORED}, "takes the schedule registers, not stored"),
        ({"batch": 2, "streaming": False}, "all weights stay on the chip: limit 1"),
    ):
        with pytest.raises(CompileError, match=text):
            place(network, core, **options)
    with pytest.raises(CompileError, match=r"limit of .* 1..1: it has no memory outside the chip"):
        place(network, CORES[0], batch=2)
    with pytest.raises(CompileError, match=r"logits: \d+ needed, limit .*--batch 1"):
        place(network, replace(core, logit_count=placement.layers[-1].groups * core.lanes), batch=2)


def test_a_program_that_collects_says_so(tmp_path):
    network, core, placement = batched(3, 2)
    image = compile_network(network, core, batch=2)
    save_image(image, tmp_path / "image.spk")
    assert load_image(tmp_path / "image.spk").batch == 2
    words = [int.from_bytes(word.tobytes(), "little") for word in image.contents[Space.PROGRAM][1]]
    collects = [each.collect for each in decode_program(core, words)]
    assert collects == [2 * (index == placement.early) for index in range(len(placement.layers))]
    with pytest.raises(ImageError, match=r"2 self-test vectors are not batches of 3|it collects .2. samples"):
        replace(image, batch=3).verify()
    with pytest.raises(ImageError, match=r"it collects .2. samples, the batch is 1"):
        replace(image, batch=1).verify()
    with pytest.raises(ImageError, match=r"batch is 0, limit 1..8"):
        replace(image, batch=0).verify()
    first, external = image.contents[Space.EXTERNAL]
    changed = external.copy()
    changed[1, 0] ^= 1  # of the first sample only
    with pytest.raises(ImageError, match=r"EXTERNAL: word \d+ is not the weight of sample 0, which word 1 is"):
        replace(image, contents=image.contents | {Space.EXTERNAL: (first, changed)}).verify()


def test_layers_of_all_samples_read_what_was_collected():
    network, core, placement = batched(3, 2)
    image = compile_network(network, core, batch=2)
    layers = list(image.layers)
    layers[placement.early] = replace(layers[placement.early], samples=1)
    with pytest.raises(ImageError, match=r"samples is 1, by its descriptor 2|steps is"):
        replace(image, layers=layers).verify()
