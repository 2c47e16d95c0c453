"""Sweeps of tiny trainings: what is tried, what is infeasible, the front, and what goes on after an interrupt."""

import gc
import itertools
import json
import sqlite3
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from optuna.storages import RDBStorage
from spikeplane import cli
from spikeplane.pruning.costs import Budget
from spikeplane.sweeping import sweep as sweep_module
from spikeplane.sweeping import trial as trial_module
from spikeplane.sweeping.space import Space, SweepError
from spikeplane.sweeping.sweep import TrialResult, pareto_front, sweep
from spikeplane.sweeping.written import write_sweep
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.interrupts import TrainingStopped
from spikeplane_hw.config import TINY
from sqlalchemy.exc import IntegrityError, OperationalError
from training_process import sample_data
from training_samples import offer_sample, recipe
from typer.testing import CliRunner

SPACE = Space(bits={"inner": (1, 2), "last": (1, 8)})
RECIPE = recipe(validation=24, epochs=1, regularizers={}, augmentations={})
WIDE = Budget("size", 10_000)


@pytest.fixture(autouse=True)
def data(monkeypatch):
    offer_sample(monkeypatch, sample_data)


@pytest.fixture
def trained(monkeypatch):
    """Return the list of the folders in which something was trained."""
    folders = []

    def train(recipe, folder, *arguments, **options):
        folders.append(folder)
        return training(recipe, folder, *arguments, **options)

    training = trial_module.train
    monkeypatch.setattr(trial_module, "train", train)
    return folders


def test_all_combinations_are_tried_once(tmp_path, trained):
    """More trials than there are combinations: each is trained once, and its figures are those of its checkpoint."""
    seen = []
    swept = sweep(RECIPE, SPACE, WIDE, tmp_path, trials=9, notify=lambda swept, total: seen.append(
        (len(swept.trials), total)))
    assert seen[0] == (0, 4) and seen[-1] == (4, 4)
    assert len(trained) == len(set(trained)) == 4 and swept.running == 0
    values = [tuple(trial.values.values()) for trial in swept.trials]
    assert sorted(values) == [(1, 1), (1, 8), (2, 1), (2, 8)]
    assert values[0] == (1, 1)  # The recipe as it is comes first.
    sizes = {tuple(trial.values.values()): trial.size for trial in swept.trials}
    first, inner, last, classifier = 2 * 6 * 9, 6 * 10 * 9, 10 * 12 * 9, 12 * 4
    assert sizes[2, 8] == first + classifier + inner / 4 + last
    for each in swept.trials:
        layers = {layer.name: layer for layer in load_checkpoint(each.checkpoint).recipe.layers}
        assert [layers[name].weight_bits for name in ("inner", "last")] == list(each.values.values())
        assert each.cycles and each.cycles > 0 and 0 <= each.accuracy <= 1
    assert swept.samples == 24
    written = write_sweep(swept, tmp_path)
    assert written["plot"].read_bytes().startswith(b"\x89PNG")
    found = json.loads(written["figures"].read_text())
    assert found["front"] == [trial.number for trial in swept.front]
    assert [trial["size"] for trial in found["trials"]] == [trial.size for trial in swept.trials]


def test_what_does_not_fit_is_not_trained(tmp_path, trained):
    """By bytes and by the core, each with its reason."""
    limit = Budget("size", 500)
    swept = sweep(RECIPE, SPACE, limit, tmp_path / "size", trials=4)
    reasons = {tuple(trial.values.values()): trial.reason for trial in swept.trials}
    assert reasons[1, 1] is reasons[2, 1] is None and len(trained) == 2
    assert reasons[1, 8] == "size=1304B is above the budget, size=500B"
    assert all(trial.accuracy is None and not trial.best for trial in swept.trials if trial.reason)
    narrow = replace(TINY, name="narrow", weight_depth=32)
    swept = sweep(RECIPE, SPACE, WIDE, tmp_path / "core", trials=4, config=narrow)
    assert len(trained) == 2, "a network that does not fit was trained"
    assert all("does not fit narrow: " in (trial.reason or "") and "limit" in trial.reason for trial in swept.trials)
    assert swept.front == []
    write_sweep(swept, tmp_path)


