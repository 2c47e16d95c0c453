"""Command lines in the documentation and in --help: the command knows their options."""

import re
import shlex
from pathlib import Path

import pytest
from spikeplane import cli
from spikeplane.training.recipe.recipes import recipe_names
from typer.main import get_command

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "zoo" / "README.md")
COMMANDS = get_command(cli.app).commands


def command_lines(text: str) -> list[str]:
    """Return what follows ``spikeplane`` in the shell blocks of a page."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [found[1] for line in lines if (found := re.search(r"spikeplane ((?!--help).*)", line))]


LINES = [line for page in PAGES for line in command_lines(page.read_text(encoding="utf-8"))] + [
    command.epilog.removeprefix("Example: spikeplane ") for command in COMMANDS.values()
]


def check(line: str) -> None:
    """Raise what the command raises on a wrong line; run nothing."""
    name, *arguments = shlex.split(line, comments=True)
    context = COMMANDS[name].make_context(name, arguments)
    recipe = context.params.get("recipe")
    if name == "train" and not recipe.endswith(".toml"):
        assert recipe in recipe_names()


def test_lines_are_found():
    assert len(LINES) > len(COMMANDS) + 5


@pytest.mark.parametrize("line", LINES)
def test_lines_are_right(line):
    check(line)


@pytest.mark.parametrize("line", ["export a --out b", "train", "train absent --out x", "info a b"])
def test_wrong_lines_are_noticed(line):
    with pytest.raises((Exception, SystemExit)):
        check(line)
