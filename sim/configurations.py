"""Cores that the testbenches simulate: those of the boards, and narrow ones that find more."""

from dataclasses import replace

from spikeplane_hw.config import CONFIGS, SMALLEST, CoreConfig

__all__ = ["SIMULATED"]

DEPTHS = {
    "weight_depth": 2048, "spike_depth": 1024, "parameter_depth": 128, "state_depth": 4096,
    "table_count": 4, "pass_count": 128, "accumulator_width": 20, "term_count": 4, "pool_depth": 256,
    "image_planes": 8,
}
NARROW = CoreConfig(
    name="narrow", lanes=4, banks=2, updates=1, word_slots=4, queue_depth=32, **SMALLEST, **DEPTHS,
)
CHUNKY = CoreConfig(name="chunky", lanes=8, banks=2, updates=4, word_slots=8, most_packed=2, **DEPTHS)
# Its weights are outside the chip: most networks take more slots than it has.
OUTSIDE = replace(CHUNKY, name="outside", weight_depth=128, external_depth=1 << 14)
# As `outside`, four pixels at once.
CLUSTERED = replace(OUTSIDE, name="clustered", clusters=4)
SIMULATED = {config.name: config for config in (NARROW, CHUNKY, OUTSIDE, CLUSTERED, *CONFIGS.values())}
