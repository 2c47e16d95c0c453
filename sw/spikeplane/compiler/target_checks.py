"""Where an image says that the spikes of a layer are, held against its descriptor."""

from dataclasses import replace
from typing import TYPE_CHECKING

from spikeplane_hw.descriptor import POOL_LIMIT

from .batches import sample_ring
from .held import ImageError, limit
from .part_checks import Part
from .spike_map import SpikeMap

if TYPE_CHECKING:
    from .image import Image

__all__ = ["verify_target"]


def verify_target(where: str, image: "Image", part: Part, d: dict[str, int]) -> tuple[SpikeMap, SpikeMap]:
    """Return where the spikes of a part of a layer are, by its descriptor, and all of the map that they are part of.

    Of a map that is spilled in parts that is what lies outside the chip.
    """
    config, info = image.config, part.info
    height, width = info.height // (1 + d["pool_rows"]), info.width // (1 + d["pool_columns"])
    limit(where, "pool_rows", d["pool_rows"], 0, min(POOL_LIMIT, info.height) - 1)
    limit(where, "pool_columns", d["pool_columns"], 0, min(POOL_LIMIT, info.width) - 1)
    own = range(height)
    if part.rows is not None:
        own = range(part.rows.start // (1 + d["pool_rows"]), min(height, part.rows.stop // (1 + d["pool_rows"])))
        if part.rows.start % (1 + d["pool_rows"]) or not own:
            raise ImageError(f"{where}: its pool's windows of {1 + d['pool_rows']} rows are not all in one part")
    rows = len(own) if config.pool_depth else 0
    limit(where, "map_rows", d["map_rows"], rows, rows)
    waiting = -(-info.width // (1 + d["pool_columns"])) * d["steps"] * config.chunks
    if (height, width) != (info.height, info.width) and waiting > config.pool_depth:
        raise ImageError(f"{where}: a row of its pool takes {waiting} chunks, limit {config.pool_depth}")
    steps = max(d["steps"], d["output_ring"] + 1)
    if image.batch > 1 and d["output_ring"]:  # The steps of all samples, collected one after the other.
        limit(where, "output_ring", d["output_ring"] + 1, *[1 if info.samples > 1 else sample_ring(image.batch)] * 2)
        steps = d["steps"] * image.batch
    banks = -(-info.channels // config.banks)
    slots = -(-banks // config.chunk_slots) * config.chunk_slots
    limit(where, "output_pixel", d["output_pixel"], slots, slots)
    whole = SpikeMap(
        base=d["output_base"], steps=steps, channels=info.channels,
        height=height, width=width, pixel_slots=d["output_pixel"], flags=d["output_flags"],
    )
    whole = whole.padded(config) if info.spilled else whole
    made = target = whole
    if part.rows is not None:
        made = replace(whole, base=whole.base - own.start * whole.row_slots, flagged=False, flags=0)
        target = replace(made.rows_of(own), flagged=True, flags=whole.flags)
        if info.spilled:
            made = replace(made, base=0)
            words = -(-target.frame_slots // config.word_slots) * config.word_slots
            limit(where, "output_step", d["output_step"], words, 1 << config.slot_width)
            if d["output_step"] % config.word_slots or own.start * whole.row_slots % config.word_slots:
                raise ImageError(f"{where}: rows {own.start} on of its map are stored outside the chip, which begin "
                                 f"within a word")
            target = replace(target, gap=d["output_step"] - target.frame_slots)
    elif part.steps is not None:
        first = part.steps.start
        made = replace(whole, steps=part.info.borders[-1])
        made = replace(made, base=0, flagged=False, flags=0) if info.spilled else replace(
            made, base=whole.base - first * whole.step_slots, flags=whole.flags - first * height,
        )
    limit(where, "output_step", d["output_step"], target.step_slots, target.step_slots)
    at = made if part.split is None or not info.spilled else target
    if at.base % config.word_slots or at.base < 0 or at.first_word(config) + at.words(config) > config.spike_depth:
        raise ImageError(f"{where}: its spikes are at slots {at.base} to {at.base + at.slots - 1}, not at whole "
                         f"words of {config.spike_depth}")
    if target.flags - (0 if part.steps is None or info.spilled else part.steps.start * height) < 0:
        raise ImageError(f"{where}: its row flags begin ahead of the first one")
    limit(where, "output_flags", d["output_flags"] + target.rows, 1, config.row_flag_count)
    return target, made
