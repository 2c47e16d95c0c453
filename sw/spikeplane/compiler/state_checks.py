"""What an image says of a layer's potentials and streams, held against its descriptor."""

from dataclasses import replace
from typing import TYPE_CHECKING

from spikeplane_hw.memory_map import Space
from spikeplane_hw.neuron import QUANTIZED_BITS, STATE_WIDTH, TABLE_INDEX_WIDTH, code_limit

from .held import Held, ImageError, integers, limit, meets, must
from .part_checks import Part
from .spike_map import SpikeMap

if TYPE_CHECKING:
    from .image import LayerInfo

__all__ = ["held_stream", "put_stream", "verify_states"]


def verify_states(where: str, held: Held, part: Part, d: dict[str, int]) -> None:
    """Check a layer's potentials, and where those are that last; see `put_stream` for a stream."""
    image, info = held.image, part.info
    config = image.config
    if d["logits"]:
        must(where, "state_bits", info.state_bits, 0)
    elif d["quantized"]:
        if info.state_bits not in QUANTIZED_BITS:
            raise ImageError(f"{where}: state_bits is {info.state_bits}, its descriptor's potentials are quantized")
        # A potential beyond the table gets its last code.
        code = integers(image, Space.TABLES)[((d["table"] + 1) << TABLE_INDEX_WIDTH) - 1]
        if code != code_limit(info.state_bits):
            raise ImageError(f"{where}: its table's greatest code is {code}, must be {code_limit(info.state_bits)} "
                             f"with {info.state_bits} bits")
    elif info.state_bits not in (0, STATE_WIDTH):
        raise ImageError(f"{where}: state_bits is {info.state_bits}, its descriptor's potentials are not quantized")
    if not info.state_bits and d["decode_scale"]:
        raise ImageError(f"{where}: state_bits is 0, its descriptor keeps {d['decode_scale']} of a potential")
    if d["stored"] and (d["logits"] or not info.state_bits):
        raise ImageError(f"{where}: its descriptor stores potentials, of which it has none")
    if image.schedule.stores and info.state_bits and not d["stored"]:
        raise ImageError(f"{where}: its potentials must be stored with the schedule {image.schedule.value}")
    limit(where, "state_pack", d["state_pack"], 0, config.most_packed.bit_length() - 1)
    must(where, "state_pack", info.state_pack, d["state_pack"])
    if d["state_pack"] and STATE_WIDTH >> d["state_pack"] < info.state_bits:
        raise ImageError(f"{where}: {1 << d['state_pack']} potentials of {info.state_bits} bits do not fit a word")
    chunks = config.chunks >> d["state_pack"]
    before = 0 if part.rows is None else part.rows.start * info.width * d["groups"] * chunks
    if not d["store"] or info.state_base is not None:  # A stream may be overwritten, so that no host reads it.
        must(where, "state_base", info.state_base, d["state_base"] * chunks - before if d["stored"] else None)
    if d["store"]:
        return
    limit(where, "state_step", d["state_step"], 0, 0)
    if not d["stored"]:
        for name in ("state_base", "state_pack"):
            limit(where, name, d[name], 0, 0)
        return
    own = range(d["state_base"] * chunks, (d["state_base"] + d["output_rows"] * info.width * d["groups"]) * chunks)
    if own.start < config.shared_chunks or own.stop > config.state_depth:
        raise ImageError(f"{where}: its potentials are at chunks {own.start} to {own.stop - 1}, limit "
                         f"{config.shared_chunks}..{config.state_depth - 1}")
    streams = [range(each.base * config.chunks, (each.base + each.slots) * config.chunks)
               for each in held.streams.values()]
    if any(meets(own, each) for each in [*held.potentials, *streams]):
        raise ImageError(f"{where}: its potentials are at chunks {own.start} to {own.stop - 1}, where others are")
    held.potentials.append(own)


def held_stream(where: str, held: Held, info: "LayerInfo", d: dict[str, int]) -> tuple[SpikeMap, SpikeMap]:
    """Return the integers that a layer stores, and where they are, or the piece of them that is there."""
    if not d["stored"] or d["state_pack"] or d["quantized"]:
        raise ImageError(f"{where}: it makes a stream of potentials that are not stored as they are")
    made = SpikeMap(
        base=d["state_base"], steps=d["steps"], channels=info.channels, height=info.height, width=info.width,
        pixel_slots=d["groups"], flagged=False,
    )
    there = replace(made, height=1, pixel_slots=1) if held.in_pieces else made
    limit(where, "state_step", d["state_step"], there.step_slots, there.step_slots)
    return made, there


def put_stream(where: str, held: Held, name: str, stream: SpikeMap) -> None:
    """Check where a stream is put, and note it; what it overwrites can no longer be read."""
    config = held.image.config
    groups = range(stream.base, stream.base + stream.slots)
    chunks = range(groups.start * config.chunks, groups.stop * config.chunks)
    if chunks.start < config.shared_chunks or chunks.stop > config.state_depth:
        raise ImageError(f"{where}: its stream is at chunks {chunks.start} to {chunks.stop - 1}, limit "
                         f"{config.shared_chunks}..{config.state_depth - 1}")
    if any(meets(chunks, each) for each in held.potentials):
        raise ImageError(f"{where}: its stream is at chunks {chunks.start} to {chunks.stop - 1}, where potentials are")
    held.streams = {
        other: each for other, each in held.streams.items()
        if not meets(groups, range(each.base, each.base + each.slots))
    } | {name: stream}