def test_cycles_are_known_behind_the_training(tmp_path):
    swept = sweep(RECIPE, Space(bits={"inner": (1, 2)}), Budget("cycles", 10.0), tmp_path, trials=2)
    assert all((trial.reason or "").endswith("is above the budget, cycles=10") for trial in swept.trials)


def test_what_diverges_is_infeasible(tmp_path):
    made = replace(RECIPE, training=replace(RECIPE.training, learning_rate=1e30))
    swept = sweep(made, SPACE, WIDE, tmp_path, trials=4)
    assert {trial.reason for trial in swept.trials} == {
        f"bits.inner {inner}, bits.last {last}: recipe sample: weights are infinite or NaN in epoch 1; "
        f"training.learning_rate 1e+30 may be too high" for inner in (1, 2) for last in (1, 8)
    }


def test_a_network_beyond_all_memory_is_infeasible(tmp_path, trained):
    """Nobody has so much, no address space holds it, no number counts it: the others are tried."""
    swept = sweep(RECIPE, Space(widths={"last": (1.0, 1e15, 1e17, 1e30)}), WIDE, tmp_path, trials=4)
    reasons = {trial.values["width.last"]: trial.reason for trial in swept.trials}
    assert reasons.pop(1.0) is None and len(trained) == 1
    for width, reason in reasons.items():
        assert reason.startswith(f"width.last {width}: not enough memory: ") and "\n" not in reason


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory.")], ids=["host", "GPU"])
def test_a_training_without_enough_memory_is_infeasible_and_holds_none(error, tmp_path, trained, monkeypatch, request):
    """Error and network are in a circle, which only a collection frees."""
    gc.disable()
    request.addfinalizer(gc.enable)
    training, held = trial_module.train, []

    class Network:
        pass

    def full(recipe, *arguments, **options):
        if [layer.weight_bits for layer in recipe.layers if layer.name == "last"] != [1]:
            assert all(network() is None for network in held)
            return training(recipe, *arguments, **options)
        network = Network()
        held.append(weakref.ref(network))
        network.error = type(error)(*error.args)
        raise network.error

    monkeypatch.setattr(trial_module, "train", full)
    swept = sweep(RECIPE, Space(bits={"last": (1, 8)}), WIDE, tmp_path, trials=2)
    assert [trial.reason for trial in swept.trials] == [f"bits.last 1: not enough memory: {error}", None]
    assert len(held) == len(trained) == 1


def outcome(values):
    """Return what a trial of some choices comes to, with nothing trained."""
    return trial_module.Outcome(accuracy=0.5, size=sum(values.values()), cycles=1.0, checkpoint=Path("none"))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("a bug")],
                         ids=["full disk", "bug"])
def test_other_errors_end_the_sweep_and_the_next_one_draws_something_else(error, tmp_path, monkeypatch):
    """The first combination that is drawn fails for good; all others are tried, at the first or a later start."""
    space = Space(bits={"inner": (2, 4), "last": (1, 8)})  # The recipe as it is, which comes without a draw, is none.
    drawn = []

    def failing(recipe, folder, *arguments, **options):
        raise error

    def run(runner, values):
        drawn.append(tuple(values.values()))
        return whole(runner, values) if drawn[-1] == drawn[0] else outcome(values)

    whole = trial_module.Trials.run
    monkeypatch.setattr(trial_module, "train", failing)
    monkeypatch.setattr(trial_module.Trials, "run", run)
    for _ in range(20):
        try:
            swept = sweep(RECIPE, space, WIDE, tmp_path, trials=3)
            break
        except type(error) as raised:
            assert raised is error
    else:
        raise AssertionError(f"the sweep never got beyond {drawn}")
    tried = {tuple(trial.values.values()) for trial in swept.trials}
    assert tried == set(itertools.product((2, 4), (1, 8))) - {drawn[0]}
    assert all(trial.reason is None for trial in swept.trials)


