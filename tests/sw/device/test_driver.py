"""The driver against the simulated board: whole networks, and everything that can go wrong on the way."""

from dataclasses import replace
from itertools import islice, product

import numpy as np
import pytest
import ragged_networks
from narrow_core import CONFIG
from noise import NoisyTransport
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import ImageError
from spikeplane.device import runs
from spikeplane.device.driver import DeviceError, Driver, NoAnswerError
from spikeplane.device.requests import write_calls
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network.model import run
from spikeplane.network.schedule import Schedule
from spikeplane_hw.config import CONFIGS, SMALL, TINY
from spikeplane_hw.memory_map import EXACT_COUNTERS, Counter, Register, Space


@pytest.fixture(scope="module")
def transport():
    with SimulatedTransport(CONFIG) as transport:
        yield transport


@pytest.fixture
def driver(transport):
    driver = Driver(transport, CONFIG, timeout=0.01)
    driver.open()
    return driver


def networks(direct=False, few_channels=False, taps=False):
    """Yield networks that fit CONFIG."""
    for seed in range(100):
        network = ragged_networks.network(seed, direct=direct, taps=taps)
        if not few_channels or network.input.channels <= 2:
            yield network


def taps_of(node):
    return node.terms[0].taps if node.kind == "layer" else (0,)


def image_of(schedule=Schedule.REGISTERS, direct=False):
    network = next(n for n in networks(direct, few_channels=not direct) if n.input.steps > 1)
    return network, compile_network(network, CONFIG, schedule, keep_states=True)


@pytest.mark.parametrize("schedule, direct", list(product(Schedule, [False, True])),
                         ids=lambda value: getattr(value, "value", str(value)))
def test_runs_equal_the_integer_model(driver, schedule, direct):
    found = networks(direct)
    for _ in range(4):
        network = next(found)
        image = compile_network(network, CONFIG, schedule, keep_states=True)
        samples = ragged_networks.samples(network, 3)
        expected = run(network, samples, schedule=schedule, config=CONFIG, trace=True)
        driver.load(image)
        assert driver.self_test() == len(image.vectors) > 0
        for index, sample in enumerate(samples):
            result = driver.run(sample)
            sums = expected.sums[index].numpy()
            np.testing.assert_array_equal(result.sums, sums)
            logits = network.logit_scale * (sums + network.logit_offset)
            np.testing.assert_array_equal(result.logits, logits)
            assert result.prediction == logits.argmax()
            assert result.cycles == result.counters[:, Counter.CYCLES.value].sum() > 0
            for layer, counters in enumerate(expected.counters.values()):
                for counter in EXACT_COUNTERS:
                    assert result.counters[layer, counter.value] == counters[counter][index]
            for layer, info in enumerate(image.layers):
                if info.spikes is not None:
                    spikes = expected.spikes[info.name][index].numpy()
                    spikes = spikes[-1:] if schedule is Schedule.STORED else spikes
                    np.testing.assert_array_equal(driver.read_spikes(layer), spikes)
                if info.state_base is not None:
                    states = expected.states[info.name][index].numpy()
                    np.testing.assert_array_equal(driver.read_states(layer), states)


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


def test_a_port_is_closed_where_opening_fails(transport):
    line = Mute(transport)
    line.mute, line.closed = True, 0

    def close():
        line.closed += 1

    line.close = close
    with pytest.raises(NoAnswerError), Driver(line, CONFIG, timeout=0.01):
        pass
    assert line.closed == 1
    line.mute = False
    with pytest.raises(DeviceError, match="has the configuration unknown"), Driver(line, SMALL):
        pass
    assert line.closed == 2


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


@pytest.mark.parametrize("direct", [False, True])
def test_a_sample_and_a_step_are_one_exchange(driver, direct):
    network, image = image_of(Schedule.STORED, direct)
    driver.load(image)
    sample = ragged_networks.samples(network, 1)[0]
    driver.run(sample)
    before = driver.session.trips
    driver.run(sample)
    assert driver.session.trips == before + 1
    if not direct:
        trips = []
        for _ in driver.stream(sample):
            trips.append(driver.session.trips)
        assert (np.diff(trips) == 1).all()


def test_a_run_that_is_not_over_in_time_is_waited_for(driver, transport, monkeypatch):
    network, image = image_of(direct=True)
    driver.load(image)
    sample = ragged_networks.samples(network, 1)[0]
    expected = driver.run(sample).sums
    before = driver.session.trips
    monkeypatch.setattr(transport, "pause", lambda seconds: None)
    np.testing.assert_array_equal(driver.run(sample).sums, expected)
    assert driver.session.trips > before + 1 and driver.runs.seconds > 0


