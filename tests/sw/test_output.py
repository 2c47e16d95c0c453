"""What every command prints with --json, --quiet and -v, and tables in a pipe."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from rich.table import Table
from spikeplane import cli
from spikeplane.comparable import Comparable
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import save_image
from spikeplane.confusion import confusion_matrix
from spikeplane.fit_report import LONG_SEGMENTS, candidate, fits_of
from spikeplane.network.file import save_network
from spikeplane.output import errors, output
from spikeplane_hw.config import CONFIGS, TINY
from spikeplane_hw.memory_map import Space
from test_predictions import network
from typer.main import get_command
from typer.testing import CliRunner

COMMANDS = get_command(cli.app).commands


def run(*arguments: str):
    return CliRunner().invoke(cli.app, list(arguments))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_options(name):
    known = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert {"--json", "--quiet", "--verbose", "-q", "-v"} <= known


def test_json_quiet_and_verbose(tmp_path):
    plain = run("info", "boards")
    assert plain.exit_code == 0 and "icebreaker" in plain.stdout
    found = json.loads(run("info", "boards", "--json").stdout)
    assert dict(found["rows"])["icebreaker"].startswith("tiny core at ")
    assert run("info", "boards", "--quiet").output == ""
    assert run("info", "boards").stdout == plain.stdout, "an option of the command before holds"
    assert run("info", "boards", "-v").stderr.endswith(" s\n")


def test_files_that_are_written(tmp_path):
    save_network(network(), tmp_path / "n.network")
    line = ["compile", str(tmp_path / "n.network"), str(tmp_path / "n.spk"), "--config", "tiny"]
    assert json.loads(run(*line, "--json").stdout)["image"] == str(tmp_path / "n.spk")


def test_whether_it_fits(tmp_path):
    save_network(network(), tmp_path / "n.network")
    line = ["info", str(tmp_path / "n.network"), "--config"]
    found = json.loads(run(*line, "all", "--json").stdout)
    assert found["trained"] and [each["config"] for each in found["configs"]] == list(CONFIGS)
    (tiny,) = json.loads(run(*line, "tiny", "--json").stdout)["configs"]
    (judged,) = fits_of(candidate(line[1]), [TINY], LONG_SEGMENTS)
    assert tiny["fits"] and tiny == found["configs"][0] and tiny["cycles"] == judged.cycles
    assert tiny["words"]["WEIGHTS"] == {"need": judged.words[Space.WEIGHTS], "limit": judged.depths[Space.WEIGHTS]}
    (large,) = json.loads(run("info", "cifar10_compact", "--config", "tiny", "--json").stdout)["configs"]
    assert not large["fits"] and large["cycles"] is None
    assert "passes, all layers to here" in str([each["need"] for each in large["exceeded"]])
    assert all(each["remedies"] for each in large["exceeded"])


def test_what_a_board_was_given(tmp_path, monkeypatch):
    loader, folder = tmp_path / "openFPGALoader", tmp_path / "built"
    loader.write_text("#!/bin/sh\necho loading\n")
    loader.chmod(0o755)
    folder.mkdir()
    (folder / "report.json").write_text('{"bitstream": "top.bit"}')
    (folder / "top.bit").write_bytes(b"x")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = json.loads(run("program", "icebreaker", "--directory", str(folder), "--json").stdout)
    assert found == {"board": "icebreaker", "bitstream": str(folder / "top.bit")}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1.5, -float("inf")], {"a": (float("nan"),)}])
def test_numbers_that_json_has_not(value, capsys):
    output.reset(as_json=True)
    with output.command():
        output.show("a line", value=value)
    shown = capsys.readouterr().out
    assert "null" in shown and list(json.loads(shown, parse_constant=pytest.fail)) == ["value"]


def test_an_error_prints_no_json():
    for line in (["info", "absent.spk"], ["info", "digits", "--config", "absent"], ["simulate", "absent.spk"]):
        done = run(*line, "--json")
        assert done.exit_code != 0 and done.stdout == "", line


@pytest.mark.parametrize(("option", "shown"), [((), False), (("-v",), True)])
def test_where_an_error_comes_from(option, shown, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["spikeplane", "info", "absent.spk", *option])
    with pytest.raises(SystemExit):
        cli.main()
    printed = capsys.readouterr().err
    assert ("Traceback" in printed) is shown and "spikeplane: absent.spk: " in printed


def test_tables_are_whole_in_a_pipe(tmp_path):
    """As wide as what they hold, wherever the terminal ends."""
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    save_image(compile_network(network(), TINY), folder / "bars.spk")
    program = "from spikeplane.output import output; from rich.table import Table; t = Table('a', 'b'); " \
              f"t.add_row('x' * 150, {str(folder)!r}); output.show(t)"
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert f"{'x' * 150} │ {folder} │" in done.stdout


@pytest.mark.parametrize("text", ["foo:smile:.spk", "[red]foo[/red]", "[/]"])
def test_names_are_shown_as_they_are(text, capsys):
    """Rich takes words between colons for emojis, and brackets for markup."""
    table = Table(text, title=text)
    table.add_row(f"row {text}")
    output.reset()
    output.show(table)
    output.show(text)
    shown = capsys.readouterr().out
    assert shown.count(text) == 4 and shown.endswith(f"\n{text}\n")
    errors.print(text)
    assert capsys.readouterr().err == f"{text}\n"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Return an image, its network, and what is asked of the recipe's data: 16 recordings of bars, 8 of each class."""
    from spikeplane.data.sets.datasets import DATASETS, Dataset

    made = network()
    save_network(made, tmp_path / "n.network")
    save_image(compile_network(made, TINY), tmp_path / "n.spk")
    inputs = (np.arange(16)[:, None, None, None, None] == np.zeros(made.input.shape)).astype(np.uint8)
    data = Dataset(name="bars test", input=made.input, inputs=inputs, labels=np.arange(16) % 2, classes=2)
    monkeypatch.setitem(DATASETS._parts, "bars", lambda recipe, root, part: data)
    (tmp_path / "bars.toml").write_text(f'[data]\nname = "bars"\nsteps = {made.input.steps}\n')
    return tmp_path / "n.spk", tmp_path / "n.network", str(tmp_path / "bars.toml")


def test_which_test_samples(files):
    def chosen(samples, **options):
        found = Comparable.load(*files, samples, None, **options)
        assert found.labels.tolist() == (found.indices % 2).tolist()
        assert len(found.inputs) == len(found.indices)
        return found.indices.tolist()

    assert chosen(3) == [0, 1, 2]
    assert chosen(3, offset=5) == [5, 6, 7] and chosen(9, offset=14) == [14, 15]
    drawn = chosen(16, seed=1)
    assert sorted(drawn) == list(range(16)) != drawn
    assert chosen(4, seed=1) == drawn[:4] and chosen(4, seed=1, offset=4) == drawn[4:8]
    assert chosen(4, seed=2) != drawn[:4]
    with pytest.raises(ValueError, match="offset 16: bars test has 16 samples"):
        Comparable.load(*files, 3, None, offset=16)


def test_the_confusion_matrix():
    labels, predictions = np.array([0, 0, 1, 2]), np.array([0, 2, 1, 1])
    assert confusion_matrix(labels, predictions, 3).tolist() == [[1, 0, 1], [0, 1, 0], [0, 1, 0]]
