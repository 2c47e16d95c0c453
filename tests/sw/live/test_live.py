"""Live events through a board: the integer model stands in for it, or the simulated board runs."""

import json
import re
import socket
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from lively_networks import lively
from own_files import SIZE, bar_events, recording_folder, write_npz
from packet_senders import encode
from spikeplane import cli
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import save_image
from spikeplane.data.formats.events import Recording, RecordingError
from spikeplane.data.sets.bins import CountBins, TimeBins, scatter
from spikeplane.data.sets.datasets import DataRecipe
from spikeplane.device.driver import Answer
from spikeplane.live.live import FEEDER, LiveStatistics, run_live
from spikeplane.live.sources import FileSource, SourceError, UdpSource, open_source
from spikeplane.network import model
from spikeplane.network.input import InputFormat
from spikeplane.network.schedule import Schedule
from spikeplane.training.net.export import export_network
from spikeplane.training.run.checkpoint import Checkpoint
from spikeplane_hw.config import TINY
from training_samples import layers, recipe

STEPS = 3
EVERY = 0.001
CELLS = CountBins(steps=1, downsample=2)
SIDE = SIZE // 2
"""Of the input: cells of 2 x 2 pixels of the sensor."""


@pytest.fixture(scope="module")
def made():
    form = InputFormat(channels=2, height=SIDE, width=SIDE, steps=STEPS)
    data = DataRecipe(name="recordings", steps=STEPS, duration=3000, downsample=2)
    chosen = replace(recipe(), data=data, layers=[layers()[0], layers()[-1]])
    checkpoint = Checkpoint.start(chosen, form, 2, ("stands", "lies"))
    integers = export_network(lively(made=checkpoint.network), checkpoint.metadata)
    return integers, compile_network(integers, TINY, Schedule.STORED)


class ModelDriver:
    """The integer model behind a driver's stream; each step takes ``seconds``."""

    def __init__(self, made, seconds: float = 0.0):
        self.integers, self.image = made
        self.seconds = seconds
        self.seen: list[np.ndarray] = []

    def stream(self, steps, *, counted=True):
        for events in steps:
            time.sleep(self.seconds)
            self.seen.append(scatter(events, 1, SIDE, SIDE)[0])
            whole = np.stack(self.seen)
            network = replace(self.integers, input=replace(self.integers.input, steps=len(whole)))
            sums = model.run(network, whole[None], counters=False).sums[0].numpy()
            yield Answer(sums=sums, logits=np.zeros(2), counters=np.zeros((0, 8)))


def feeders() -> list[threading.Thread]:
    """Return the threads that still read events."""
    return [thread for thread in threading.enumerate() if thread.name == FEEDER]


def source(count=3, **options) -> FileSource:
    """Return a recording of ``count`` bars, 3 ms each."""
    every = [bar_events(index % 2, index) for index in range(count)]
    for index, events in enumerate(every):
        events["t"] += 3000 * index
    return FileSource(name="bars", patient=True, **options, recording=Recording(
        name="bars", events=np.concatenate(every), width=SIZE, height=SIZE,
    ))


def test_steps_are_those_of_the_model(made):
    """The running prediction is that of the last steps: sums of a window, with the offset of as many steps."""
    integers, image = made
    driver, statistics = ModelDriver(made), LiveStatistics()
    given = source()
    found = list(run_live(driver, given, EVERY, CELLS, (SIZE, SIZE), statistics=statistics))
    events = given.recording.events
    spikes = TimeBins(steps=9, duration=9000, downsample=2).spikes(given.recording)
    np.testing.assert_array_equal(np.stack(driver.seen), spikes)
    network = replace(integers, input=replace(integers.input, steps=9))
    whole = model.run(network, spikes[None], counters=False).sums[0].numpy()
    before = model.run(replace(network, input=replace(network.input, steps=6)), spikes[None, :6]).sums[0].numpy()
    np.testing.assert_allclose(found[-1].logits, image.logit_scale * (whole - before + image.logit_offset))
    first = model.run(replace(network, input=replace(network.input, steps=1)), spikes[None, :1]).sums[0].numpy()
    np.testing.assert_allclose(found[0].logits, image.logit_scale * (first + image.logit_offset / STEPS))
    assert len({tuple(each.logits) for each in found}) == 9, "the network says something"
    assert [each.index for each in found] == list(range(9))
    assert all(each.name == ("stands", "lies")[each.label] == ("stands", "lies")[int(np.argmax(each.logits))]
               for each in found)
    assert statistics.steps == 9 and statistics.events == len(events) and statistics.spikes == spikes.sum()
    assert statistics.dropped_bins == statistics.outside == 0
    assert len(statistics.latencies) == sum(bool(each.events) for each in found)


