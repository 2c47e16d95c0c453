"""The command line: files on the way from a network to an image, and what wrong arguments get."""

import runpy
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import ragged_networks
from rich.console import Console
from spikeplane import cli
from spikeplane.compiler.image import load_image
from spikeplane.network.graph import InputFormat, Schedule, save_network
from spikeplane.training.recipe.recipes import load_recipe, recipe_names
from spikeplane.training.run.checkpoint import Checkpoint, save_checkpoint
from typer.testing import CliRunner

runner = CliRunner()


def small_network():
    return next(
        network for network in map(ragged_networks.network, range(100))
        if network.input.channels <= 2 and len(network.layers) > 2
    )


def test_every_command_shows_an_example():
    overview = runner.invoke(cli.app, ["--help"]).output
    for name in ("train", "export", "compile", "simulate", "evaluate", "stream", "bitstream", "info",
                 "program", "demo", "report"):
        assert name in overview
        shown = runner.invoke(cli.app, [name, "--help"])
        assert shown.exit_code == 0
        assert f"Example: spikeplane {name}" in shown.output


def test_compile_and_info(tmp_path):
    network = small_network()
    source, target = tmp_path / "n.network.safetensors", tmp_path / "n.spk"
    save_network(network, source)
    done = runner.invoke(cli.app, ["compile", str(source), str(target), "--config", "tiny",
                                   "--schedule", "stored"])
    assert done.exit_code == 0, done.output
    image = load_image(target)
    assert (image.config.name, image.schedule) == ("tiny", Schedule.STORED)
    np.testing.assert_array_equal(image.logit_offset, network.logit_offset)
    for file, kind in ((source, "integer network"), (target, "image")):
        shown = runner.invoke(cli.app, ["info", str(file)])
        assert shown.exit_code == 0
        assert kind in shown.output
        assert all(layer.name in shown.output for layer in network.layers)


def test_info_of_boards():
    shown = runner.invoke(cli.app, ["info", "boards"])
    assert "icebreaker" in shown.output
    assert "ulx3s-85f" in shown.output


@pytest.fixture
def wide(monkeypatch):
    """Tables that cut nothing off."""
    monkeypatch.setattr(cli, "console", Console(width=200))


def test_info_of_recipes(wide, tmp_path):
    shown = runner.invoke(cli.app, ["info", "recipes"]).output
    for name in recipe_names():
        assert name in shown
    assert "cifar10, 2 steps, 18 layers of 1, 8-bit weights; 4-bit potentials" in shown
    path = tmp_path / "mine.toml"
    path.write_text("extends = 'cifar10_resnet19_memory_free'\nlayers.block2.channels = 77")
    for file in ("cifar10_resnet19_memory_free", str(path)):
        shown = runner.invoke(cli.app, ["info", file]).output
        assert "conv, 128 channels, 3 x 3, stride 1, 8-bit absmax weights, 16-bit potentials" in shown
        assert "block, 256 channels, 3 x 3, stride 2, 1-bit binary weights, memory-free, 2 taps" in shown
        assert "300 epochs, batches of 64, sgd, learning rate 0.1, losses tet" in shown
        assert ("block, 77 channels" in shown) == (file != "cifar10_resnet19_memory_free")


def test_info_of_a_checkpoint(wide, tmp_path):
    recipe = load_recipe("cifar10_resnet20_1w2u", ["network.width=4"])
    form = InputFormat(channels=3, height=32, width=32, steps=2, bits=8, direct=True)
    path = tmp_path / "checkpoint.safetensors"
    checkpoint = Checkpoint.start(recipe, form, 10)
    save_checkpoint(checkpoint, path)
    shown = runner.invoke(cli.app, ["info", str(path)]).output
    assert f"{checkpoint.network.weight_count:,}" in shown
    assert f"{checkpoint.network.neuron_count:,}" in shown
    assert "block, 32 channels, 3 x 3, stride 2, 1-bit binary weights, 2-bit potentials" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compile", "a", "b", "--config", "huge"], "no configuration 'huge'; known are tiny, small, large"),
        (["bitstream", "nexys"], "no board 'nexys'; known are"),
        (["info", "absent.spk"], "absent.spk: no such file"),
        (["info", "absent"], "recipe 'absent': expected a .toml file or one of"),
        (["train", "absent", "--out", "x"], "recipe 'absent': expected a .toml file or one of"),
        (["program", "icebreaker", "--directory", "absent"], "run `spikeplane bitstream icebreaker` first"),
        (["report", "x", "--samples", "0"], "Invalid value for '--samples'"),
    ],
)
def test_errors_are_one_line(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["spikeplane", *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code != 0
    shown = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert message in shown
    assert "Traceback" not in shown


def test_a_missing_extra_is_named(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["spikeplane", "train", "digits", "--out", "x"])
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("spikeplane.training.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    shown = capsys.readouterr().err
    assert "torch" in shown and "as spikeplane[train]" in shown and "Traceback" not in shown


def test_the_extras_are_those_of_the_project():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert set(cli.EXTRAS) == set(project["optional-dependencies"])


def test_the_package_is_the_command(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["spikeplane", "info", "boards"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("spikeplane", run_name="__main__")
    assert stopped.value.code == 0
    assert "icebreaker" in capsys.readouterr().out


def test_foreign_file(tmp_path, monkeypatch, capsys):
    path = tmp_path / "foreign.spk"
    path.write_bytes(b"not an image")
    monkeypatch.setattr("sys.argv", ["spikeplane", "info", str(path)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert "neither an image, a network nor a checkpoint" in " ".join(capsys.readouterr().err.split())
