"""Curves for TensorBoard, read back with TensorBoard's own reader."""

import sys

import pytest
from spikeplane.training.run import train as training
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.curves import FOLDER, Curves
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.train import train
from tensorboard_scalars import scalars
from training_process import sample_data
from training_samples import offer_sample, recipe


def test_curves_of_a_training(tmp_path, monkeypatch):
    offer_sample(monkeypatch, sample_data)
    path = train(recipe(epochs=3), tmp_path, progress=False, options=RunOptions(tensorboard=True))
    curves = scalars(tmp_path / FOLDER)
    history = load_checkpoint(path).history
    steps = [6, 12, 18]
    for tag, values in {
        "train/loss": [entry["loss"] for entry in history],
        "train/accuracy": [entry["accuracy"] for entry in history],
        "firing_rate/inner": [entry["rates"]["inner"] for entry in history],
    }.items():
        assert [step for step, _ in curves[tag]] == steps
        assert [value for _, value in curves[tag]] == pytest.approx(values)
    assert curves["test/accuracy"] == [(18, pytest.approx(history[-1]["test_accuracy"]))]
    rates = [value for _, value in curves["batch/learning_rate"]]
    assert len(rates) == 18 and rates[0] == pytest.approx(0.01) and rates == sorted(rates)[::-1]
    mean = sum(value for _, value in curves["batch/loss"][:6]) / 6
    assert mean == pytest.approx(history[0]["loss"])


def test_what_comes_again_is_shown_once(tmp_path):
    for done, loss in ((0, 1.0), (3, 2.0)):
        curves = Curves(tmp_path, done)
        for step in range(done + 1, done + 6):
            curves.batch(step, loss, 0.1)
        curves.close()
    assert scalars(tmp_path / FOLDER)["batch/loss"] == [
        (step, 1.0 if step <= 3 else 2.0) for step in range(1, 9)
    ]


def test_without_the_package_no_training_begins(tmp_path, monkeypatch):
    offer_sample(monkeypatch, sample_data)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.delattr(training._Training, "_batch")
    with pytest.raises(ValueError, match=r"tensorboard is needed: .* spikeplane\[tensorboard\]"):
        train(recipe(), tmp_path, progress=False, options=RunOptions(tensorboard=True))