def test_an_interrupt_changes_nothing_that_is_drawn(tmp_path, monkeypatch):
    drawn = []

    def run(runner, values):
        drawn.append(tuple(values.values()))
        if len(drawn) == stop:
            raise KeyboardInterrupt
        return outcome(values)

    monkeypatch.setattr(trial_module.Trials, "run", run)
    space = Space(bits={"first": (1, 2, 4, 8), "inner": (1, 2, 4, 8), "last": (1, 2, 4, 8)})
    stop = 0
    sweep(RECIPE, space, WIDE, tmp_path / "whole", trials=4)
    expected, stop = drawn.copy(), 2
    drawn.clear()
    with pytest.raises(KeyboardInterrupt):
        sweep(RECIPE, space, WIDE, tmp_path / "interrupted", trials=4)
    sweep(RECIPE, space, WIDE, tmp_path / "interrupted", trials=4)
    assert [drawn[0], *drawn[2:]] == expected and drawn[1] == drawn[2]


def test_pruned_trials_train_on(tmp_path):
    made = replace(RECIPE, training=replace(RECIPE.training, epochs=2))
    swept = sweep(made, Space(ratios={"last": (0.0, 0.5)}), WIDE, tmp_path, trials=2)
    whole, half = sorted(swept.trials, key=lambda trial: trial.values["ratio.last"])
    network = load_checkpoint(half.checkpoint)
    assert {layer.name: layer.channels for layer in network.recipe.layers}["last"] == 6
    assert network.finished and network.recipe.training.epochs == 1
    assert half.size < whole.size
    # It started from the network that was trained whole.
    assert half.checkpoint.startswith(whole.checkpoint.removesuffix("checkpoint.safetensors"))


def test_an_interrupt_loses_nothing(tmp_path, trained, monkeypatch):
    def stopped(recipe, folder, *arguments, **options):
        raise TrainingStopped("stopped", 2)

    with monkeypatch.context() as patch:
        patch.setattr(trial_module, "train", stopped)
        with pytest.raises(TrainingStopped):
            sweep(RECIPE, SPACE, WIDE, tmp_path, trials=2)
    swept = sweep(RECIPE, SPACE, WIDE, tmp_path, trials=2)
    assert len(swept.trials) == 2 and tuple(swept.trials[0].values.values()) == (1, 1)
    assert len(trained) == 2
    again = sweep(RECIPE, SPACE, WIDE, tmp_path, trials=2)
    assert again == swept and len(trained) == 2
    more = sweep(RECIPE, SPACE, WIDE, tmp_path, trials=3)
    assert more.trials[:2] == [replace(old, best=new.best) for old, new in zip(swept.trials, more.trials, strict=False)]
    assert len(trained) == 3


def test_the_trial_of_a_killed_process_is_given_on(tmp_path):
    """It is still running, and shows no sign of life."""
    sweep(RECIPE, SPACE, WIDE, tmp_path, trials=1)
    with sqlite3.connect(tmp_path / "sweep.db") as storage:
        storage.execute("UPDATE trials SET state = 'RUNNING', datetime_complete = NULL")
        storage.execute("UPDATE trial_heartbeats SET heartbeat = '2000-01-01 00:00:00'")
    storage.close()
    swept = sweep(RECIPE, SPACE, WIDE, tmp_path, trials=1)
    assert swept.running == 0 and [tuple(trial.values.values()) for trial in swept.trials] == [(1, 1)]


def trial(number: int, accuracy: float | None, size: float) -> TrialResult:
    return TrialResult(number=number, values={}, accuracy=accuracy, size=size)


