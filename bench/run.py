"""Measure every figure of the documentation, or only make its tables again."""

import argparse
import subprocess
import sys
from pathlib import Path

from figures import MARKS, RESULTS, fill_tables, headlines, tables

BENCH = Path(__file__).resolve().parent
PAGE = BENCH.parent / "docs" / "figures.md"
README = BENCH.parent / "README.md"


def scripts() -> list[Path]:
    """Return the benches in alphabetical order."""
    programs = (path for path in BENCH.glob("*.py") if "if __name__ ==" in path.read_text())
    return sorted(path for path in programs if path != Path(__file__).resolve())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python bench/run.py --only lanes"
    )
    parser.add_argument("--only", nargs="*", choices=[s.stem for s in scripts()],
                        help="run only these")
    parser.add_argument("--tables", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    failed = []
    if not arguments.tables:
        for script in scripts():
            if arguments.only and script.stem not in arguments.only:
                continue
            print(f"== {script.stem}", flush=True)
            if subprocess.run([sys.executable, script], check=False).returncode:
                failed.append(script.stem)
    if not RESULTS.exists():
        sys.exit("bench/results holds nothing yet")
    PAGE.write_text(tables())
    for page in sorted(PAGE.parent.glob("*.md")):
        page.write_text(fill_tables(page.read_text()))
    before, rest = README.read_text().split(MARKS[0])
    README.write_text(f"{before}{MARKS[0]}\n\n{headlines()}\n{MARKS[1]}{rest.split(MARKS[1])[1]}")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