def test_streaming_needs_stored_potentials(driver):
    network, image = image_of()
    driver.load(image)
    message = r"^live input needs an image of the schedule STORED that takes events; this one has REGISTERS$"
    with pytest.raises(DeviceError, match=message):
        next(driver.stream(ragged_networks.samples(network, 1)[0]))


def test_event_arrays_and_samples_give_the_same(driver):
    network, image = image_of()
    driver.load(image)
    sample = ragged_networks.samples(network, 1)[0]
    step, y, x, channel = np.nonzero(np.moveaxis(sample, 1, 3))
    np.testing.assert_array_equal(driver.run_events(event_array(step, y, x, channel)).sums,
                                  driver.run(sample).sums)


def event_array(step, y, x, polarity):
    names = ("step", "y", "x", "polarity")
    events = np.zeros(len(step), [(name, np.int32) for name in names])
    for name, values in zip(names, (step, y, x, polarity), strict=True):
        events[name] = values
    return events


def wrong_inputs():
    network, _ = image_of()
    form = network.input
    sample = np.zeros(form.shape, np.uint8)
    yield "sample", sample[:, :, 1:], "an input of shape"
    yield "sample", sample + 0.5, "an input of integers or booleans was expected, not float64"
    yield "sample", np.full(form.shape, np.nan), "an input of integers or booleans was expected"
    yield "sample", sample + 2, r"the input has the value 2, limit 0\.\.1"
    yield "events", event_array([0], [form.height], [0], [0]), (
        rf"event 0 has y = {form.height}, limit 0\.\.{form.height - 1}")
    yield "events", event_array([0, 0], [0, 0], [0, -1], [0, 0]), "event 1 has x = -1, limit"
    yield "events", event_array([0, form.steps], [0, 0], [0, 0], [0, 0]), "event 1 has step = "
    yield "events", event_array([1, 0], [0, 0], [0, 0], [0, 0]), (
        r"event 1 of step 0 comes after one of step 1; events must be in time order")
    yield "events", np.zeros((3, 4), np.int32), "events must be a one-dimensional array with the"
    yield "events", np.zeros(1, [(n, float) for n in ("step", "y", "x", "polarity")]), (
        "events must have integers for step, not float64")


@pytest.mark.parametrize("kind, value, message", list(wrong_inputs()))
def test_wrong_input_is_refused_before_anything_is_sent(driver, transport, kind, value, message):
    _, image = image_of()
    driver.load(image)
    before = transport.cycles
    with pytest.raises(ImageError, match=message):
        (driver.run if kind == "sample" else driver.run_events)(value)
    assert transport.cycles == before


def test_a_noisy_line_changes_no_result(transport):
    network, image = image_of()
    samples = ragged_networks.samples(network, 10)
    line = NoisyTransport(transport, seed=3, share=0.15)
    line.quiet = True
    driver = Driver(line, CONFIG, timeout=0.0, attempts=100)
    driver.open()
    line.sent.clear()
    line.quiet = False
    driver.load(image)
    expected = run(network, samples).sums.numpy()
    np.testing.assert_array_equal([driver.run(sample).sums for sample in samples], expected)
    assert driver.session.repeats > 20


def test_another_configuration_is_refused(driver, transport):
    message = (rf"^the image is for the configuration tiny {TINY.hash:#010x}, "
               rf"the device has driver {CONFIG.hash:#010x}$")
    _, image = image_of()
    with pytest.raises(DeviceError, match=message):
        driver.load(replace(image, config=TINY))
    message = (rf"^the device has the configuration unknown {CONFIG.hash:#010x}, "
               rf"expected small {SMALL.hash:#010x}$")
    with pytest.raises(DeviceError, match=message):
        Driver(transport, SMALL).open()
    with pytest.raises(DeviceError, match=rf"unknown configuration {CONFIG.hash:#010x}; known are tiny"):
        Driver(transport).open()


def test_the_configuration_is_found_by_its_hash(transport, monkeypatch):
    monkeypatch.setitem(CONFIGS, CONFIG.name, CONFIG)
    assert Driver(transport).open() == CONFIG


def test_another_register_map_is_refused(driver, monkeypatch):
    monkeypatch.setattr("spikeplane.device.driver.interface_hash", lambda config: 0)
    with pytest.raises(DeviceError, match=r"^the device has the register map 0x[0-9a-f]{8}, this version of the driver "
                                          r"0x00000000: program a matching bitstream$"):
        driver.open()


