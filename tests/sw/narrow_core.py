"""A narrow core that simulated boards of the tests share."""

from spikeplane_hw.config import CoreConfig

CONFIG = CoreConfig(
    name="driver", lanes=8, banks=2, updates=2, word_slots=8, weight_depth=2048, spike_depth=1024,
    parameter_depth=128, state_depth=4096, table_count=4, pass_count=128, accumulator_width=20,
    layer_count=24, term_count=4, pool_depth=256, image_planes=8, most_packed=4,
)
