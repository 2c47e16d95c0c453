"""Which faults the tests notice: each mutant of the tables in a copy of the tree, and its tests."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from figures import RESULTS, Figure, save
from mutant import Mutant
from mutant_table import MUTANTS

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("hw", "sw", "boards", "sim", "bench", "tests", "docs", "zoo")
FILES = ("pyproject.toml", "README.md", "Makefile", "CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff",
         "LICENSE", "mkdocs.yml")
TIME_LIMIT = 300
"""Seconds for the tests of a mutant: one that does not end is noticed."""
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


def copy_tree(target: Path) -> None:
    """Copy all that the tests need; with the boards that are built already."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "results"))
    for name in FILES:
        shutil.copy2(ROOT / name, target / name)
    boards = ROOT / "build" / "boards"
    if boards.exists():
        shutil.copytree(boards, target / "build" / "boards")


def run_tests(tree: Path, tests: tuple[str, ...]) -> tuple[str | None, str]:
    """Return the test that failed first, or None, and what pytest said."""
    environment = {
        **os.environ, "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join(str(tree / name) for name in ("hw", "sw", "boards", "sim")),
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, timeout=TIME_LIMIT, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{tests[0]} (did not end)", ""
    if done.returncode == 0:
        return None, done.stdout
    found = FAILED.search(done.stdout)
    return found[1] if found else f"{tests[0]} (pytest ended with {done.returncode})", done.stdout


def apply(tree: Path, mutant: Mutant) -> str:
    """Change the file of the copy; return what it held."""
    path = tree / mutant.file
    text = path.read_text()
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.file} holds {mutant.old!r} {text.count(mutant.old)} times, must be once")
    path.write_text(text.replace(mutant.old, mutant.new))
    return text


def check_sound(tree: Path, tests: tuple[str, ...]) -> None:
    """Exit if a test fails without any mutant: it would kill all."""
    failed, output = run_tests(tree, tests)
    if failed is not None:
        sys.exit(f"{failed} fails without a mutant:\n{output[-2000:]}")


def judge(chosen: list[Mutant]) -> Iterator[dict]:
    """Yield of each mutant, all of one file, what it is and which test killed it."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        copy_tree(tree)
        check_sound(tree, chosen[0].tests)
        for number, mutant in enumerate(chosen, 1):
            begun = time.monotonic()
            held = apply(tree, mutant)
            killer, _ = run_tests(tree, mutant.tests)
            (tree / mutant.file).write_text(held)
            print(f"{number}/{len(chosen)} {mutant.file}: {mutant.old!r} -> {mutant.new!r}: "
                  f"{killer or 'SURVIVED'} ({time.monotonic() - begun:.0f} s)", flush=True)
            yield {**identify(mutant), "killed_by": killer}


def identify(mutant: Mutant) -> dict:
    """Return what tells a mutant from all others."""
    return {"area": mutant.area, "file": mutant.file, "old": mutant.old, "new": mutant.new}


def merge(rows: list[dict]) -> list[dict]:
    """Return ``rows`` and those of earlier runs, in the order of the table."""
    path = RESULTS / "mutants.json"
    earlier = json.loads(path.read_text())["mutants"] if path.exists() else []
    known = {(row["file"], row["old"], row["new"]): row for row in (*earlier, *rows)}
    keys = [(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS]
    return [known[key] for key in keys if key in known]


def save_rows(rows: list[dict]) -> None:
    """Write the figures and the table of who killed what."""
    killed = [row for row in rows if row["killed_by"]]
    areas, dead = Counter(row["area"] for row in rows), Counter(row["area"] for row in killed)
    survivors = [f"`{row['file']}`: `{row['old']}` to `{row['new']}`" for row in rows if not row["killed_by"]]
    save("mutants", [
        Figure("mutants", len(rows), "faults"),
        Figure.at_least("mutants that the tests notice", 100 * len(killed) / len(rows), "%", 95),
        *(Figure(f"mutants of the {area} that the tests notice", 100 * dead[area] / count, "%")
          for area, count in areas.items()),
    ], {"note": "Not noticed: " + ("; ".join(survivors) or "none") + ".", "mutants": rows})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/mutants.py --only registers")
    parser.add_argument("--only", nargs="*", default=[""],
                        help="mutants whose file or old text holds one of these; what is known of others is kept")
    arguments = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if any(part in mutant.file or part in mutant.old for part in arguments.only)]
    for _, group in groupby(chosen, key=lambda mutant: mutant.file):
        save_rows(merge(list(judge(list(group)))))


if __name__ == "__main__":
    main()
