"""A core that does not end, at a time-out, at Ctrl-C and when a session opens; and programs of random bits."""

from functools import cache

import numpy as np
import pytest
import ragged_networks
from narrow_core import CONFIG
from spikeplane.compiler.compile import compile_network
from spikeplane.device import simulated
from spikeplane.device.driver import DeviceError, Driver
from spikeplane_hw.descriptor import Job, descriptor_words, job_layout
from spikeplane_hw.memory_map import Control, Register, Space, memory_map
from stopping import stop_programs


@pytest.fixture
def driver(transport, monkeypatch):
    monkeypatch.setattr(simulated, "REST_LIMIT", 1000)
    driver = Driver(transport, CONFIG, timeout=0.01)
    driver.open()
    return driver


@cache
def image():
    networks = (ragged_networks.network(seed) for seed in range(100))
    return compile_network(next(n for n in networks if n.input.steps > 1 and n.input.channels <= 2), CONFIG)


def begin_endless_run(driver):
    """Start a layer whose descriptors are zeros, which walks for billions of cycles."""
    program = memory_map(CONFIG)[Space.PROGRAM]
    words = np.zeros((program.depth, program.word_bytes), np.uint8)
    at = 0
    for job in (Job.LAYER, Job.TERM, Job.WALK):
        words[at, 0] = job.value
        at += descriptor_words(job_layout(CONFIG, job))
    driver.write(Space.PROGRAM, 0, words)
    driver.write_register(Register.CONTROL, Control.RUN.value)
    driver.transport.advance(1000)
    assert driver.read_registers(Register.STATUS)[0] & 1


def check_usable(driver):
    driver.load(image())
    assert driver.self_test() == len(image().vectors) > 0


def test_a_session_that_finds_the_core_busy_stops_it(driver, transport):
    begin_endless_run(driver)
    again = Driver(transport, CONFIG)
    with pytest.warns(RuntimeWarning, match=r"^the core was busy with what an earlier session began; it was stopped$"):
        again.open()
    check_usable(again)


def test_a_run_that_does_not_end_is_stopped_and_named(driver):
    driver.load(image())
    begin_endless_run(driver)
    driver.run_timeout = 0.01
    with pytest.raises(DeviceError, match=r"^a run begun before was not over after 0\.01 s and was stopped; "
                                          r"load the image again$"):
        driver.run(image().vectors[0].sample)
    with pytest.raises(DeviceError, match=r"^no image is loaded$"):
        driver.run(image().vectors[0].sample)
    driver.run_timeout = 60.0
    check_usable(driver)


@pytest.mark.parametrize("interrupted", ["read", "rest"])
def test_ctrl_c_stops_the_run(driver, transport, monkeypatch, interrupted):
    driver.load(image())
    begin_endless_run(driver)
    inner, calls = getattr(transport, interrupted), []

    def interrupt(seconds):
        calls.append(seconds)
        if len(calls) == 1:
            inner(seconds)  # what the device answers is lost
            raise KeyboardInterrupt
        return inner(seconds)

    monkeypatch.setattr(transport, interrupted, interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        driver.run(image().vectors[0].sample)
    assert caught.value.__notes__ == ["a run begun before was under way and was stopped; load the image again"]
    assert not driver.read_registers(Register.STATUS)[0] & 1
    check_usable(driver)


def test_ctrl_c_is_not_lost_where_the_device_is_silent(driver, transport, monkeypatch):
    driver.load(image())
    begin_endless_run(driver)
    with monkeypatch.context() as patch:
        def interrupt(seconds):
            patch.setattr(transport, "read", lambda timeout: b"")
            raise KeyboardInterrupt

        patch.setattr(transport, "rest", interrupt)
        with pytest.raises(KeyboardInterrupt) as caught:
            driver.run(image().vectors[0].sample)
    assert caught.value.__notes__[0].startswith("a run begun before was under way and could not be stopped: HELLO")
    with pytest.warns(RuntimeWarning, match="it was stopped"):
        driver.open()
    check_usable(driver)


def test_a_request_cut_short_ends_the_session(driver, transport, monkeypatch):
    """The next request would have its number, and be taken for its repetition: nothing would be written."""
    with monkeypatch.context() as patch:
        def interrupt(seconds):
            raise KeyboardInterrupt

        patch.setattr(transport, "read", interrupt)
        with pytest.raises(KeyboardInterrupt):
            driver.read_registers(Register.IDENTITY)
    with pytest.raises(DeviceError, match=r"the session is not open$"):
        driver.write_register(Register.OUTER_STEPS, 1)
    driver.open()
    check_usable(driver)


def test_a_core_that_ignores_stop_is_named(driver, monkeypatch):
    monkeypatch.setattr(driver, "write_register", lambda register, value: None)
    begun = Driver(driver.transport, CONFIG)
    begun.open()
    begin_endless_run(begun)
    with pytest.raises(DeviceError, match=r"^the core is busy in spite of STOP: program the board again$"):
        driver.stop()
    begun.stop()


@pytest.mark.parametrize("stalled", [False, True], ids=["smooth", "stalled"])
def test_no_program_takes_the_board_away(driver, transport, stalled):
    transport.stall(7, 0.3 if stalled else 0.0)
    stops = stop_programs(driver, image(), 60, seed=1 + stalled)
    transport.stall(0, 0.0)
    assert stops.exact == stops.programs == 60
    assert stops.busy > 20
