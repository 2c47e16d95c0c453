"""Trainings by two processes that torchrun starts, against those by one."""

import signal
from dataclasses import replace

import pytest
import torch
from spikeplane.training.recipe.sources import TeacherRecipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.curves import FOLDER
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.processes import Processes
from spikeplane.training.run.train import CHECKPOINT, train
from tensorboard_scalars import scalars
from training_process import batches_done, command, sample_data, start, wait_for
from training_samples import layers, offer_sample, recipe

TWO = ("-m", "torch.distributed.run", "--nproc-per-node", "2")
TOLERANCE = 1e-5
"""Of weights and statistics, relative and absolute: sums of float32 in another order."""


def test_two_processes_train_as_one(tmp_path, monkeypatch):
    # Batches of 13 and 14 samples: halves that differ.
    chosen, batches = recipe(epochs=3, batch_size=15, regularizers={"spike_regulation": {"weight": 5.0}}), 7
    offer_sample(monkeypatch, sample_data)
    options = RunOptions(device="cpu", tensorboard=True)
    one = load_checkpoint(train(chosen, tmp_path / "one", progress=False, options=options))
    path = tmp_path / "two" / CHECKPOINT
    arguments = command(
        chosen, path.parent, "--save-every", "0", "--tensorboard", launcher=TWO
    )
    stopped = start(arguments)
    wait_for(stopped, path, batches, 2)
    stopped.send_signal(signal.SIGINT)
    _, shown = stopped.communicate()
    assert shown.count("spikeplane: stopped after") == 1, shown
    done = batches_done(path, batches)
    assert f"{done // batches} of 3 epochs and {done % batches} of 7 batches; saved in {path}" in shown
    process = start(arguments)
    output, shown = process.communicate()
    assert process.returncode == 0, shown
    assert output.count("checkpoint:") == 1
    two = load_checkpoint(path)
    assert (one.run["processes"], two.run["processes"]) == ("1", "2")
    expected, found = one.network.state_dict(), two.network.state_dict()
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=TOLERANCE, atol=TOLERANCE, msg=name)
    for mine, theirs in zip(one.history, two.history, strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], rel=TOLERANCE)
        assert theirs["rates"] == pytest.approx(mine["rates"], rel=TOLERANCE)
        assert theirs["accuracy"] == mine["accuracy"]
    assert two.history[-1]["test_accuracy"] == one.history[-1]["test_accuracy"]
    # Only the first process wrote curves.
    mine, theirs = scalars(tmp_path / "one" / FOLDER), scalars(path.parent / FOLDER)
    assert mine.keys() == theirs.keys()
    for tag, points in mine.items():
        steps, values = zip(*points, strict=True)
        other_steps, other_values = zip(*theirs[tag], strict=True)
        assert other_steps == steps and other_values == pytest.approx(values, rel=TOLERANCE)


def test_one_sample_a_process_trains_as_two_in_one(tmp_path, monkeypatch):
    offer_sample(monkeypatch, sample_data)
    # A dense layer at one step: each process has one value of a channel to normalize. The gradients of two
    # values' normalization cancel but for rounding, which AdamW would scale up.
    chosen = recipe(epochs=1, batch_size=2, optimizer="sgd", learning_rate=0.01)
    chosen = replace(chosen, layers=layers(pooled=False), data=replace(chosen.data, steps=1))
    one = load_checkpoint(train(chosen, tmp_path / "one", progress=False, options=RunOptions(device="cpu")))
    process = start(command(chosen, tmp_path / "two", launcher=TWO))
    _, shown = process.communicate()
    assert process.returncode == 0, shown
    two = load_checkpoint(tmp_path / "two" / CHECKPOINT)
    assert two.history[0]["loss"] == pytest.approx(one.history[0]["loss"], rel=TOLERANCE)
    expected, found = one.network.state_dict(), two.network.state_dict()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-3, msg=name)


def test_two_processes_learn_from_a_teacher_as_one(tmp_path, monkeypatch):
    offer_sample(monkeypatch, sample_data)
    taught = train(recipe(epochs=2).float32(), tmp_path / "teacher", progress=False)
    chosen = recipe(
        epochs=2, batch_size=15, validation=10, teacher=TeacherRecipe(checkpoint=str(taught)),
        losses={"tet": {"label_smoothing": 0.1}, "distillation": {}, "potential_distillation": {"weight": 2.0}},
    )
    options = RunOptions(device="cpu", validate_every=1)
    one = load_checkpoint(train(chosen, tmp_path / "one", progress=False, options=options))
    process = start(command(chosen, tmp_path / "two", "--validate-every", "1", launcher=TWO))
    _, shown = process.communicate()
    assert process.returncode == 0, shown
    two = load_checkpoint(tmp_path / "two" / CHECKPOINT)
    expected, found = one.network.state_dict(), two.network.state_dict()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=TOLERANCE, atol=TOLERANCE, msg=name)
    for mine, theirs in zip(one.history, two.history, strict=True):
        assert theirs["loss"] == pytest.approx(mine["loss"], rel=TOLERANCE)
        assert theirs["validation_accuracy"] == mine["validation_accuracy"]


def test_an_error_in_one_process_ends_all(tmp_path):
    process = start(command(recipe(epochs=10_000), tmp_path, launcher=TWO), FAILING_RANK="1")
    _, shown = process.communicate(timeout=200)
    assert process.returncode == 1
    assert "spikeplane: no third batch" in shown
    assert not (tmp_path / CHECKPOINT).exists()


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shares_are_all_samples_in_order(count):
    for samples in range(count, 30):
        parts = [range(samples)[Processes(torch.device("cpu"), r, count).share(samples)] for r in range(count)]
        assert [index for part in parts for index in part] == list(range(samples))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
