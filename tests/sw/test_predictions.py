"""Recordings to predictions, with the integer model in place of a board."""

import io
import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from own_files import SIZE, bar_events, recording_folder, write_npz
from spikeplane import cli
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import ImageError, save_image
from spikeplane.data.formats.events import Recording
from spikeplane.data.formats.recordings import read_recording
from spikeplane.data.sets.bins import CountBins, TimeBins, scatter
from spikeplane.data.sets.datasets import DataRecipe
from spikeplane.device.driver import Answer
from spikeplane.image_data import class_names, image_data
from spikeplane.network import model
from spikeplane.network.input import InputFormat
from spikeplane.predictions import Frames, StandardInput, predict_recordings
from spikeplane.training.net.export import export_network
from spikeplane.training.run.checkpoint import Checkpoint
from spikeplane_hw.config import TINY
from training_samples import layers, recipe

STEPS = 3


def network(data: DataRecipe | None = None, names=("lies", "stands")):
    form = InputFormat(channels=2, height=SIZE, width=SIZE, steps=STEPS)
    chosen = recipe()
    chosen = replace(chosen, data=data or DataRecipe(name="recordings", steps=STEPS), layers=layers())
    checkpoint = Checkpoint.start(chosen, form, 2, names)
    return export_network(checkpoint.network, checkpoint.metadata)


class ModelDriver:
    """The integer model behind the functions of a driver that are used."""

    def __init__(self, integers, image):
        self.integers, self.image = integers, image
        self.seen: list[np.ndarray] = []

    def _answer(self, inputs: np.ndarray, steps: int = 1) -> Answer:
        sums = model.run(self.integers, inputs[None], counters=False).sums[0].numpy()
        return Answer(
            sums=sums, logits=self.image.logit_scale * (sums + self.image.logit_offset),
            counters=np.full((len(self.image.layers), 8), steps),
        )

    def run_events(self, events):
        inputs = scatter(events, *(self.image.input.shape[index] for index in (0, 2, 3)))
        self.seen.append(inputs)
        return self._answer(inputs)

    def stream(self, steps):
        whole = np.zeros(self.image.input.shape, np.uint8)
        for index, spikes in enumerate(steps):
            whole[index] = spikes
            yield self._answer(whole, index + 1)


@pytest.fixture(scope="module")
def made():
    integers = network()
    return integers, compile_network(integers, TINY)


@pytest.fixture
def files(tmp_path):
    recording_folder(tmp_path / "bars", 3)
    return sorted((tmp_path / "bars").rglob("*.npz"))


def frames(image, **settings) -> Frames:
    return Frames.of(image, **{"width": SIZE, "height": SIZE} | settings)


def test_predictions_are_the_integer_models(made, files):
    integers, image = made
    driver = ModelDriver(integers, image)
    found = list(predict_recordings(driver, files, frames(image)))
    assert [each.file for each in found] == list(map(str, files))
    for path, each, inputs in zip(files, found, driver.seen, strict=True):
        recording = read_recording(path, width=SIZE, height=SIZE)
        expected = TimeBins(steps=STEPS).spikes(recording)
        np.testing.assert_array_equal(inputs, expected)
        label = int(model.run(integers, expected[None]).predictions[0])
        assert (each.label, each.name) == (label, ("lies", "stands")[label])
        assert each.spikes == expected.sum() and each.events == len(recording.events)
        assert each.cycles == len(image.layers)
        assert json.loads(json.dumps(each.to_dict()))["logits"] == pytest.approx(each.logits)


@pytest.mark.parametrize("names", [None, 3, ["a"], ["a", 1], "ab"])
def test_names_that_are_none_are_labels(names):
    assert class_names({"class_names": names}, 2) == ["0", "1"]


def test_a_bad_file_stops_no_other(made, files, tmp_path):
    integers, image = made
    broken, other = tmp_path / "a.npz", tmp_path / "b.npz"
    broken.write_bytes(b"nothing")
    write_npz(other, bar_events(0, 0, size=SIZE + 1))
    absent = tmp_path / "absent.npz"
    found = list(predict_recordings(
        ModelDriver(integers, image), [broken, files[0], absent, other, tmp_path / "c.txt"], frames(image)
    ))
    assert [each.error is None for each in found] == [False, True, False, False, False]
    assert str(broken) in found[0].text and "cannot be read: No such file" in found[2].text
    assert "which must be below 12" in found[3].text and "expected a name that ends in" in found[4].text
    assert found[0].to_dict() == {"file": str(broken), "error": found[0].error}


