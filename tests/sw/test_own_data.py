"""Files of one's own from a recipe to a report: commands that know them, and names of classes on the way."""

import json
import shutil

import numpy as np
import pytest
from own_files import SIZE, bar_events, bar_images, recording_folder, write_aedat, write_recipe
from spikeplane import cli
from spikeplane.comparable import Comparable
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import save_image
from spikeplane.data.formats.files import DataError
from spikeplane.data.sets import samples
from spikeplane.network.file import load_network
from spikeplane.pruning.prune import prune
from spikeplane.reports.energy import checkpoint_cost
from spikeplane.reports.run_figures import run_figures
from spikeplane.training.net.export import export_network
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.evaluate import evaluate
from spikeplane.training.run.train import train
from spikeplane_hw.config import TINY
from typer.testing import CliRunner

RECORDINGS = f"""name = "recordings"
steps = 3
validation = 4
files = {{ train = "bars", width = {SIZE}, height = {SIZE} }}
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("COLUMNS", raising=False)


def invoke(*arguments):
    result = CliRunner().invoke(cli.app, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.output


def test_recordings_of_ones_own_reach_a_report(tmp_path):
    recording_folder(tmp_path / "bars", 20)
    recipe, out = write_recipe(tmp_path / "bars.toml", RECORDINGS), tmp_path / "run"
    shown = invoke("train", recipe, "--out", out, "--data", tmp_path, "--device", "cpu")
    assert "tiny: fits" in shown and "report: " in shown
    found = json.loads((out / "report.json").read_text())["network"]
    assert found["class_names"] == ["lies", "stands"]
    assert sum(map(sum, found["confusion"])) == 8 and found["accuracy"]["integer"] >= 0.75
    checkpoint = out / "checkpoint.safetensors"
    assert load_checkpoint(checkpoint).class_names == ("lies", "stands")
    assert "lies, stands" in invoke("info", checkpoint)
    network = tmp_path / "bars.network"
    invoke("export", checkpoint, network)
    assert load_network(network).metadata["class_names"] == ["lies", "stands"]
    shown = invoke("info", recipe, "--config", "tiny", "--data", tmp_path)
    assert "fits" in shown and "events, 2 x 12 x 12, 3 steps" in shown


def test_a_training_from_files_is_the_one_from_memory(tmp_path, monkeypatch):
    recording_folder(tmp_path / "bars", 20)
    recipe = load_recipe(write_recipe(tmp_path / "bars.toml", RECORDINGS), ["training.epochs=2"])
    held = train(recipe, tmp_path / "held", tmp_path, progress=False)
    monkeypatch.setattr(samples, "HELD_LIMIT", 0)
    stored = train(recipe, tmp_path / "stored", tmp_path, progress=False)
    assert held.read_bytes() == stored.read_bytes()


def test_arrays_of_ones_own_are_trained_on(tmp_path):
    images, labels = bar_images(20)
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    recipe = write_recipe(tmp_path / "a.toml", 'name = "arrays"\nsteps = 2\nbits = 4\nfiles = { train = "a.npz" }')
    invoke("train", recipe, "--out", tmp_path / "run", "--data", tmp_path, "--no-report", "--set", "training.epochs=1")
    assert "arrays test, 20 samples" in invoke("evaluate", tmp_path / "run" / "checkpoint.safetensors",
                                               "--data", tmp_path)


@pytest.mark.parametrize(("size", "message"), [
    (None, "recordings test: its samples are .*height=34, .* those of recordings train .*height=128"),
    (SIZE, "other is missing: expected a folder"),
])
def test_another_test_part_is_refused_ahead_of_the_training(tmp_path, size, message):
    for name in ("stands", "lies"):
        write_aedat(tmp_path / "bars" / name / "0.aedat", bar_events(0, 0))
        if size is None:
            (tmp_path / "other" / name).mkdir(parents=True)
            (tmp_path / "other" / name / "0.bin").write_bytes(bytes([3, 3, 0, 0, 5]))
    recipe = write_recipe(
        tmp_path / "a.toml", 'name = "recordings"\nsteps = 3\nfiles = { train = "bars", test = "other" }'
    )
    with pytest.raises(ValueError, match=message):
        train(load_recipe(recipe), tmp_path / "run", tmp_path, progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("change, found", [
    (lambda bars: (bars / "lies").rename(bars / "z_lies"), "stands, z_lies"),
    (lambda bars: recording_folder(bars, 8, ("stands", "another")), "another, lies, stands"),
    (lambda bars: shutil.rmtree(bars / "lies") or recording_folder(bars, 8, ("stands", "z")), "stands, z"),
])
def test_other_classes_than_those_of_the_training_are_refused(tmp_path, change, found):
    """Their labels would mean something else: by every command that reads the data of a checkpoint or an image."""
    bars, image = recording_folder(tmp_path / "bars", 8), tmp_path / "bars.spk"
    recipe = load_recipe(write_recipe(tmp_path / "bars.toml", RECORDINGS), ["training.epochs=1"])
    checkpoint = train(recipe, tmp_path / "run", tmp_path, progress=False)
    loaded = load_checkpoint(checkpoint)
    save_image(compile_network(export_network(loaded.network, loaded.metadata), TINY), image)
    assert Comparable.load(image, None, None, 2, tmp_path).names == ["lies", "stands"]
    change(bars)
    for file, look in (
        (checkpoint, lambda: evaluate(checkpoint, data_root=tmp_path)),
        (checkpoint, lambda: run_figures(checkpoint, tmp_path)),
        (checkpoint, lambda: checkpoint_cost(checkpoint, tmp_path)),
        (checkpoint, lambda: prune(checkpoint, ratios={"conv": 0.5}, data_root=tmp_path)),
        (image, lambda: Comparable.load(image, None, None, 2, tmp_path)),
    ):
        with pytest.raises(DataError, match=rf"^{file} was trained on lies, stands; recordings \w+ has {found}: "):
            look()


@pytest.mark.parametrize(("data", "message"), [
    ('files = { train = "bars", colour = 1 }', "unknown key data.files.colour; known are train, test,"),
    ('files = "bars"', 'data.files must be a table, not \'bars\''),
    ('files = { train = "bars", classes = ["a", 1] }', "data.files.classes.1 must be str, not 1"),
    ('files = { train = "bars", classes = "a" }', 'data.files.classes must be an array, not "a"'),
    ("", "data.files is missing: recordings are files of yours"),
])
def test_bad_recipes_are_named(tmp_path, data, message):
    recording_folder(tmp_path / "bars", 4)
    recipe = write_recipe(tmp_path / "bars.toml", f'name = "recordings"\nsteps = 3\n{data}')
    result = CliRunner().invoke(cli.app, [
        "train", str(recipe), "--out", str(tmp_path / "run"), "--data", str(tmp_path), "--no-report"
    ])
    assert message in str(result.exception)
