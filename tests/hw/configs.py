"""Small configurations for unit tests: narrow ones find boundary bugs that wide ones hide."""

from dataclasses import fields, replace

from spikeplane_hw.config import SMALLEST, CoreConfig

NARROW = CoreConfig(
    name="narrow", lanes=4, banks=2, updates=1, word_slots=4, weight_depth=64, spike_depth=64,
    parameter_depth=16, state_depth=64, table_count=1, layer_count=4, pass_count=16,
    logit_count=16, row_flag_count=64, queue_depth=8, term_count=2, pool_depth=64, image_planes=2,
    **SMALLEST,
)
WIDE = CoreConfig(
    name="wide", lanes=16, banks=4, updates=8, word_slots=8, weight_depth=128, spike_depth=128,
    parameter_depth=16, state_depth=64, table_count=2, layer_count=4, pass_count=32,
    logit_count=32, row_flag_count=128, queue_depth=32, term_count=4, pool_depth=64, image_planes=4, most_packed=2,
)
WIDE_LOGIC = {field.name: field.default for field in fields(CoreConfig) if field.name in SMALLEST}
"""The parameters of SMALLEST as they are where logic is not saved."""
BATCHED = replace(WIDE, name="batched", external_depth=1 << 10, logit_count=128)
"""With memory outside the chip, and so with batches."""
PAIR = replace(WIDE, name="pair", clusters=2)
FOUR = replace(WIDE, name="four", clusters=4)
"""With several clusters: as many neighbouring output pixels at once."""
CHAIN = replace(WIDE, name="chain", term_count=1, pool_depth=0, image_planes=1)
"""Without what several terms, pools on the way out and several planes of an image at once take."""