def test_a_run_that_does_not_take_place_is_noticed(driver, monkeypatch):
    network, image = image_of(direct=True)
    driver.load(image)
    monkeypatch.setattr(runs, "_control_calls", lambda control: write_calls(
        Space.REGISTERS, Register.CONTROL.value, 4, bytes(4)))
    with pytest.raises(DeviceError, match=r"^the run did not take place: \d+ runs before, \d+ after$"):
        driver.run(ragged_networks.samples(network, 1)[0])


def test_events_that_the_device_rejects_are_noticed(driver):
    network, image = image_of()
    driver.load(image)
    driver.write_register(Register.INPUT_WIDTH, 0)
    sample = np.ones(network.input.shape, np.uint8)
    with pytest.raises(DeviceError, match=rf"^of {sample.size} events sent, the device accepted 0 and "
                                          rf"rejected {sample.size}$"):
        driver.run(sample)


def test_a_failed_self_test_names_what_differs(driver):
    _, image = image_of()
    wrong = replace(image.vectors[0], sums=image.vectors[0].sums + 1)
    driver.load(replace(image, vectors=[wrong]))
    with pytest.raises(DeviceError, match=r"^self-test vector 0: sum 0 is -?\d+, expected -?\d+$"):
        driver.self_test()
    counters = image.vectors[0].counters.copy()
    counters[0, Counter.SPIKES.value] += 1
    driver.load(replace(image, vectors=[replace(image.vectors[0], counters=counters)]))
    with pytest.raises(DeviceError, match=r"^self-test vector 0: layer '\w+' counted \d+ SPIKES, expected"):
        driver.self_test()


def test_read_back_finds_a_wrong_word(driver, monkeypatch):
    _, image = image_of()
    read = driver.session.read

    def lie(space, address, word_bytes, count):
        content = bytearray(read(space, address, word_bytes, count))
        if space is Space.WEIGHTS:
            content[2 * word_bytes] ^= 1
        return bytes(content)

    monkeypatch.setattr(driver.session, "read", lie)
    with pytest.raises(DeviceError, match=r"^1 words of WEIGHTS read back differently, the first one at "
                                          r"address 2: wrote [0-9a-f]{2}, read [0-9a-f]{2}$"):
        driver.load(image)
    with pytest.raises(DeviceError, match=r"^no image is loaded$"):
        driver.run(np.zeros(1))


class Mute:
    """A transport that answers until it is told not to."""

    def __init__(self, inner):
        self.inner, self.mute, self.written = inner, False, 0

    def write(self, content):
        self.written += 1
        self.inner.write(content)

    def read(self, timeout):
        received = self.inner.read(timeout)
        return b"" if self.mute else received

    def rest(self, seconds):
        self.inner.rest(seconds)

    def pause(self, seconds):
        self.inner.pause(seconds)

    def close(self):
        self.inner.close()


def test_a_silent_device_is_named_with_what_was_under_way(transport):
    line = Mute(transport)
    driver = Driver(line, CONFIG, timeout=0.01, attempts=3)
    driver.open()
    line.mute, line.written = True, 0
    with pytest.raises(NoAnswerError, match=r"^READ of 1 words from REGISTERS 4: no answer in 3 attempts "
                                            r"of 0\.01 s \(0 damaged replies\); open the board again$"):
        driver.read_registers(Register.STATUS)
    assert line.written == 3
    assert issubclass(NoAnswerError, TimeoutError)
    line.mute = False
    with pytest.raises(DeviceError, match=r"the session is not open$"):
        driver.read_registers(Register.STATUS)
    driver.open()
    driver.read_registers(Register.STATUS)


def test_a_second_host_is_noticed(transport):
    first, second = Driver(transport, CONFIG), Driver(transport, CONFIG)
    first.open()
    second.open()
    while (first.session._sequence - second.session._sequence) % 256 in (0, 1, 255):
        second.open()
    with pytest.raises(DeviceError, match="the device was reset or another program talks to it"):
        first.read_registers(Register.STATUS)


def test_refusals_are_explained(driver):
    with pytest.raises(DeviceError, match=r"^READ of 1 words from LOGITS 256: the device refused, "
                                          r"the words lie beyond the space$"):
        driver.read(Space.LOGITS, CONFIG.logit_count, 1)
    with pytest.raises(DeviceError, match=r"the space cannot be written$"):
        driver.write(Space.LOGITS, 0, np.zeros((1, 4), np.uint8))
    with pytest.raises(ValueError, match=r"^words of LOGITS are uint8 \(words, 4\), not uint8 \(1, 3\)$"):
        driver.write(Space.LOGITS, 0, np.zeros((1, 3), np.uint8))
