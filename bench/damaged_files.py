"""Damaged files by the thousand: networks, images and checkpoints, of which only our errors may come out."""

import sys
import tempfile
from pathlib import Path

from figures import Figure

__all__ = ["measure"]

COUNT = 2_000
"""Files of each kind."""
TESTS = Path(__file__).resolve().parents[1] / "tests" / "sw"
sys.path[:0] = [str(TESTS)]


def measure(count: int = COUNT, seed: int = 0) -> list[Figure]:
    """Damage ``count`` files of each kind; return how many there were and how many led to a wrong end."""
    from fuzz_files import KINDS, fuzz

    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            found = fuzz(kind, count, seed, Path(folder))
            print(f"{kind}: {found.refused} refused, {found.loaded.total()} loaded, {len(found.faults)} faults")
            faults += found.faults
    print("\n".join(faults))
    name = f"damaged files, of {count * len(KINDS):,}: foreign errors, or loaded as something else"
    return [Figure.at_most(name, len(faults), "files", 0)]