def test_another_frame_is_named(made):
    integers, image = made
    recording = Recording(name="wide", events=bar_events(0, 0), width=20, height=SIZE)
    found, = predict_recordings(ModelDriver(integers, image), [recording], frames(image))
    assert found.error == ("wide: its 12 x 20 pixels make 2 x 12 x 20, the image takes 2 x 12 x 12: give --side or "
                           "--downsample")


def test_the_prediction_after_each_step(made, files):
    integers, image = made
    found, = predict_recordings(ModelDriver(integers, image), files[:1], frames(image), by_step=True)
    assert len(found.running) == STEPS and found.running[-1] == found.label
    assert found.cycles == STEPS * len(image.layers)
    assert found.text.endswith("; by step " + " ".join(map(str, found.running)))


def test_bins_are_those_of_the_training(made):
    data = DataRecipe(name="nmnist", steps=STEPS, downsample=2, threshold=3)
    image = compile_network(network(data), TINY)
    assert image_data(image) == data
    assert Frames.of(image) == Frames(
        bins=TimeBins(steps=STEPS, downsample=2, threshold=3, duration=300_000), keep_times=True
    )
    chosen = Frames.of(image, side=12, frames="count", threshold=1)
    assert chosen.bins == CountBins(steps=STEPS, side=12)
    own = {"data": {"name": "recordings", "steps": STEPS, "duration": 7}}
    silent = compile_network(replace(network(), metadata=own), TINY)
    assert Frames.of(silent).bins == TimeBins(steps=STEPS, duration=7)
    nothing = compile_network(replace(network(), metadata={}), TINY)
    assert Frames.of(nothing).bins == TimeBins(steps=STEPS)
    with pytest.raises(ValueError, match=r"data.frames must be one of time, count, not 'x'"):
        Frames.of(nothing, frames="x")


def test_times_of_a_file_are_kept_where_the_training_kept_them(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(bytes([1, 2, 0, 0x10, 0, 3, 4, 0x80, 0x20, 0]))
    assert read_recording(path).events["t"].tolist() == [0, 0x1000]
    assert read_recording(path, keep_times=True).events["t"].tolist() == [0x1000, 0x2000]
    assert Frames(bins=TimeBins(steps=1), keep_times=True).read(path).events["t"][0] == 0x1000


def test_standard_input(made, files):
    content = files[0].read_bytes()
    found = StandardInput(content=content, ending="npz").read(frames(made[1]))
    assert found.name == "standard input"
    np.testing.assert_array_equal(found.events, read_recording(files[0], width=SIZE, height=SIZE).events)
    with pytest.raises(ValueError, match=r"^standard input: format 'txt', must be one of bin, dat, aedat"):
        StandardInput(content=content, ending="txt")
    with pytest.raises(ValueError, match=r"^standard input: not a readable NumPy file"):
        StandardInput(content=content[:20], ending=".NPZ").read(frames(made[1]))


@pytest.fixture
def command(made, tmp_path, monkeypatch, capsys):
    """Return what runs the command, with the model in place of a board, and returns status, output and errors."""
    integers, image = made
    save_image(image, tmp_path / "bars.spk")

    class Board(ModelDriver):
        def __init__(self, transport, config):
            super().__init__(integers, image)
            self.image = None

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def load(self, loaded):
            self.image = loaded

        def self_test(self):
            pass

    monkeypatch.setattr("spikeplane.device.driver.Driver", Board)
    monkeypatch.setattr("spikeplane.device.simulated.SimulatedTransport", lambda config: None)
    monkeypatch.setenv("COLUMNS", "60")

    def invoke(*arguments, stdin: bytes = b""):
        monkeypatch.setattr(sys, "argv", ["spikeplane", "run", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin)))
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, *capsys.readouterr()

    return invoke


