"""Random descriptors of layers and terms, and passes, consistent enough to walk."""

from spikeplane_hw.descriptor import Job, layer_layout, load_layout, pass_layout, term_layout
from spikeplane_hw.neuron import SHIFTS, Reset


def random_layer(config, generator, terms=None):
    """Return (layer, terms, passes) of a random layer on random maps, as dicts of integers.

    ``passes`` begin with those of other layers. ``terms`` are as many as may be if not given.
    """
    layer = dict.fromkeys(layer_layout(config).members, 0) | {
        "job": Job.LAYER,
        "output_rows": generator.randint(1, 4),
        "output_columns": generator.randint(1, 4),
        "output_ring": generator.randrange(config.tap_count),
        "steps": generator.randint(1, 3),
        "sample_steps": 0,
        "replay": generator.randint(0, 1),
        "groups": generator.randint(1, 2),
        "logits": generator.randint(0, 1),
        "last_lanes": generator.randint(1, config.lanes),
        "reset": Reset.HARD,
        "stored": generator.randint(0, 1),
        "state_base": generator.randrange(4),
        "output_base": generator.randrange(0, 64, config.word_slots),
        "output_step": generator.randint(8, 20),
        "output_pixel": config.chunk_slots * generator.randint(1, 3),
        "output_flags": generator.randrange(8),
    }
    if config.most_samples > 1 and generator.randrange(3):
        # Of two samples at least, which begin anew within the walk.
        sample_steps = generator.randint(1, 3)
        layer |= {"sample_steps": sample_steps, "steps": sample_steps * generator.randint(2, 3), "replay": 0}
    count = generator.randint(1, config.term_count) if terms is None else terms
    passes = [dict.fromkeys(pass_layout(config).members, 0)] * generator.randrange(4)
    found = []
    for _ in range(count):
        kind = generator.choice(["", "", "shortcut", "stream"]) if config.term_count > 1 else ""
        found.append(random_term(config, generator, layer, passes, kind))
    layer["terms"] = count - 1
    if config.pool_depth:
        layer |= {"pool_rows": generator.randrange(3), "pool_columns": generator.randrange(3)}
        layer["map_rows"] = max(1, layer["output_rows"] // (1 + layer["pool_rows"]))
    if config.term_count > 1:
        layer |= {
            "more_logits": generator.randint(0, 1), "state_step": generator.randrange(3),
            "group_lanes": generator.randrange(config.banks, config.lanes + 1, config.banks),
        }
    return layer, found, passes


def random_term(config, generator, layer, passes, kind=""):
    """Return a random term of ``layer``, a "shortcut", a "stream" or a window; its passes are added to ``passes``."""
    kernel_rows, kernel_columns = (1, 1) if kind else (generator.randint(1, 4), generator.randint(1, 4))
    if kind == "shortcut":  # or a pool
        kernel_rows = generator.randint(1, 3)
    stride = generator.choice([1, 2, 2, generator.randint(1, 7 if config.term_count > 1 else 3)])
    pad_rows, pad_columns = generator.randrange(kernel_rows), generator.randrange(kernel_columns)
    pixel = generator.randint(1, 2)
    input_rows, input_columns = (
        max(1, (layer[f"output_{side}"] - 1) * stride + kernel - 2 * pad)
        for side, kernel, pad in (("rows", kernel_rows, pad_rows), ("columns", kernel_columns, pad_columns))
    )
    planes = generator.randint(1, 3)
    term = dict.fromkeys(term_layout(config).members, 0) | {
        "job": Job.TERM,
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
        "pass_base": len(passes),
        "pass_last": len(passes) + planes - 1,
        "weight_base": 1,
        "weight_group": kernel_rows * kernel_columns * pixel * planes,
        "doubled": generator.randint(0, 1),
        "parameter_base": generator.randrange(4),
        "shift": generator.randrange(len(SHIFTS)),
    }
    if config.term_count > 1:
        term["shared"] = generator.randint(0, 1)
    if config.term_count > 1 and not kind and kernel_columns == 1 and generator.randrange(2):
        # Heads: a group reads a part of the pixel, in each step with weights of its own.
        term |= {"kernel_slots": 1, "input_group": generator.randrange(3), "weight_step": generator.randrange(9)}
    if kind == "stream":
        planes = 1
        term |= {
            "stream": 1, "weight_group": 0, "kernel_slots": 0, "input_group": 1, "stride": 1,
            "pass_last": len(passes), "mean": generator.randint(0, 1), "second": generator.randrange(4),
        }
    if kind == "shortcut":
        term |= {
            "shortcut": 1, "weight_group": 0, "kernel_slots": generator.randint(1, 2),
            "input_group": generator.randint(1, 2), "input_slots": pixel,
        }
    passes += [
        {
            "input_offset": generator.randrange(16),
            "weight_offset": plane * kernel_rows * kernel_columns * pixel,
            "delay": (
                generator.choice([0, generator.randrange(config.tap_count + 1)])
                if config.tap_count > 1 else 0
            ),
            "banks": generator.getrandbits(config.banks) & ((1 << config.mask_width) - 1),
            "reference": generator.getrandbits(config.reference_width),
            "double": generator.randint(0, 1),
        }
        for plane in range(planes)
    ]
    return term


def random_load(config, generator):
    """Return a random load of a map of at most two slots a pixel into few weight slots."""
    pixel = generator.randint(1, 2)
    return dict.fromkeys(load_layout(config).members, 0) | {
        "job": Job.LOAD,
        "input_base": generator.randrange(0, 32, config.word_slots),
        "input_step": generator.randrange(32),
        "input_rows": generator.randint(1, 4),
        "input_group": generator.randrange(16),
        "input_pixel": pixel,
        "transposed": generator.randint(0, 1),
        "groups": generator.randint(1, 3),
        "steps": generator.randint(1, 3),
        "weight_base": generator.randrange(1, 8),
        "weight_slots": generator.randint(1, 3),
        "blocks": generator.randint(1, config.lanes // config.banks),
    }
