"""The README is short, its figures are results, and its links lead somewhere."""

import re
from pathlib import Path

import figures
import pytest
from spikeplane.boards import BOARDS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
MOST_LINES = 120
MOST_FIGURES = 8
MOST_WORDS = 15


def prose(text: str) -> list[str]:
    """Return the sentences of a page, without code, tables, headings, pictures and lists of links."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^(#|\||!|<!--|- ).*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    return [sentence for sentence in re.split(r"(?<=[.:;])\s|\n\n", text) if sentence.strip()]


def test_it_is_short():
    assert len(TEXT.splitlines()) <= MOST_LINES
    long = [sentence for sentence in prose(TEXT) if len(sentence.split()) > MOST_WORDS]
    assert not long
    assert len(prose("# A b\n\nOne two.\nThree `four`: five\n\n| six |\n")) == 3


def test_its_figures_are_results():
    _, rest = TEXT.split(figures.MARKS[0])
    assert rest.split(figures.MARKS[1])[0] == f"\n\n{figures.headlines()}\n", "run python bench/run.py --tables"
    assert len(figures.HEADLINES) <= MOST_FIGURES


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)", TEXT))))
def test_its_links_lead_somewhere(target):
    assert (ROOT / target).is_file()


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_its_boards_have_their_configuration(board):
    rows = [line for line in TEXT.splitlines() if line.startswith("|")]
    # A cell is "BOARD, BOARD (part)".
    (row,) = (line for line in rows if board.name in re.split(r"-\(|,-|\|-", line.lower().replace(" ", "-")))
    config = board.config
    assert row.endswith(f"| {config.name} | {config.lanes} x {config.banks} | {config.clusters} | {config.updates} |")