SIZES = ("--width", SIZE, "--height", SIZE)


def test_the_command_prints_a_line_for_each(command, files, tmp_path):
    status, shown, errors = command(tmp_path / "bars.spk", *files, *SIZES)
    lines = shown.splitlines()
    assert (status, len(lines), errors) == (0, len(files), "")
    assert lines[0].startswith(f"{files[0]}: ") and "24 events" in lines[0]
    status, shown, _ = command(tmp_path / "bars.spk", *files, *SIZES, "--json")
    assert [json.loads(line)["file"] for line in shown.splitlines()] == list(map(str, files))


def test_the_command_ends_in_an_error_if_a_file_does(command, files, tmp_path):
    status, shown, errors = command(tmp_path / "bars.spk", tmp_path / "absent.npz", files[0], *SIZES)
    assert status == 1 and len(shown.splitlines()) == 1
    assert errors == f"spikeplane: {tmp_path / 'absent.npz'}: cannot be read: No such file or directory\n"
    status, shown, errors = command(tmp_path / "bars.spk", tmp_path / "absent.npz", "--json")
    assert status == 1 and "error" in json.loads(shown) and not errors


def test_the_command_reads_standard_input(command, files, tmp_path):
    status, shown, _ = command(tmp_path / "bars.spk", "-", "--format", "npz", *SIZES, stdin=files[0].read_bytes())
    assert status == 0 and shown.startswith("standard input: ")
    status, _, errors = command(tmp_path / "bars.spk", "-", *SIZES)
    assert status == 2 and "needs --format" in errors
    status, _, errors = command(tmp_path / "bars.spk", "-", "--format", "txt", *SIZES, stdin=b"junk")
    assert status == 1 and errors.startswith("spikeplane: standard input: format 'txt', must be one of")


def test_standard_input_that_is_no_recording_stops_no_other(command, files, tmp_path):
    line = [tmp_path / "bars.spk", files[0], "-", files[1], "--format", "npz", *SIZES]
    status, shown, errors = command(*line, "--json", stdin=b"junk")
    found = [json.loads(each) for each in shown.splitlines()]
    assert status == 1 and not errors
    assert [each["file"] for each in found] == [str(files[0]), "standard input", str(files[1])]
    assert [each.get("error", "")[:41] for each in found] == ["", "standard input: not a readable NumPy file", ""]
    status, shown, errors = command(*line, stdin=b"junk")
    assert status == 1 and len(shown.splitlines()) == 2
    assert errors.startswith("spikeplane: standard input: not a readable NumPy file") and errors.count("\n") == 1


def test_names_of_files_are_shown_as_they_are(command, files, tmp_path):
    path = files[0].rename(tmp_path / "a:smile:[red].npz")
    status, shown, errors = command(tmp_path / "bars.spk", path, tmp_path / "[/]:smile:.npz", *SIZES)
    assert status == 1 and shown.startswith(f"{path}: ")
    assert errors == f"spikeplane: {tmp_path}/[/]:smile:.npz: cannot be read: No such file or directory\n"


@pytest.mark.parametrize(("arguments", "message"), [
    (["--by-step"], "bars.spk: --by-step needs an image of `spikeplane compile --schedule stored`"),
    (["--frames", "x"], "bars.spk: data.frames must be one of time, count, not 'x'"),
    (["--duration", "0"], "bars.spk: data.duration must be an integer in 1.."),
])
def test_bad_options_are_named_before_a_board_is_built(command, files, tmp_path, monkeypatch, arguments, message):
    monkeypatch.setattr("spikeplane.device.simulated.SimulatedTransport", None)
    status, _, errors = command(tmp_path / "bars.spk", files[0], *arguments)
    assert status == 1 and message in errors and errors.count("\n") == 1


def test_an_image_of_pictures_is_refused(made):
    form = InputFormat(channels=1, height=8, width=8, steps=2, bits=2, direct=True)
    checkpoint = Checkpoint.start(recipe(), form, 4)
    image = compile_network(export_network(checkpoint.network, {}), TINY)
    with pytest.raises(ImageError, match=r"^the image takes pictures, not recordings"):
        Frames.of(image)

