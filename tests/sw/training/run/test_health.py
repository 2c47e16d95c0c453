"""What is wrong with a training: of a history, of counts, and as trainings and evaluations tell it."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from spikeplane import cli
from spikeplane.findings import Finding
from spikeplane.training.net.export import export_network
from spikeplane.training.recipe.regularizers import REGULARIZERS
from spikeplane.training.recipe.sources import TeacherRecipe
from spikeplane.training.run import evaluate as evaluation
from spikeplane.training.run import train as training
from spikeplane.training.run.activity import Activity
from spikeplane.training.run.checkpoint import load_checkpoint, save_checkpoint
from spikeplane.training.run.evaluate import evaluate
from spikeplane.training.run.health import (
    activity_findings,
    checkpoint_findings,
    guessing_findings,
    guessing_loss,
    new_findings,
)
from spikeplane.training.run.train import train
from training_process import sample_data
from training_samples import offer_sample, recipe, samples, untrained_checkpoint
from typer.testing import CliRunner

ZOO = Path(__file__).parents[4] / "zoo"
QUIET = ("silent layer", "inner")


@pytest.fixture(autouse=True)
def use_samples(monkeypatch):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    offer_sample(monkeypatch, sample_data)
    yield
    torch.set_num_threads(threads)


def keys(findings: list[Finding]) -> set[tuple[str, str | None]]:
    return {(finding.kind, finding.layer) for finding in findings}


def entry(loss: float = 1.0, inner: float = 0.2, accuracy: float = 0.9, **more) -> dict:
    return {"loss": loss, "accuracy": accuracy, "rates": {"first": 0.3, "inner": inner, "last": 0.1}, **more}


def with_history(*entries: dict, epochs: int = 4):
    checkpoint = untrained_checkpoint(epochs=epochs)
    checkpoint.history, checkpoint.epoch = list(entries), len(entries)
    return checkpoint


def test_layers_and_loss_are_new_once():
    entries = [entry(), entry(inner=0.0), entry(loss=5.0, inner=0.0), entry(loss=math.nan, inner=0.1)]
    found = [keys(new_findings(with_history(*entries[:count]))) for count in range(1, 5)]
    assert found == [set(), {QUIET}, {("exploded loss", None)}, set()]


def test_a_checkpoint_tells_of_its_last_epoch():
    assert checkpoint_findings(with_history(*[entry()] * 4)) == []
    assert keys(checkpoint_findings(with_history(*[entry()] * 3, entry(loss=5.0, inner=0.0)))) == {
        QUIET, ("exploded loss", None),
    }
    (stopped,) = checkpoint_findings(with_history(*[entry()] * 3, epochs=12))
    assert stopped.what == "the training was stopped after epoch 3 of 12"
    begun = untrained_checkpoint()
    begun.batch = 2
    assert [found.what for found in checkpoint_findings(begun)] == [
        "the training was stopped after epoch 0 of 4 and 2 batches"
    ]
    for more, part in (({}, "training"), ({"validation_accuracy": 0.25}, "validation"),
                       ({"validation_accuracy": 0.9, "test_accuracy": 0.25}, "test")):
        (guessed,) = checkpoint_findings(with_history(*[entry()] * 3, entry(accuracy=0.9 if more else 0.25, **more)))
        assert guessed.what.startswith(f"accuracy is 25.00% on the {part} data in epoch 4, no better than")


@pytest.mark.parametrize("name", ["digits", "mnist", "mnist_tiny", "ncars", "nmnist"])
def test_the_zoo_is_sound(name):
    checkpoint = load_checkpoint(ZOO / name / training.CHECKPOINT)
    assert checkpoint_findings(checkpoint) == []
    assert {clipped for clipped, _ in export_network(checkpoint.network).clipped.values()} == {0}


def test_a_history_without_rates_has_no_silent_layers():
    old = entry()
    del old["rates"]
    assert checkpoint_findings(with_history(*[old] * 4)) == []


def test_the_loss_of_guessing(monkeypatch):
    assert guessing_loss(recipe(regularizers={}), 4) == math.log(4)
    assert guessing_loss(recipe(regularizers={"spike_regulation": {"weight": 3.0}}), 4) == math.log(4) + 3
    losses = {"tet": {"weight": 0.5, "label_smoothing": 0.1}, "mean": {}}
    assert guessing_loss(recipe(losses=losses, regularizers={}), 10) == 1.5 * math.log(10)
    taught = recipe(losses={"tet": {}, "distillation": {}}, teacher=TeacherRecipe(checkpoint="x"))
    assert guessing_loss(taught, 4) is None
    monkeypatch.setitem(REGULARIZERS._parts, "own", lambda: lambda rates: rates.sum())
    assert guessing_loss(recipe(regularizers={"own": {}}), 4) is None


def test_guessing_is_naming_the_most_frequent_class():
    labels = np.array([0] * 70 + [1] * 30)
    assert guessing_findings(0.95, labels, "") == []
    (found,) = guessing_findings(0.7, labels, "on 100 test samples")
    assert "always naming one class (70.00%, up to 79.17% by chance)" in found.what


def test_layers_of_counts():
    activity = Activity(
        samples=250, rates={"a": 0.0, "b": 0.2, "pool": 0.0}, saturated={"a": 0.0, "b": 0.5},
        channels={"a": (8, 8), "b": (3, 8), "pool": (8, 8)},
    )
    found = activity_findings(activity, ["a", "b"])
    assert keys(found) == {("silent layer", "a"), ("dead channels", "b"), ("saturation", "b")}
    assert all("on 250 samples" in finding.what for finding in found)


@pytest.fixture
def silenced(monkeypatch):
    """Trainings whose layer "inner" begins far below its threshold."""
    resume = training.resume

    def begin(*arguments):
        checkpoint = resume(*arguments)
        if not checkpoint.epoch:
            with torch.no_grad():
                checkpoint.network.layers["inner"].norm.bias.fill_(-100.0)
        return checkpoint

    monkeypatch.setattr(training, "resume", begin)


def test_a_training_says_when_a_layer_falls_silent_and_again_at_its_end(tmp_path, silenced, capsys):
    train(recipe(), tmp_path / "quiet", progress=False)
    assert capsys.readouterr().err == ""
    path = train(recipe(), tmp_path / "told")
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("spikeplane: warning: ")]
    silent = [line for line in lines if "layer 'inner': it fires at 0.000%" in line]
    assert ["in epoch 1" in silent[0], "in epoch 4" in silent[1], len(silent)] == [True, True, 2]
    (guessed,) = [line for line in lines if "no better than always naming one class" in line]
    assert "on 96 test samples" in guessed
    found = evaluate(path)
    assert {QUIET, ("guessing", None)} <= keys(found.findings)
    assert ("dead channels", "inner") not in keys(found.findings)


def test_a_sound_training_has_no_findings(tmp_path, capsys):
    path = train(recipe(epochs=12, augmentations={}), tmp_path)
    assert "warning" not in capsys.readouterr().err
    assert evaluate(path).findings == []


def test_a_loss_that_explodes_is_told_in_its_epoch(tmp_path, monkeypatch, capsys):
    batch = training._Training._batch

    def steep(run, *arguments):
        result = batch(run, *arguments)
        if run.checkpoint.epoch >= 1:
            run.checkpoint.sums.loss *= 10
        return result

    monkeypatch.setattr(training._Training, "_batch", steep)
    train(recipe(), tmp_path)
    lines = [line for line in capsys.readouterr().err.splitlines() if "the loss is " in line]
    assert ["in epoch 2, limit 2 times" in lines[0], "in epoch 4, limit 2 times" in lines[1], len(lines)] == [
        True, True, 2,
    ]


@pytest.fixture
def sick(tmp_path, silenced):
    """The checkpoint of a training that stopped after epoch 3 of 12, one channel of whose first layer is dead."""
    path = train(recipe(epochs=3), tmp_path, progress=False)
    checkpoint = load_checkpoint(path)
    checkpoint.recipe = dataclasses.replace(
        checkpoint.recipe, training=dataclasses.replace(checkpoint.recipe.training, epochs=12)
    )
    with torch.no_grad():
        norm = checkpoint.network.layers["first"].norm
        norm.bias[2] = -200.0
        checkpoint.network.layers["last"].norm.get_buffer("running_var")[1] = 0
        checkpoint.network.layers["last"].norm.weight[1] = 50.0
    save_checkpoint(checkpoint, path)
    return path


STOPPED = "the training was stopped after epoch 3 of 12"
CLIPPED = "layer 'last': M of 1 of 12 channels is at the limit"
SILENT = "layer 'inner': it fires at 0.000%"
DEAD = "layer 'first': 1 of 6 channels never fire on 96 samples"


def flat(result) -> str:
    assert result.exit_code == 0, result.output
    return " ".join(result.output.replace("│", " ").split())


def test_commands_say_what_is_wrong(tmp_path, sick, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    run = CliRunner()
    network = tmp_path / "n.network.safetensors"
    assert export_network(load_checkpoint(sick).network).clipped["last"] == (1, 12)
    shown = {
        "export": flat(run.invoke(cli.app, ["export", str(sick), str(network)])),
        "network": flat(run.invoke(cli.app, ["info", str(network)])),
        "checkpoint": flat(run.invoke(cli.app, ["info", str(sick)])),
        "evaluate": flat(run.invoke(cli.app, ["evaluate", str(sick)])),
        "report": flat(run.invoke(cli.app, ["report", str(sick)])),
    }
    told = {
        "export": (STOPPED, CLIPPED), "network": (CLIPPED,), "checkpoint": (STOPPED, CLIPPED, SILENT),
        "evaluate": (STOPPED, CLIPPED, SILENT, DEAD), "report": (STOPPED, CLIPPED, SILENT, DEAD),
    }
    for command, texts in told.items():
        for text in texts:
            assert shown[command].count(text) == 1, (command, text, shown[command])
    kinds = {
        (found["kind"], found["layer"])
        for found in json.loads((sick.parent / "report.json").read_text())["network"]["findings"]
    }
    assert {("unfinished", None), ("clipped multipliers", "last"), QUIET, ("dead channels", "first")} <= kinds
    page = (sick.parent / "report.html").read_text()
    assert STOPPED in page and "M of 1 of 12 channels is at the limit" in page


def test_evaluate_says_on_how_many_samples_each_line_rests(tmp_path, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    offer_sample(monkeypatch, lambda *_: samples(count=300))
    path = train(recipe(epochs=1), tmp_path, progress=False)
    shown = CliRunner().invoke(cli.app, ["evaluate", str(path)]).output
    for line, count in (("as trained", 300), ("integer model", 300), ("same predictions", 250),
                        ("inner: same spikes", 250), ("inner: firing rate", 250)):
        (row,) = [row for row in shown.splitlines() if row.strip("│ ").startswith(line)]
        assert row.strip("│ ").endswith(f" {count}"), row


def test_integers_that_predict_worse_are_found(tmp_path, monkeypatch):
    path = train(recipe(epochs=12, augmentations={}), tmp_path, progress=False)
    monkeypatch.setattr(evaluation, "predict_integer", lambda network, inputs: np.zeros(len(inputs), np.int64))
    found = evaluate(path)
    assert found.integer is not None
    points = 100 * (found.trained - found.integer)
    assert [(each.kind, each.what.startswith(f"integers predict {points:.2f} points worse than"))
            for each in found.findings] == [("accuracy lost", True)]


def test_a_float_twin_has_the_activity_of_its_network(tmp_path):
    path = train(recipe(epochs=6, augmentations={}).float32(), tmp_path, progress=False)
    found = evaluate(path)
    assert found.activity.samples == 96 and found.activity.saturated == {}
    assert list(found.activity.rates) == ["first", "inner", "pool", "last"]
    for name, rate in load_checkpoint(path).history[-1]["rates"].items():
        assert found.activity.rates[name] == pytest.approx(rate, abs=0.1)
