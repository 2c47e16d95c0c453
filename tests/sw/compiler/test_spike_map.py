from dataclasses import replace

import numpy as np
import pytest
from ragged_networks import CORES
from spikeplane.compiler.spike_map import SpikeMap, input_spike_map
from spikeplane.network.input import InputFormat


@pytest.mark.parametrize("core", CORES, ids=lambda c: c.name)
@pytest.mark.parametrize("planes", [1, 3])
def test_unpack_inverts_pack(core, planes):
    slots = -(-11 // core.banks)
    place = SpikeMap(base=0, steps=2, channels=11, height=3, width=5, pixel_slots=slots,
                     planes=planes)
    values = np.random.default_rng(0).integers(0, 1 << planes, (2, 11, 3, 5))
    words = place.pack(values, core)
    assert words.shape == (place.words(core), -(-core.word_width // 8))
    assert np.array_equal(place.unpack(words, core), values)


def test_a_bit_lies_where_core_md_says():
    core = CORES[0]  # 2 banks, 4 slots a word
    place = SpikeMap(base=0, steps=2, channels=3, height=2, width=3, pixel_slots=2, planes=2)
    values = np.zeros((2, 3, 2, 3), np.uint8)
    values[1, 2, 0, 1] = 2
    # Plane 1, step 1, y 0, x 1, slot 1 of the pixel, bank 0.
    slot = 1 * 2 * 12 + 1 * 12 + 0 * 6 + 1 * 2 + 1
    bits = np.unpackbits(place.pack(values, core), axis=1, bitorder="little").ravel()
    assert np.flatnonzero(bits).tolist() == [slot * 2]


@pytest.mark.parametrize(
    ("channels", "bits", "beside"), [(3, 8, 2), (1, 8, 8), (1, 5, 5), (2, 3, 3), (2, 7, 4), (9, 2, 1)]
)
def test_planes_of_an_image_lie_beside_each_other(channels, bits, beside):
    core = CORES[2]  # 8 banks
    form = InputFormat(channels=channels, height=3, width=2, steps=4, bits=bits, direct=True)
    place = input_spike_map(form, core)
    assert place.beside == beside
    assert input_spike_map(form, replace(core, image_planes=1)).beside == 1
    values = np.random.default_rng(0).integers(0, 1 << bits, (1, channels, 3, 2))
    words = place.pack(values, core)
    assert np.array_equal(place.unpack(words, core), values)
    slots = np.unpackbits(words, axis=1, bitorder="little")[:, :core.word_width].reshape(-1, core.banks)
    if beside > 1:
        for bit, channel in np.ndindex(bits, channels):
            slot = bit // beside * 6 + 2 * 2 + 1  # y 2, x 1
            assert slots[slot, bit % beside * channels + channel] == values[0, channel, 2, 1] >> bit & 1


def test_wrong_values_are_named():
    place = SpikeMap(base=0, steps=1, channels=1, height=1, width=1, pixel_slots=1, planes=2)
    with pytest.raises(ValueError, match="value 4 does not fit 2 bits"):
        place.pack(np.full((1, 1, 1, 1), 4), CORES[0])
    with pytest.raises(ValueError, match=r"a map of shape \(1, 1, 1, 1\) was expected"):
        place.pack(np.zeros((1, 1, 1)), CORES[0])