def test_the_front():
    trials = [trial(0, 0.9, 10), trial(1, 0.8, 10), trial(2, 0.9, 12), trial(3, 0.95, 20), trial(4, None, 1),
              trial(5, 0.5, 5), trial(6, 0.9, 10)]
    assert pareto_front(trials, "size") == {0, 3, 5}


@pytest.mark.parametrize(("made", "budget", "message"), [
    (recipe(), WIDE, "recipe sample: it holds no training samples out, .*--set data.validation=200"),
    (RECIPE.float32(), WIDE, "layer 'first' has float weights, which no core runs"),
    (RECIPE, Budget("operations", 5), "budget operations: a sweep has a budget of size or cycles"),
    (RECIPE, Budget("cycles", 0.5, True), "cycles=50%: what the recipe takes is known only once it is trained"),
])
def test_what_is_wrong_is_told_before_anything_is_trained(made, budget, message, tmp_path, trained):
    with pytest.raises(SweepError, match=message):
        sweep(made, SPACE, budget, tmp_path)
    assert not trained


def test_a_storage_of_another_sweep(tmp_path, trained):
    sweep(RECIPE, SPACE, WIDE, tmp_path, trials=1)
    with pytest.raises(SweepError, match="study 'sample' is of another sweep: other budget"):
        sweep(RECIPE, SPACE, Budget("size", 5), tmp_path)
    sweep(RECIPE, SPACE, Budget("size", 5), tmp_path, study_name="small", trials=1)


@pytest.mark.parametrize(("times", "error"), [
    (1, IntegrityError("CREATE TABLE studies", {}, Exception("duplicate key value violates a constraint"))),
    (2, OperationalError("CREATE TABLE studies", {}, Exception("table studies already exists"))),
    (9, OperationalError("CREATE TABLE studies", {}, Exception("table studies already exists"))),
], ids=["a row", "tables", "for good"])
def test_another_process_makes_the_tables(times, error, tmp_path, trained, monkeypatch):
    failures = iter([error] * times)

    def open_storage(*arguments, **options):
        if (failure := next(failures, None)) is not None:
            raise failure
        return RDBStorage(*arguments, **options)

    monkeypatch.setattr(sweep_module, "RDBStorage", open_storage)
    monkeypatch.setattr(sweep_module, "PAUSE", 0)
    if times < sweep_module.OPENINGS:
        assert len(sweep(RECIPE, SPACE, WIDE, tmp_path, trials=1).trials) == 1
    else:
        with pytest.raises(SweepError, match="table studies already exists"):
            sweep(RECIPE, SPACE, WIDE, tmp_path, trials=1)


@pytest.mark.parametrize(("storage", "message"), [
    ("nothing", "storage 'nothing': no URL of a database"),
    ("sqlite:////absent/sweep.db", "storage sqlite:////absent/sweep.db: unable to open database file"),
])
def test_a_storage_that_is_none(storage, message, tmp_path, trained):
    with pytest.raises(SweepError, match=message):
        sweep(RECIPE, SPACE, WIDE, tmp_path, storage=storage)
    assert not trained


def test_the_command(tmp_path):
    """On the digits: tables by default, JSON alone with --json, nothing with --quiet."""
    line = ["sweep", "digits", "--budget", "size=50%", "--out", str(tmp_path), "--bits", "conv4=1,2", "--trials", "2",
            "--widths", "0.25", "--set", "data.validation=1300", "--set", "training.epochs=1"]
    shown = CliRunner().invoke(cli.app, line)
    assert shown.exit_code == 0, shown.output
    assert "digits: best of 2 trials, on 1,300 held-out samples" in shown.output
    assert "bits.conv4 1, width.conv1 0.25" in shown.output and (tmp_path / "sweep.png").is_file()
    found = json.loads(CliRunner().invoke(cli.app, [*line, "--json"]).output)
    assert [each["values"]["bits.conv4"] for each in found["trials"]] in ([1, 2], [2, 1])
    assert CliRunner().invoke(cli.app, [*line, "--quiet"]).output == ""