def test_what_shows_a_step_is_given_its_spikes_and_counters(made):
    asked, shown = [], []

    class Asked(ModelDriver):
        def stream(self, steps, *, counted=True):
            asked.append(counted)
            return super().stream(steps)

    driver = Asked(made)
    found = list(run_live(driver, source(1), EVERY, CELLS, (SIZE, SIZE), show=lambda *given: shown.append(given)))
    assert [step for step, _, _ in shown] == found
    for (step, spikes, counters), seen in zip(shown, driver.seen, strict=True):
        assert step.spikes == len(spikes) and counters.shape == (0, 8)
        np.testing.assert_array_equal(scatter(spikes, 1, SIDE, SIDE)[0], seen)
    list(run_live(driver, source(1), EVERY, CELLS, (SIZE, SIZE)))
    assert asked == [True, False], "counters are read only where they are shown"


def test_sums_that_wrap_are_still_those_of_the_window(made):
    class Wrapping(ModelDriver):
        def stream(self, steps, *, counted=True):
            for answer in super().stream(steps):
                sums = (answer.sums + (1 << 31) - 4).astype(np.int32).astype(np.int64)
                yield replace(answer, sums=sums)

    plain = list(run_live(ModelDriver(made), source(), EVERY, CELLS, (SIZE, SIZE), window=2))
    wrapped = list(run_live(Wrapping(made), source(), EVERY, CELLS, (SIZE, SIZE), window=2))
    for ours, theirs in list(zip(plain, wrapped, strict=True))[2:]:
        np.testing.assert_allclose(theirs.logits, ours.logits)


