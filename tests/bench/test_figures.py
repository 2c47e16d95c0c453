"""Tables that the documentation takes from results."""

import json
from pathlib import Path

import figures
import pytest
from figures import fill_tables

PAGES = sorted((Path(__file__).parents[2] / "docs").glob("*.md"))


def test_a_table_lies_between_its_marks(tmp_path, monkeypatch):
    (tmp_path / "few.json").write_text(json.dumps({"tables": {"a": [["x", "y"], ["one", "1"]], "b": [["z"], ["2"]]}}))
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    page = (
        "before\n<!-- table few a: made -->\nold\n<!-- end of table -->\nbetween\n"
        "<!-- table few b: made -->\n<!-- end of table -->"
    )
    assert fill_tables(page) == (
        "before\n<!-- table few a: made -->\n\n| x | y |\n| --- | ---: |\n| one | 1 |\n\n"
        "<!-- end of table -->\nbetween\n"
        "<!-- table few b: made -->\n\n| z |\n| --- |\n| 2 |\n\n<!-- end of table -->"
    )
    assert fill_tables(fill_tables(page)) == fill_tables(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_have_the_tables_of_the_results(page):
    text = page.read_text(encoding="utf-8")
    assert fill_tables(text) == text
