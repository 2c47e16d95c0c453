"""Quantization after training: integers that are allowed, and whose sums are near on the data."""

import numpy as np
import pytest
from spikeplane.importing.quantize import quantize_weights
from spikeplane.network.weights import WeightKind, verify_weights


def example(seed: int = 0, outputs: int = 6, inputs: int = 18):
    random = np.random.RandomState(seed)
    weight = random.normal(size=(outputs, inputs // 9, 3, 3))
    # Neighbours are active together, and some inputs hardly ever.
    base = random.random((4000, inputs)) < np.linspace(0.02, 0.5, inputs)
    windows = (base | np.roll(base, 1, 1)).astype(float)
    return weight, windows


def error(weight, made, windows) -> float:
    flat = weight.reshape(len(weight), -1)
    sums = windows @ (made.integers.reshape(flat.shape) * made.scale[:, None]).T
    return float(np.sqrt(np.square(sums - windows @ flat.T).mean() / np.square(windows @ flat.T).mean()))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("one_scale", [False, True])
def test_integers_are_allowed_and_the_error_is_as_said(bits, one_scale):
    weight, windows = example()
    made = quantize_weights(weight, bits, windows.T @ windows / len(windows), one_scale=one_scale)
    verify_weights("here", made.integers, bits, made.kind)
    assert made.error == pytest.approx(error(weight, made, windows), rel=1e-6)
    assert made.error < {1: 0.7, 2: 0.5, 4: 0.12, 8: 0.01}[bits]
    assert (len(set(made.scale)) == 1) == one_scale


@pytest.mark.parametrize("bits", [2, 4])
def test_data_make_it_better_than_rounding(bits):
    weight, windows = example(3)
    plain = quantize_weights(weight, bits)
    fitted = quantize_weights(weight, bits, windows.T @ windows / len(windows))
    assert error(weight, fitted, windows) < 0.85 * error(weight, plain, windows)


def test_weights_that_are_integers_stay_them():
    weight = np.random.RandomState(0).randint(-7, 8, (5, 2, 3, 3)).astype(float)
    weight[:, 0, 0, 0] = 7
    made = quantize_weights(weight * 0.25, 4)
    np.testing.assert_allclose(made.integers * made.scale[:, None, None, None], weight * 0.25)
    assert made.kind is WeightKind.TWOS and made.error < 1e-9


def test_silence_and_zeros_are_no_trouble():
    made = quantize_weights(np.zeros((3, 1, 2, 2)), 8, np.zeros((4, 4)))
    assert not made.integers.any() and np.isfinite(made.scale).all()


def test_other_bits_are_refused():
    with pytest.raises(ValueError, match=r"^bits must be one of 1, 2, 4, 8, not 3$"):
        quantize_weights(np.ones((1, 1, 1, 1)), 3)
