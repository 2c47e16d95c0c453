"""Names of what layers are made of: spikes, streams, weights."""

import re
from collections.abc import Collection

__all__ = ["head_name", "inner_name", "part_name", "synapse_names"]


def inner_name(name: str) -> str:
    """Return what the spikes of a block's first convolution are called."""
    return f"{name}.conv1"


def part_name(name: str, part: str) -> str:
    """Return what the spikes, or the stream, of a part of a layer are called."""
    return f"{name}.{part}"


def head_name(name: str, head: int) -> str:
    """Return what a head of heads is called; the layers of its digits have a number behind it."""
    return f"{name}.head{head}"


def synapse_names(name: str, count: int, nodes: Collection[str]) -> list[str]:
    """Return what the ``count`` terms with weights of integer node ``name`` are called as modules.

    The second layer of a block has those of its convolution and of its shortcut; ``nodes`` are the
    names of all nodes.
    """
    if digit := re.fullmatch(r"(.*)\.head\d+ \d+", name):
        return [digit[1]]
    if inner_name(name) in nodes:
        return [f"{name}.conv2", f"{name}.shortcut"][:count]
    return [name]
