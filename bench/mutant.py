"""A fault on purpose: one line of a file changed, and the tests that must notice."""

from dataclasses import dataclass

__all__ = ["Mutant", "mutants"]


@dataclass(frozen=True)
class Mutant:
    """``old``, which the file holds exactly once, becomes ``new``; one of ``tests`` must fail then."""

    area: str
    file: str
    tests: tuple[str, ...]
    old: str
    new: str


def mutants(area: str, file: str, tests: str, *changes: tuple[str, str]) -> list[Mutant]:
    """Return mutants of one file; ``tests`` are pytest node ids with spaces in between."""
    return [Mutant(area, file, tuple(tests.split()), old, new) for old, new in changes]