def test_a_slow_board_drops_the_oldest_and_counts_it(made):
    statistics = LiveStatistics()
    given = replace(source(4), patient=False)
    found = list(run_live(
        ModelDriver(made, 0.01), given, EVERY, CELLS, (SIZE, SIZE), queue=2, statistics=statistics
    ))
    bins = int(given.recording.events["t"][-1] // 1000) + 1
    assert statistics.dropped_bins > 0
    assert len(found) + statistics.dropped_bins == bins
    assert statistics.events + statistics.dropped_events == len(given.recording.events)
    assert [each.index for each in found] == sorted({each.index for each in found})
    assert found[-1].index == bins - 1  # The newest is never the one that is lost.
    quantiles = statistics.quantiles
    assert list(quantiles) == ["50 %", "90 %", "99 %", "greatest"]
    assert list(quantiles.values()) == sorted(quantiles.values()) and quantiles["greatest"] >= 0.01
    assert dict(statistics.rows)["dropped: the board was slower"].startswith(f"{statistics.dropped_bins} steps with ")


def test_events_beyond_the_frame_are_counted(made):
    opened = open_source("udp://127.0.0.1:0")
    assert isinstance(opened, UdpSource)
    beyond = bar_events(0, 1)
    beyond["x"][:5] = SIZE
    statistics = LiveStatistics()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(encode("spif", beyond), opened.socket.getsockname())
        for _ in run_live(ModelDriver(made), opened, 0.02, CELLS, (SIZE, SIZE), statistics=statistics):
            if statistics.events:
                break
    assert statistics.outside == 5 and statistics.events == len(beyond)
    assert opened.socket.fileno() == -1 and not feeders()


def test_a_source_that_fails_says_so_behind_its_bins(made):
    class Failing(FileSource):
        def bins(self, every, stopping):
            yield from list(super().bins(every, stopping))[:2]
            raise SourceError("bars: the connection broke off")

    given = Failing(name="bars", patient=True, recording=source().recording)
    steps = run_live(ModelDriver(made), given, EVERY, CELLS, (SIZE, SIZE))
    assert [next(steps).index, next(steps).index] == [0, 1]
    with pytest.raises(SourceError, match="bars: the connection broke off"):
        next(steps)
    assert not feeders()


@pytest.mark.parametrize(("settings", "size", "error", "message"), [
    ({"window": 0}, (SIZE, SIZE), ValueError, "a window of 0 steps of 0.001 s, must be of 1 or more"),
    ({"queue": 0}, (SIZE, SIZE), ValueError, "a queue of 0 bins, must be 1 or more"),
    ({}, (SIZE, 2 * SIZE), RecordingError, r"a sensor of 12 x 24 pixels makes \(2, 6, 12\), the image takes \(2, 6, 6"),
])
def test_bad_settings_are_named(made, settings, size, error, message):
    with pytest.raises(error, match=message):
        next(run_live(ModelDriver(made), source(), EVERY, CELLS, size, **settings))


@pytest.fixture
def command(tmp_path, monkeypatch, capsys, made):
    save_image(made[1], tmp_path / "bars.spk")
    save_image(compile_network(made[0], TINY), tmp_path / "whole.spk")
    recording_folder(tmp_path / "bars", 1)
    write_npz(tmp_path / "wide.npz", bar_events(0, 1, 2 * SIZE))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def invoke(*arguments):
        monkeypatch.setattr(sys, "argv", ["spikeplane", "live", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, *capsys.readouterr()

    return invoke


def test_the_command_on_the_simulated_board(command, made):
    frame = ("--width", str(SIZE), "--height", str(SIZE))
    status, shown, errors = command("bars.spk", "--source", "bars/lies/00.npz", "--fast", "--json", *frame)
    assert status == 0, errors
    *steps, last = map(json.loads, shown.splitlines())
    driver = ModelDriver(made)
    recording = Recording(name="x", events=bar_events(1, 1), width=SIZE, height=SIZE)
    expected = list(run_live(
        driver, FileSource(name="x", recording=recording, patient=True), EVERY, CELLS, (SIZE, SIZE)
    ))
    for ours, theirs in zip(expected, steps, strict=True):
        np.testing.assert_allclose(theirs["logits"], ours.logits)
        assert theirs["events"] == ours.events and theirs["label"] == ours.label
    assert last["steps"] == len(expected) and last["dropped_bins"] == 0 and last["latency"]["99 %"] > 0
    status, shown, errors = command("bars.spk", "--source", "bars/lies/00.npz", *frame, "--page", "--page-port", "0")
    assert status == 0, errors
    assert re.match(r"page: http://127\.0\.0\.1:[1-9]\d+/\n", errors)
    assert "0.000 s: " in shown and "latency, 99 %" in shown and "events/s" in shown


@pytest.mark.parametrize(("arguments", "message"), [
    (["whole.spk", "--source", "x"], "whole.spk: live input needs an image of `spikeplane compile --schedule stored`"),
    (["bars.spk", "--source", "absent.npz"], "absent.npz: cannot be read: No such file or directory"),
    (["bars.spk", "--source", "stdin", "--every", "10"], "--every 10: expected a time above 0, as 10ms"),
    (["bars.spk", "--source", "http://x"], "http://x: expected a file, udp://HOST:PORT"),
    (["bars.spk", "--source", "stdin", "--packets", "x"], "packets 'x', must be one of spif"),
    (["bars.spk", "--source", "wide.npz", "--width", "24", "--height", "24"], "a sensor of 24 x 24 pixels makes"),
    (["absent.spk", "--source", "stdin"], "absent.spk"),
])
def test_bad_arguments_of_the_command_are_named(command, arguments, message):
    status, _, errors = command(*arguments)
    assert status in (1, 2)
    assert message in " ".join(errors.replace("│", " ").split())
