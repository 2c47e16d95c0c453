"""What is wrong with a command's arguments is told in one line, before anything takes time."""

import sys
from dataclasses import replace

import pytest
from spikeplane import cli
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import load_image, save_image
from spikeplane.data.sets.shapes import input_format
from spikeplane.device import simulated
from spikeplane.network.file import load_network, save_network
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import Checkpoint, save_checkpoint
from spikeplane_hw.config import SMALL
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder with checkpoint, network and image of the untrained digits and MNIST networks."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("digits", "mnist"):
        recipe = load_recipe(name)
        checkpoint = Checkpoint.start(recipe, *input_format(recipe.data))
        save_checkpoint(checkpoint, folder / f"{name}.checkpoint")
        for command in (["export", f"{name}.checkpoint", f"{name}.network"],
                        ["compile", f"{name}.network", f"{name}.spk"]):
            done = CliRunner().invoke(cli.app, [command[0], *(str(folder / each) for each in command[1:])])
            assert done.exit_code == 0, done.output
    (folder / "folder").mkdir()
    return folder


@pytest.fixture
def command(monkeypatch, capsys, files):
    """Return what runs a command in the folder of the files and returns its one line of error."""
    monkeypatch.chdir(files)
    monkeypatch.delenv("SPIKEPLANE_DATA", raising=False)

    def built(*arguments, **options):
        raise AssertionError("something took time")

    monkeypatch.setattr(simulated, "build_library", built)
    for name in ("train.load_parts", "evaluate.load_dataset"):
        monkeypatch.setattr(f"spikeplane.training.run.{name}", built)

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["spikeplane", *arguments])
        monkeypatch.setenv("COLUMNS", "60")
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert stopped.value.code == 1
        shown = capsys.readouterr().err
        assert shown.count("\n") == 1 and shown.startswith("spikeplane: ")
        return shown.removeprefix("spikeplane: ").strip()

    return run


@pytest.mark.parametrize(("line", "message"), [
    ("train digits --out digits.network --no-report", "digits.network: is a file; a folder is needed in its place"),
    ("train digits --out digits.network/a --no-report", "digits.network: is a file; a folder is needed in its place"),
    ("demo --directory digits.network", "digits.network: is a file; a folder is needed in its place"),
    ("demo --config tiny --directory new", "the demo needs another --config"),
    ("export digits.checkpoint folder", "folder: is a folder; name a file"),
    ("compile digits.network folder", "folder: is a folder; name a file"),
    ("report digits.checkpoint --out digits.network", "digits.network: is a file; a folder is needed in its place"),
    ("bitstream icebreaker --directory digits.spk", "digits.spk: is a file; a folder is needed in its place"),
    ("simulate digits.spk --network digits.network --waves folder", "folder: is a folder; name a file"),
    ("simulate digits.spk --network mnist.network", "digits.spk: the image was compiled from the network"),
    ("stream digits.spk --network mnist.network --port /dev/null", "digits.spk: the image was compiled from the net"),
    ("simulate mnist.spk --network mnist.network",
     "data set 'mnist': name the root folder of the data sets by --data or SPIKEPLANE_DATA"),
    ("simulate mnist.spk --network mnist.network --data absent",
     "data set 'mnist': absent is no folder; name the root folder of the data sets by --data or SPIKEPLANE_DATA"),
    ("simulate mnist.spk --network mnist.network --recipe digits", "name the recipe of its network by --recipe"),
    ("simulate digits.network --network digits.network", "digits.network: a Spikeplane file of kind 'network', not"),
    ("simulate digits.checkpoint --network digits.network",
     "digits.checkpoint: a Spikeplane file, but no image: a checkpoint"),
    ("compile digits.checkpoint x.spk", "digits.checkpoint: a Spikeplane file, but no network: a checkpoint"),
    ("evaluate digits.spk", "digits.spk: a Spikeplane file of kind 'image', not a checkpoint"),
    ("evaluate folder", "folder: is a folder; name a file"),
    ("export absent x", "absent: no such file"),
    ("compile folder x.spk", "folder: is a folder; name a file"),
    ("info folder/", "folder: is a folder; name a file"),
    ("memory --config small", "small has no memory outside the chip; these have: large"),
    ("info digits.spk --config small", "a recipe, a checkpoint or a network, not of an image"),
])
def test_arguments_are_checked_first(command, files, line, message):
    before = sorted(files.rglob("*"))
    assert message in command(*line.split())
    assert sorted(files.rglob("*")) == before


