"""Tables that the documentation takes from results."""

import json
import sys
from pathlib import Path

import figures
import pytest
from figures import Figure, fill_tables, save, tables

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


def saved(monkeypatch, command, values, kept=None):
    """Save figures by their names, and a row of each title; return the document."""
    monkeypatch.setattr(sys, "argv", command.split())
    rows = dict.fromkeys(name.partition(":")[0] for name in values)
    figures = [Figure(name, value, "%") for name, value in values.items()]
    path = save("parts", figures, {"tables": {"all": [["part"], *([title] for title in rows)]}}, kept)
    return json.loads(path.read_text())


def test_a_run_of_a_part_keeps_the_rest_and_says_whose_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    saved(monkeypatch, "bench/parts.py", {"a: x": 1, "a: y": 2, "b: x": 3, "c: x": 4})
    document = saved(monkeypatch, "bench/parts.py a", {"a: x": 5}, lambda name: name.startswith(("b", "c")))
    assert [(each["name"], each["value"]) for each in document["figures"]] == [("a: x", 5), ("b: x", 3), ("c: x", 4)]
    assert document["tables"] == {"all": [["part"], ["a"], ["b"], ["c"]]}
    assert [(run["command"], run["figures"]) for run in document["earlier"]] == [
        ("python bench/parts.py", ["b: x", "c: x"])
    ]
    document = saved(monkeypatch, "bench/parts.py b", {"b: z": 6}, lambda name: name.startswith(("a", "c")))
    assert [each["name"] for each in document["figures"]] == ["a: x", "b: z", "c: x"]
    assert [(run["command"], run["figures"]) for run in document["earlier"]] == [
        ("python bench/parts.py", ["c: x"]), ("python bench/parts.py a", ["a: x"]),
    ]
    page = tables()
    assert "| a: x [2] | 5 |" in page and "| b: z | 6 |" in page
    assert "[2] of an earlier run, `python bench/parts.py a`: python " in page


def test_a_run_of_everything_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    saved(monkeypatch, "bench/parts.py", {"a: x": 1, "b: x": 3})
    document = saved(monkeypatch, "bench/parts.py", {"a: x": 5})
    assert [each["name"] for each in document["figures"]] == ["a: x"] and "earlier" not in document
