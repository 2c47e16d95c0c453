"""Operators: each is the convolution it stands for, and folded ones are the same as one after the other."""

import numpy as np
import pytest
import torch
from spikeplane.importing.operators import Operator, dense, one, pair, scaling, window_sums
from torch.nn import functional


def apply(operator: Operator, values: np.ndarray) -> np.ndarray:
    return functional.conv2d(
        torch.from_numpy(values), torch.from_numpy(operator.weight), torch.from_numpy(operator.bias), operator.stride,
        operator.padding,
    ).numpy()


def convolution(source, out=4, kernel=3, stride=1, padding=0, bias=True, **options) -> Operator:
    random = np.random.RandomState(out)
    weight = random.normal(size=(out, source[0] // options.get("groups", 1), kernel, kernel))
    bias = random.normal(size=out) * bias
    return Operator.convolution(weight, bias, source, stride=stride, padding=padding, **options)


def inputs(source) -> np.ndarray:
    return np.random.RandomState(1).normal(size=(3, *source))


@pytest.mark.parametrize("options", [{}, {"groups": 2}, {"dilation": 2}, {"groups": 2, "dilation": 2, "stride": 2}])
def test_convolutions_are_those_of_pytorch(options):
    source = (4, 9, 8)
    random = np.random.RandomState(0)
    weight, bias = random.normal(size=(6, 4 // options.get("groups", 1), 3, 3)), random.normal(size=6)
    made = Operator.convolution(weight, bias, source, padding=1, **options)
    expected = functional.conv2d(*map(torch.from_numpy, (inputs(source), weight, bias)), padding=1, **options)
    np.testing.assert_allclose(apply(made, inputs(source)), expected)
    assert made.shape == tuple(expected.shape[1:])


FOLDED = [
    (window_sums((2, 2), 2, (3, 8, 8), 1.0), lambda shape: convolution(shape, padding=1)),
    (window_sums((2, 2), 2, (3, 9, 9), 0.25), lambda shape: convolution(shape)),
    (convolution((3, 8, 8), bias=False, padding=1), lambda shape: window_sums((2, 2), 2, shape, 0.25)),
    (convolution((3, 8, 8), stride=2, padding=1), lambda shape: convolution(shape, 5, 2)),
    (window_sums((2, 2), 2, (3, 8, 6), 1.0),
     lambda shape: dense(np.random.RandomState(2).normal(size=(7, 36)), np.ones(7), shape)),
    (convolution((3, 8, 8)), lambda shape: scaling(np.arange(4.0), np.arange(4.0), shape)),
]


@pytest.mark.parametrize(("first", "made"), FOLDED)
def test_one_after_the_other_is_the_same_as_folded(first, made):
    second = made(first.shape)
    values = inputs(first.source)
    np.testing.assert_allclose(apply(first.then(second), values), apply(second, apply(first, values)), atol=1e-12)


@pytest.mark.parametrize(("first", "second", "message"), [
    (convolution((3, 8, 8)), convolution((4, 6, 6), padding=1), "it pads what a bias was added to"),
    (window_sums((2, 2), 2, (3, 9, 9), 1.0), convolution((3, 4, 4), padding=1), "leave out a part of the 9 pixels"),
    (convolution((3, 8, 8), bias=False), convolution((4, 6, 6), padding=1), "leave out a part of the 8 pixels"),
    (convolution((3, 8, 8)), convolution((3, 6, 6)), r"it takes a map of \(3, 6, 6\), the one before"),
])
def test_what_is_not_the_same_is_refused(first, second, message):
    with pytest.raises(ValueError, match=message):
        first.then(second)


def test_sides_are_named_that_are_too_small():
    assert pair("kernel", np.array([2, 3])) == (2, 3) and one("padding", 0, 0) == 0
    for value, least, message in ((0, 1, "size is 0, must be 1"), ((2, 0), 1, "size is 2 by 0, must be 1 or more"),
                                  (np.array([-1, -1]), 0, "size is -1 by -1, must be 0 or more")):
        for read in (pair, one):
            with pytest.raises(ValueError, match=message):
                read("size", value, least)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"take 4 channels, the map has 3"):
        Operator.convolution(np.zeros((2, 4, 3, 3)), np.zeros(2), (3, 8, 8))
    with pytest.raises(ValueError, match=r"its kernel \(9, 9\) is larger than the map"):
        Operator.convolution(np.zeros((2, 3, 9, 9)), np.zeros(2), (3, 8, 8))
    with pytest.raises(ValueError, match=r"do not take the 12 values of a map"):
        dense(np.zeros((2, 11)), np.zeros(2), (3, 2, 2))
    with pytest.raises(ValueError, match=r"its window \(3, 3\) is larger than the map"):
        window_sums((3, 3), 3, (1, 2, 2), 1.0)
