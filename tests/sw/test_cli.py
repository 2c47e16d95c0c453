"""The command line: files on the way from a network to an image, and what wrong arguments get."""

import numpy as np
import pytest
import ragged_networks
from spikeplane import cli
from spikeplane.image import load_image
from spikeplane.network import Schedule, save_network
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compile", "a", "b", "--config", "huge"], "no configuration 'huge'; known are tiny, small, large"),
        (["bitstream", "nexys"], "no board 'nexys'; known are"),
        (["info", "absent.spk"], "absent.spk: no such file"),
        (["train", "absent", "--out", "x"], "recipe 'absent': expected a .toml file or one of"),
        (["program", "icebreaker", "--directory", "absent"], "run `spikeplane bitstream icebreaker` first"),
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


def test_foreign_file(tmp_path, monkeypatch, capsys):
    path = tmp_path / "foreign.spk"
    path.write_bytes(b"not an image")
    monkeypatch.setattr("sys.argv", ["spikeplane", "info", str(path)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert "neither an image, a network nor a checkpoint" in " ".join(capsys.readouterr().err.split())
