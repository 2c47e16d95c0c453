"""Live input, step by step, on the simulated board: what a stream gives, and that nothing runs beside it."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import ragged_networks
from narrow_core import CONFIG
from narrow_networks import event_array, image_of, networks, taps_of
from spikeplane.compiler.compile import compile_network
from spikeplane.device.driver import DeviceError, NoAnswerError
from spikeplane.network.model import run
from spikeplane.network.schedule import Schedule
from spikeplane_hw.memory_map import EXACT_COUNTERS


def test_streaming_gives_the_sums_after_every_step(driver):
    network, image = image_of(Schedule.STORED)
    samples = ragged_networks.samples(network, 2)
    driver.load(image)
    whole = [driver.run(sample) for sample in samples]
    for sample, result in zip(samples, whole, strict=True):
        results = list(driver.stream(sample))
        assert len(results) == network.input.steps
        np.testing.assert_array_equal(results[-1].sums, result.sums)
        first = run(replace(network, input=replace(network.input, steps=1)), sample[None, :1])
        np.testing.assert_array_equal(results[0].sums, first.sums[0].numpy())
        events = [np.argwhere(spikes)[:, [2, 1, 0]] for spikes in sample]
        fields = [[tuple(each) for each in every] for every in events]
        given = [np.array(each, [("x", "u2"), ("y", "u2"), ("polarity", "u1")]) for each in fields]
        for dense, sparse in zip(results, driver.stream(given), strict=True):
            np.testing.assert_array_equal(dense.sums, sparse.sums)
    np.testing.assert_array_equal(driver.run(samples[0]).sums, whole[0].sums)


def stream_begun(driver):
    network, image = image_of(Schedule.STORED)
    sample = ragged_networks.samples(network, 1)[0]
    driver.load(image)
    iterator = driver.stream(sample)
    next(iterator)
    return image, sample, iterator


@pytest.mark.parametrize("what, act", [
    ("run a sample", lambda driver, image, sample: driver.run(sample)),
    ("run events", lambda driver, image, sample: driver.run_events(event_array([0], [0], [0], [0]))),
    ("run a sample", lambda driver, image, sample: driver.self_test()),
    ("load an image", lambda driver, image, sample: driver.load(image)),
    ("begin another stream", lambda driver, image, sample: next(driver.stream(sample))),
])
def test_nothing_else_runs_while_a_stream_is_open(driver, what, act):
    image, sample, iterator = stream_begun(driver)
    message = rf"^a stream is open: take its iterator to the end, or close it, to {what}$"
    with pytest.raises(DeviceError, match=message):
        act(driver, image, sample)
    # The stream goes on as if nothing had been asked, and afterwards everything runs again.
    sums = [answer.sums for answer in iterator][-1]
    np.testing.assert_array_equal(sums, driver.run(sample).sums)
    _, _, iterator = stream_begun(driver)
    iterator.close()
    np.testing.assert_array_equal(sums, driver.run(sample).sums)
    assert driver.self_test() == len(image.vectors)


def test_a_stream_that_fails_says_why_and_leaves_nothing_behind(driver, transport, monkeypatch):
    image, sample, iterator = stream_begun(driver)
    with monkeypatch.context() as patch:
        patch.setattr(transport, "read", lambda timeout: b"")
        with pytest.raises(NoAnswerError, match=r"no answer in 4 attempts"):
            next(iterator)
    with pytest.raises(DeviceError, match=r"the session is not open$"):
        driver.run(sample)
    driver.open()
    with pytest.raises(DeviceError, match=r"^no image is loaded$"):
        driver.run(sample)
    driver.load(image)
    assert driver.self_test() == len(image.vectors)


def test_a_stream_of_an_earlier_session_changes_no_register_of_a_later_one(driver):
    image, sample, iterator = stream_begun(driver)
    driver.open()
    _, other = image_of()
    driver.load(other)
    with pytest.raises(DeviceError, match=r"^the stream ended with its session; load the image and begin another one$"):
        next(iterator)
    iterator.close()
    assert driver.self_test() == len(other.vectors)
    image, sample, first = stream_begun(driver)
    driver.open()
    image, sample, second = stream_begun(driver)
    first.close()
    with pytest.raises(DeviceError, match=r"^a stream is open"):
        driver.run(sample)
    assert len(list(second)) == image.input.steps - 1


def test_streaming_goes_round_the_rings_of_memory_free_layers(driver):
    """A network that looks back at inner layers' spikes, for more steps than its rings hold."""
    network = next(
        n for n in networks(few_channels=True, taps=True)
        if any(1 < len(taps_of(node)) < n.input.steps for node in n.nodes[1:])
    )
    first, *others = network.nodes
    network = replace(network, nodes=[ragged_networks.changed(first, taps=(0,)), *others])
    driver.load(compile_network(network, CONFIG, Schedule.STORED))
    for sample in ragged_networks.samples(network, 2):
        results = list(driver.stream(sample))
        for steps, result in enumerate(results, 1):
            part = replace(network, input=replace(network.input, steps=steps))
            expected = run(part, sample[None, :steps]).sums[0].numpy()
            np.testing.assert_array_equal(result.sums, expected)


@pytest.mark.parametrize("number", range(3))
def test_live_input_is_looked_back_at(driver, number):
    """First layers of memory-free neurons: the last steps are sent again, and lie the other way round."""
    found = (
        n for n in networks(few_channels=True, taps=True) if 1 < len(taps_of(n.nodes[0])) <= n.input.steps
    )
    network = next(islice(found, number, None))
    image = compile_network(network, CONFIG, Schedule.STORED)
    driver.load(image)
    sample = np.concatenate(ragged_networks.samples(network, 3))
    for _ in range(2):  # Nothing of a stream is left to the next one.
        lively = set()
        for steps, answer in enumerate(driver.stream(sample), 1):
            part = replace(network, input=replace(network.input, steps=steps))
            expected = run(part, sample[None, :steps], schedule=Schedule.STORED, config=CONFIG)
            np.testing.assert_array_equal(answer.sums, expected.sums[0].numpy())
            counters = np.array([[counts[counter][0] for counter in EXACT_COUNTERS]
                                 for counts in expected.counters.values()])
            np.testing.assert_array_equal(answer.counters[:, [counter.value for counter in EXACT_COUNTERS]], counters)
            lively.add(tuple(answer.sums))
        assert len(lively) > 2
    assert driver.self_test() == len(image.vectors)


def test_taps_beyond_the_input_map_are_refused(driver):
    network = next(
        n for n in networks(few_channels=True, taps=True) if len(taps_of(n.nodes[0])) > n.input.steps > 1
    )
    back, held = len(taps_of(network.nodes[0])) - 1, network.input.steps
    driver.load(compile_network(network, CONFIG, Schedule.STORED))
    message = (rf"^a layer looks back {back} steps of the input, whose map holds {held}: live input needs a network of "
               rf"{back + 1} steps or more$")
    with pytest.raises(DeviceError, match=message):
        next(driver.stream(ragged_networks.samples(network, 1)[0]))


def test_streaming_needs_stored_potentials(driver):
    network, image = image_of()
    driver.load(image)
    message = r"^live input needs an image of the schedule STORED that takes events; this one has REGISTERS$"
    with pytest.raises(DeviceError, match=message):
        next(driver.stream(ragged_networks.samples(network, 1)[0]))
