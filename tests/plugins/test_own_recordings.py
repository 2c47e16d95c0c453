"""A data set from outside the package, in one file."""

import own_recordings
import pytest
from spikeplane import cli
from spikeplane.data.sets.datasets import DATASETS
from typer.testing import CliRunner

RECIPE = """seed = 1
[data]
name = "moving_bars"
steps = 2

[[layers]]
name = "conv"
kind = "conv"
channels = 6
stride = 2
weights = "absmax"
weight_bits = 8

[[layers]]
name = "classifier"
kind = "classifier"
pooled = true
weights = "absmax"
weight_bits = 8

[training]
epochs = 30
batch_size = 20
learning_rate = 0.02
"""


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    path = tmp_path / "bars.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def registered():
    own_recordings.register()
    yield
    DATASETS.unregister("moving_bars")


def test_a_network_is_trained_and_evaluated(recipe, registered, tmp_path):
    out = tmp_path / "run"
    trained = CliRunner().invoke(cli.app, ["train", str(recipe), "--out", str(out), "--device", "cpu", "--no-report"])
    assert trained.exit_code == 0, trained.output
    shown = CliRunner().invoke(cli.app, ["evaluate", str(out / "checkpoint.safetensors")]).output
    assert "moving_bars test, 20 samples" in shown
    (accuracy,) = [line.split("│")[2] for line in shown.splitlines() if "integer model" in line]
    assert float(accuracy.strip(" %")) >= 90


def test_without_it_the_recipe_is_refused(recipe, tmp_path):
    result = CliRunner().invoke(cli.app, ["train", str(recipe), "--out", str(tmp_path)])
    assert str(result.exception).startswith(f"{recipe}: data.name must be one of arrays, cifar10, ")
    assert str(result.exception).endswith("not 'moving_bars'")
