"""Allocation: where in a memory pieces lie of which some are never there at the same time."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

__all__ = ["allocate"]

Piece = TypeVar("Piece", bound=Hashable)


def allocate(sizes: Mapping[Piece, int], beside: Mapping[Piece, Sequence[Piece]], depth: int) -> dict[Piece, int]:
    """Return the first place of each piece in a memory of ``depth`` places; it may end behind that.

    ``sizes`` are in the order in which pieces are made; the first one is at 0. ``beside`` has of each other piece
    those before it that are still needed when it is made. Each lies as low as it can; where that is too much for the
    memory the largest, and of those the ones beside most others, are placed first, as high as they can, if all fit so.
    """
    first, *others = sizes
    places = {first: 0}
    for name in others:
        places[name] = _lowest([(places[other], sizes[other]) for other in beside[name]], sizes[name])
    if all(places[name] + size <= depth for name, size in sizes.items()):
        return places
    together: dict[Piece, set[Piece]] = {name: set() for name in sizes}
    for name, pieces in beside.items():
        for other in pieces:
            together[name].add(other)
            together[other].add(name)
    packed = {first: 0}
    for name in sorted(others, key=lambda each: (-sizes[each], -len(together[each]))):
        # Seen from the other end, as low as it can.
        taken = [(depth - packed[other] - sizes[other], sizes[other]) for other in together[name] if other in packed]
        packed[name] = depth - _lowest(taken, sizes[name]) - sizes[name]
    return packed if min(packed.values()) >= 0 else places


def _lowest(taken: Sequence[tuple[int, int]], size: int) -> int:
    """Return the lowest start of ``size`` free places beside the (start, size) ``taken``."""
    start = 0
    for other, length in sorted(taken):
        if start + size <= other:
            break
        start = max(start, other + length)
    return start
