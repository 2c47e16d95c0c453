"""Packed integers: read back whole, in as few bits as they need; what is no such thing is named."""

import numpy as np
import pytest
from spikeplane.network.packing import PackingError, pack, unpack


@pytest.mark.parametrize(("values", "bits", "size"), [
    ([[-1, 1, 1], [-1, -1, 1]], 1, 1),
    ([-7, 7, 3, -1, 5], 3, 2),
    ([-8, 7, 0], 4, 2),
    ([5, 5, 5], 1, 1),
    ([0], 1, 1),
    ([-32768, 32767, 0], 16, 6),
    (list(range(-255, 256, 2)), 8, 256),
])
def test_integers_are_read_back_from_as_few_bits_as_they_need(values, bits, size):
    values = np.array(values)
    packed, form = pack(values)
    assert (form["bits"], packed.dtype, packed.shape) == (bits, np.uint8, (size,))
    assert np.array_equal(unpack(packed, form), values) and unpack(packed, form).dtype == np.int64


@pytest.mark.parametrize("seed", range(8))
def test_random_integers_are_read_back(seed):
    random = np.random.default_rng(seed)
    values = random.integers(-(1 << seed), 1 << seed, random.integers(1, 6, 4)) * (1 + seed % 2)
    assert np.array_equal(unpack(*pack(values)), values)


def test_integers_that_need_too_many_bits_are_refused():
    with pytest.raises(ValueError, match=r"integers 0\.\.65536 need 17 bits, limit 16"):
        pack(np.array([0, 1, 65536]))


@pytest.mark.parametrize(("change", "message"), [
    ({"bits": 0}, "bits must be an integer in 1..16, not 0"),
    ({"bits": True}, "bits must be an integer in 1..16, not True"),
    ({"lowest": 1 << 60}, "lowest must be an integer in -65536..65536"),
    ({"step": 0.5}, "step must be an integer in 1..65536, not 0.5"),
    ({"shape": [2, -3]}, "shape must be a list of positive integers, not [2, -3]"),
    ({"shape": 6}, "shape must be a list of positive integers, not 6"),
    ({"shape": [1 << 40, 1 << 40]}, "integers of 3 bits take"),
    ({"colour": 1}, "packed integers have bits, lowest, step and shape, not "),
])
def test_what_was_not_packed_is_named(change, message):
    packed, form = pack(np.arange(6))
    with pytest.raises(PackingError) as error:
        unpack(packed, form | change)
    assert message in str(error.value)
