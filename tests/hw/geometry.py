"""Random layer descriptors and passes, consistent enough to walk."""

from spikeplane_hw.descriptor import descriptor_layout
from spikeplane_hw.neuron import Reset


def random_layer(config, generator):
    """Return (descriptor, passes) of a random layer on a random map, as dicts of integers."""
    kernel_rows = generator.randint(1, 4)
    kernel_columns = generator.randint(1, 4)
    stride = generator.randint(1, 2)
    pad_rows = generator.randrange(kernel_rows)
    pad_columns = generator.randrange(kernel_columns)
    pixel = generator.randint(1, 2)
    input_rows = generator.randint(kernel_rows, kernel_rows + 3)
    input_columns = generator.randint(kernel_columns, kernel_columns + 3)
    planes = generator.randint(1, 3)
    groups = generator.randint(1, 2)
    descriptor = dict.fromkeys(descriptor_layout(config).members, 0) | {
        "input_base": generator.randrange(0, 64, config.word_slots),
        "input_step": input_rows * input_columns * pixel,
        "input_row": input_columns * pixel,
        "input_rows": input_rows,
        "row_stride": stride * input_columns * pixel,
        "column_stride": stride * pixel,
        "pad_slots": pad_columns * pixel,
        "pad_rows": pad_rows,
        "stride": stride,
        "kernel_rows": kernel_rows,
        "kernel_slots": kernel_columns * pixel,
        "input_flags": generator.randrange(4),
        "streamed": generator.randint(0, 1),
        "input_ring": generator.randrange(config.tap_count),
        "input_ring_slots": generator.randrange(64) if config.tap_count > 1 else 0,
        "output_ring": generator.randrange(config.tap_count),
        "output_rows": (input_rows + 2 * pad_rows - kernel_rows) // stride + 1,
        "output_columns": (input_columns + 2 * pad_columns - kernel_columns) // stride + 1,
        "steps": generator.randint(1, 3),
        "replay": generator.randint(0, 1),
        "groups": groups,
        "pass_base": generator.randrange(4),
        "weight_base": 1,
        "weight_group": kernel_rows * kernel_columns * pixel * planes,
        "logits": generator.randint(0, 1),
        "last_lanes": generator.randint(1, config.lanes),
        "parameter_base": generator.randrange(4),
        "reset": Reset.HARD,
        "stored": generator.randint(0, 1),
        "state_base": generator.randrange(4),
        "output_base": generator.randrange(0, 64, config.word_slots),
        "output_step": generator.randint(8, 20),
        "output_pixel": config.chunk_slots * generator.randint(1, 3),
        "output_flags": generator.randrange(8),
    }
    passes = [
        {
            "input_offset": generator.randrange(16),
            "weight_offset": plane * kernel_rows * kernel_columns * pixel,
            "delay": (
                generator.choice([0, generator.randrange(config.tap_count + 1)])
                if config.tap_count > 1 else 0
            ),
            "reference": generator.randint(0, 1),
            "double": generator.randint(0, 1),
        }
        for plane in range(planes)
    ]
    descriptor["pass_last"] = descriptor["pass_base"] + planes - 1
    return descriptor, passes
