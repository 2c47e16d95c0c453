"""What a neuron accepts, and that the core can code it."""

import math

import numpy as np
import pytest
import torch
from spikeplane_hw.neuron import (
    DECODE_SHIFT,
    FRACTION_BITS,
    SHIFTS,
    STATE_WIDTH,
    Levels,
    Neuron,
    Reset,
    code_limit,
    leak_limit,
    quantizer_table,
    scale_sum,
)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.61, 1.0])
def test_stored_codes_leak_as_asked(bits, part):
    neuron = Neuron(state_bits=bits, leak=part * leak_limit(bits))
    assert 0 <= neuron.decode_scale < 1 << (STATE_WIDTH - 1)
    codes = np.arange(-code_limit(bits), code_limit(bits) + 1)
    leaked = (codes * neuron.decode_scale + (1 << (DECODE_SHIFT - 1))) >> DECODE_SHIFT
    exact = neuron.leak * codes / code_limit(bits) * 2**FRACTION_BITS
    # Half a unit of the scale for each code, and half a unit of the potential.
    assert (np.abs(leaked - exact) <= np.abs(codes) * 2.0 ** -(DECODE_SHIFT + 1) + 0.5).all()


def plain_step(neuron, table, x, state):
    """Return spike, next state and saturation of one neuron in plain integers: core.md's words, not numpy's."""
    leaked = math.floor((state * neuron.decode_scale) / 16 + 0.5)
    u = max(-32768, min(32767, leaked + x))
    spike = u > neuron.fire_above
    v = u
    if spike and neuron.reset is Reset.HARD:
        v = 0
    if spike and neuron.reset is Reset.SOFT:
        v = u - 4096
    saturated = u != leaked + x
    if neuron.state_bits == 0:
        return spike, 0, saturated
    if neuron.state_bits == 16:
        return spike, v, saturated
    entry = max(0, min(1023, math.floor(v / 32) + 512))
    return spike, table[entry], saturated


@pytest.mark.parametrize("tensors", [np.asarray, torch.tensor], ids=["numpy", "torch"])
@pytest.mark.parametrize("state_bits", [0, 2, 4, 8, 16])
@pytest.mark.parametrize("reset", Reset)
def test_a_step_is_what_the_formula_says(reset, state_bits, tensors):
    random = np.random.default_rng(state_bits)
    for fire_above in (4096, 4095, 0, -3000, 32767):
        neuron = Neuron(fire_above=fire_above, reset=reset, state_bits=state_bits, leak=0.47)
        limit = code_limit(state_bits) if neuron.quantized else 32768
        edges = [-32768, -16385, -16384, -4096, -1, 0, 1, 4095, 4096, 4097, 16383, 16384, 32767, fire_above]
        drawn = random.integers(-32768, 32768, 200), random.integers(-5000, 9000, 200)
        x = np.concatenate([np.repeat(edges, 8), *drawn])
        state = random.integers(-limit, limit, len(x)) if state_bits else np.zeros(len(x), np.int64)
        state[: 8 * len(edges) : 8] = 0  # each edge is also a potential
        table = neuron.table if neuron.quantized else np.zeros(0, np.int64)
        found = neuron.step(tensors(x), tensors(state), tensors(table) if neuron.quantized else None)
        entries = table.tolist()
        expected = [plain_step(neuron, entries, int(a), int(b)) for a, b in zip(x, state, strict=True)]
        for values, wanted in zip(found, zip(*expected, strict=True), strict=True):
            np.testing.assert_array_equal(np.asarray(values), wanted)


def test_a_sum_is_scaled_with_its_offset_and_rounded_down():
    total, multiplier, offset = np.array([3, -3, 5, 7]), np.array([5, 5, -7, 1]), np.array([1, 1, 2, 9])
    for shift in SHIFTS:
        expected = [math.floor((int(t) * int(m) + int(b)) / 2**shift)
                    for t, m, b in zip(total, multiplier, offset, strict=True)]
        np.testing.assert_array_equal(scale_sum(total, multiplier, offset, shift), expected)


@pytest.mark.parametrize("levels", Levels)
@pytest.mark.parametrize("bits", [2, 3, 8])
def test_tables_reach_both_ends(bits, levels):
    table = quantizer_table(bits, levels)
    assert (table.min(), table.max()) == (-code_limit(bits), code_limit(bits))


@pytest.mark.parametrize(("options", "message"), [
    ({"state_bits": 2, "leak": 0.51}, r"leak must be in 0\.\.0\.5 with state_bits 2, not 0\.51"),
    ({"state_bits": 2, "leak": 1.0}, r"leak must be in 0\.\.0\.5 with state_bits 2, not 1\.0"),
    ({"state_bits": 3, "leak": 1.01}, r"leak must be in 0\.\.1 with state_bits 3, not 1\.01"),
    ({"leak": -0.1}, r"leak must be in 0\.\.1 with state_bits 16, not -0\.1"),
    ({"state_bits": 9}, "state_bits must be 0, 2 to 8 or 16, not 9"),
])
def test_what_the_core_cannot_code_is_refused(options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Neuron(**options)