@pytest.mark.parametrize(("line", "output", "read"), [
    ("compile a.network ./a.network", "a.network", "a.network"),
    ("convert a.checkpoint link", "link", "a.checkpoint"),
    ("export a.checkpoint folder/../a.checkpoint", "folder/../a.checkpoint", "a.checkpoint"),
    ("export --nir a.network link.network", "link.network", "a.network"),
    ("import a.nir a.nir --steps 2", "a.nir", "a.nir"),
    ("import a.nir own.toml --recipe own.toml", "own.toml", "own.toml"),
    ("import a.nir new --recipe folder/recipe.toml --fine-tune folder", "folder/recipe.toml", "folder/recipe.toml"),
    ("import a.nir new --recipe own.toml --fine-tune folder", "folder/recipe.toml", "folder/recipe.toml"),
    ("import folder/start.safetensors new --recipe digits --fine-tune ./folder", "folder/start.safetensors",
     "folder/start.safetensors"),
    ("prune folder/checkpoint.safetensors --out folder", "folder/checkpoint.safetensors",
     "folder/checkpoint.safetensors"),
    ("prune folder/pruning.json --out folder", "folder/pruning.json", "folder/pruning.json"),
    ("report folder/report.json", "folder/report.json", "folder/report.json"),
    ("report a.checkpoint --out folder --float32 folder/report-first-9.html --samples 9", "folder/report-first-9.html",
     "folder/report-first-9.html"),
    ("simulate a.spk --network a.network --waves a.spk", "a.spk", "a.spk"),
    ("simulate a.spk --network a.network --predictions a.network", "a.network", "a.network"),
    ("stream a.spk --port /dev/null --predictions a.spk", "a.spk", "a.spk"),
    ("stream a.spk --port /dev/null --recipe own.toml --predictions link.toml", "link.toml", "own.toml"),
])
def test_what_is_read_is_not_replaced(command, tmp_path, monkeypatch, line, output, read):
    """It is told ahead of reading more than recipes: no other file holds what its name says."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for name in ("a.network", "a.checkpoint", "a.nir", "a.spk", "own.toml", "folder/recipe.toml", "folder/report.json",
                 "folder/checkpoint.safetensors", "folder/start.safetensors", "folder/pruning.json",
                 "folder/report-first-9.html"):
        (tmp_path / name).write_text(name)
    (tmp_path / "own.toml").write_text('extends = "folder/recipe.toml"')
    (tmp_path / "folder" / "recipe.toml").write_text('extends = "digits"')
    for name, target in (("link", "a.checkpoint"), ("link.network", "a.network"), ("link.toml", "own.toml")):
        (tmp_path / name).symlink_to(target)
    before = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert command(*line.split()) == f"{output}: would replace {read}, which is read: write somewhere else"
    assert {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_name_of_a_recipe_is_no_file(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").touch()
    assert "a.nir" in command("import", "a.nir", "digits", "--recipe", "digits")


def test_an_image_without_a_recipe_asks_for_one(command, files, tmp_path):
    network = replace(load_network(files / "digits.network"), metadata={})
    save_network(network, tmp_path / "n")
    save_image(compile_network(network, SMALL), tmp_path / "i.spk")
    shown = command("simulate", str(tmp_path / "i.spk"), "--network", str(tmp_path / "n"))
    assert shown.endswith("i.spk: it carries no recipe whose test data to use: name one by --recipe")


def test_the_recipe_is_the_images_own(command, files, monkeypatch):
    assert load_image(files / "digits.spk").metadata["recipe"] == load_recipe("digits").to_dict()
    with pytest.raises(AssertionError, match="something took time"):  # The board is next.
        monkeypatch.setattr(sys, "argv", ["spikeplane", "simulate", "digits.spk", "--network", "digits.network"])
        cli.main()


@pytest.mark.parametrize(("module", "extra"), [("sklearn", "train"), ("jinja2", "report"), ("torch", "train")])
def test_a_missing_module_names_its_extra(command, monkeypatch, module, extra):
    for name in [name for name in sys.modules if name.startswith(("spikeplane.training.", "spikeplane.reports."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    if module == "sklearn":
        monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
        line = ["simulate", "digits.spk", "--network", "digits.network"]
    else:
        line = ["report", "digits.checkpoint"] if module == "jinja2" else ["export", "digits.checkpoint", "x"]
    shown = command(*line)
    assert module in shown and f"spikeplane[{extra}]" in shown
