"""Which parts of the CIFAR-10 bench a figure is of."""

import json

import pytest
from cifar10 import PARTS, parts_of
from figures import RESULTS

DOCUMENT = json.loads((RESULTS / "cifar10.json").read_text())


@pytest.mark.parametrize(("name", "parts"), [
    ("CIFAR-10 2-16: bytes of weights", {"2-16"}),
    ("CIFAR-10 2-16 pruned: bytes of weights", {"2-16 pruned"}),
    ("CIFAR-10 2-16 less 2-16 pruned", {"2-16", "2-16 pruned"}),
    ("CIFAR-10 float32 less 1-2", {"float32", "1-2"}),
    ("CIFAR-10 1-2 widened to 7 weights in SDRAM, not trained: images a second", {"wide"}),
    ("CIFAR-10, training at 2 steps: snnTorch, bfloat16", {"speed"}),
    ("2-16 pruned", {"2-16 pruned"}),
])
def test_a_name_tells_its_parts(name, parts):
    assert parts_of(name) == parts


def test_every_figure_and_row_is_of_a_part():
    rows = DOCUMENT["tables"]["networks"][1:]
    names = [*(figure["name"] for figure in DOCUMENT["figures"]), *(row[0] for row in rows)]
    assert {part for name in names for part in parts_of(name)} <= set(PARTS)
