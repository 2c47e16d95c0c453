"""What a neuron accepts, and that the core can code it."""

import numpy as np
import pytest
from spikeplane_hw.neuron import (
    DECODE_SHIFT,
    FRACTION_BITS,
    STATE_WIDTH,
    Levels,
    Neuron,
    code_limit,
    leak_limit,
    quantizer_table,
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
