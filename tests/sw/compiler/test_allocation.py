"""Allocation: pieces that are there at the same time never overlap, and what fits tightly is found."""

import random

import pytest
from spikeplane.compiler.allocation import allocate


@pytest.mark.parametrize("seed", range(20))
def test_pieces_that_are_needed_together_never_overlap(seed):
    generator = random.Random(seed)
    names = [f"map{index}" for index in range(generator.randint(1, 12))]
    sizes = {name: generator.randint(0, 9) for name in names}
    beside = {
        name: [other for other in names[:index] if generator.random() < 0.6]
        for index, name in enumerate(names) if index
    }
    for depth in (8, 20, 80):
        places = allocate(sizes, beside, depth)
        assert places[names[0]] == 0 and min(places.values()) >= 0
        for name, others in beside.items():
            for other in others:
                low, high = sorted((name, other), key=lambda each: places[each] + sizes[each])
                assert places[low] + sizes[low] <= places[high] or not sizes[low] or not sizes[high]


def test_pieces_lie_as_low_as_they_can_while_that_fits():
    sizes = {"input": 1, "a": 4, "b": 4, "c": 2}
    assert allocate(sizes, {"a": ["input"], "b": ["a"], "c": ["b"]}, 9) == {"input": 0, "a": 1, "b": 5, "c": 0}


def test_a_memory_that_would_be_too_small_is_packed_from_its_end():
    """A small input that ends before the second map begins would leave a gap that no other map fits."""
    sizes = {"input": 1, "a": 4, "b": 4, "kept": 4}
    beside = {"a": ["input"], "b": ["a"], "kept": ["input", "a", "b"]}
    assert allocate(sizes, beside, 12) == {"input": 0, "a": 8, "b": 0, "kept": 4}


def test_what_cannot_fit_lies_as_low_as_it_can():
    assert allocate({"input": 3, "a": 4}, {"a": ["input"]}, 6) == {"input": 0, "a": 3}
