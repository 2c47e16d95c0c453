"""The smallest cores that have all that is to be proved: a proof looks at every state they can reach."""

from dataclasses import replace

from spikeplane_hw.config import SMALLEST, CoreConfig

SIZES = {
    "banks": 2, "word_slots": 2, "accumulator_width": 4, "weight_depth": 8, "spike_depth": 8, "parameter_depth": 4,
    "state_depth": 8, "table_count": 1, "layer_count": 2, "pass_count": 4, "logit_count": 4, "row_flag_count": 8,
    "pixel_width": 2, "side_width": 2, "step_width": 2, "queue_depth": 8,
}
FRUGAL = CoreConfig(name="frugal", lanes=2, updates=1, tap_count=1, **SIZES, **{**SMALLEST, "segment_queue_depth": 2})
"""All that saves logic, one term a layer."""
SEVERAL = CoreConfig(
    name="several", lanes=4, updates=2, term_count=2, tap_count=2, row_queue_depth=2, segment_queue_depth=2, **SIZES,
)
"""Registers that keep wires short, several terms a layer, taps."""
PAIRED = replace(SEVERAL, name="paired", clusters=2)
"""The same with two pixels at once."""
CORES = (FRUGAL, SEVERAL, PAIRED)
