"""Trainings that are killed or asked to stop, in real processes."""

import random
import re
import signal
import time

import pytest
from spikeplane.training.run.curves import FOLDER
from spikeplane.training.run.interrupts import StopSignals
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.train import CHECKPOINT, train
from tensorboard_scalars import scalars
from training_process import batches_done, command, sample_data, start, wait_for
from training_samples import offer_sample, recipe

EPOCHS, BATCHES = 16, 6


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of an uninterrupted training."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        offer_sample(patch, sample_data)
        options = RunOptions(device="cpu", tensorboard=True)
        train(recipe(epochs=EPOCHS), folder, progress=False, options=options)
    return folder


def test_a_killed_training_ends_as_an_uninterrupted_one(tmp_path, whole):
    draw = random.Random(time.time_ns())
    path = tmp_path / CHECKPOINT
    arguments = command(recipe(epochs=EPOCHS), tmp_path, "--save-every", "0", "--tensorboard")
    for low, high in ((1, 20), (30, 50), (60, 80)):
        process = start(arguments)
        wait_for(process, path, BATCHES, draw.randint(low, high))
        time.sleep(draw.uniform(0, 0.03))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert low <= batches_done(path, BATCHES) < EPOCHS * BATCHES
    process = start(arguments)
    assert process.wait() == 0, process.communicate()[1]
    process.communicate()
    assert path.read_bytes() == (whole / CHECKPOINT).read_bytes()
    curves = scalars(tmp_path / FOLDER)
    assert curves == scalars(whole / FOLDER)
    assert [step for step, _ in curves["batch/loss"]] == list(range(1, EPOCHS * BATCHES + 1))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_asked_to_stop_saves_and_says_so(
    tmp_path, whole, number, monkeypatch
):
    path = tmp_path / CHECKPOINT
    process = start(command(recipe(epochs=EPOCHS), tmp_path))
    wait_for(process, path, BATCHES, BATCHES)
    process.send_signal(number)
    _, shown = process.communicate()
    assert process.returncode == 128 + number
    assert "Traceback" not in shown
    message = re.search(
        r"spikeplane: stopped after (\d+) of 16 epochs and (\d+) of 6 batches; saved in (\S+)\. "
        r"The same command goes on from there\.", shown,
    )
    assert message, shown
    assert message[3] == str(path)
    assert batches_done(path, BATCHES) == int(message[1]) * BATCHES + int(message[2])
    offer_sample(monkeypatch, sample_data)
    train(recipe(epochs=EPOCHS), tmp_path, progress=False, options=RunOptions(device="cpu"))
    assert path.read_bytes() == (whole / CHECKPOINT).read_bytes()


def test_a_second_interrupt_stops_at_once():
    previous = signal.getsignal(signal.SIGINT)
    with StopSignals() as signals:
        signal.raise_signal(signal.SIGINT)
        assert signals.received == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is previous
    with StopSignals(patient=True) as signals:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
