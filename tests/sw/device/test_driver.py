"""The driver against the simulated board: whole networks, and everything that can go wrong on the way."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import ragged_networks
from narrow_core import CONFIG
from narrow_networks import event_array, image_of, networks
from noise import NoisyTransport
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import ImageError
from spikeplane.device import runs
from spikeplane.device.driver import DeviceError, Driver, NoAnswerError
from spikeplane.device.requests import write_calls
from spikeplane.network.model import run
from spikeplane.network.schedule import Schedule
from spikeplane_hw.config import CONFIGS, SMALL, TINY
from spikeplane_hw.memory_map import EXACT_COUNTERS, Counter, Register, Space


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


def test_event_arrays_and_samples_give_the_same(driver):
    network, image = image_of()
    driver.load(image)
    sample = ragged_networks.samples(network, 1)[0]
    step, y, x, channel = np.nonzero(np.moveaxis(sample, 1, 3))
    np.testing.assert_array_equal(driver.run_events(event_array(step, y, x, channel)).sums,
                                  driver.run(sample).sums)


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
