"""What an image says of its layers, held against the descriptors and passes in its words."""

from typing import TYPE_CHECKING, Any

from spikeplane_hw.descriptor import PROGRAM_WIDTH, descriptor_layout, descriptor_words, pass_layout
from spikeplane_hw.memory_map import Space
from spikeplane_hw.neuron import QUANTIZED_BITS, SHIFTS, STATE_WIDTH, TABLE_INDEX_WIDTH, Reset, code_limit

from ..network.checks import NetworkError, verify_fields
from ..network.input import INPUT
from .program import decode_fields
from .spike_map import SpikeMap

if TYPE_CHECKING:
    from .image import Image, LayerInfo

__all__ = ["ImageError", "verify_layers"]


NEURON_FIELDS = (
    "shift", "fire_above", "reset", "decode_scale", "quantized", "table", "stored", "parameter_base", "output_ring",
    "output_base", "output_step", "output_pixel", "output_flags",
)
"""Of a descriptor: 0 where sums are added to the logits."""


class ImageError(ValueError):
    """An image is unusable; the message names the file, or the value and its limit."""


def verify_layers(image: "Image") -> None:
    """Raise an ImageError naming the layer and the value where it is not as the program's words say.

    Registers, input map and the shapes of all words must have been verified.
    """
    descriptors, passes = _descriptors(image), _passes(image)
    maps: dict[str, SpikeMap] = {INPUT: image.input_map}
    rings = {INPUT: 0}
    next_pass, next_weight, next_parameter, next_state = 0, 1, 0, image.config.chunks
    for index, (info, d) in enumerate(zip(image.layers, descriptors, strict=True)):
        where = f"layer {info.name!r}" if isinstance(info.name, str) and info.name else f"layer {index}"
        try:
            verify_fields(where, info)
        except NetworkError as error:
            raise ImageError(str(error)) from error
        if not info.name or info.name in maps or info.name in [each.name for each in image.layers[:index]]:
            raise ImageError(f"{where}: the name {info.name!r} is empty or another map's")
        if info.source not in maps:
            raise ImageError(f"{where}: source is {info.source!r}, must be one of {', '.join(maps)}")
        last = index == len(image.layers) - 1
        if d["logits"] != last:
            raise ImageError(f"{where}: the program {'adds' if d['logits'] else 'does not add'} it to the logits; "
                             f"of {len(image.layers)} layers the last one is")
        _verify_walk(where, image, info, d, maps[info.source])
        _limit(where, "input_ring", d["input_ring"], rings[info.source], rings[info.source])
        _verify_memories(where, image, d, next_weight, next_parameter)
        _verify_passes(where, image, info, d, passes, next_pass)
        next_pass, next_weight = d["pass_last"] + 1, d["weight_base"] + d["groups"] * d["weight_group"]
        next_parameter += 0 if last else d["groups"]
        next_state = _verify_states(where, image, info, d, next_state)
        made = None if last else _target(where, image, info, d)
        if info.spikes is not None and info.spikes != made:
            raise ImageError(f"{where}: spikes are at {info.spikes}, by its descriptor at {made}")
        if made is not None:
            maps[info.name], rings[info.name] = made, d["output_ring"]
    for space, count, found in (
        (Space.PASSES, next_pass, len(passes)),
        (Space.WEIGHTS, next_weight * image.config.banks, len(image.contents[Space.WEIGHTS][1])),
    ):
        if count != found:
            raise ImageError(f"{space.name}: {found} words, the layers take {count}")


def _descriptors(image: "Image") -> list[dict[str, int]]:
    layout, count = descriptor_layout(image.config), descriptor_words(image.config)
    words = _integers(image, Space.PROGRAM)
    values = [
        sum(word << PROGRAM_WIDTH * place for place, word in enumerate(words[start:start + count]))
        for start in range(0, len(words), count)
    ]
    for info, value in zip(image.layers, values, strict=True):
        if value >> layout.size:
            raise ImageError(f"layer {info.name!r}: its descriptor has more than {layout.size} bits")
    return [decode_fields(layout, value) for value in values]


def _passes(image: "Image") -> list[dict[str, int]]:
    layout = pass_layout(image.config)
    return [decode_fields(layout, value) for value in _integers(image, Space.PASSES)]


def _integers(image: "Image", space: Space) -> list[int]:
    return [int.from_bytes(word.tobytes(), "little") for word in image.contents[space][1]]


def _must(where: str, name: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise ImageError(f"{where}: {name} is {found!r}, by its descriptor {expected!r}")


def _limit(where: str, name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ImageError(f"{where}: its descriptor's {name} is {value}, limit {low}..{high}")


def _verify_walk(where: str, image: "Image", info: "LayerInfo", d: dict[str, int], source: SpikeMap) -> None:
    """Check shape and time of a layer, and that it reads the map that it names."""
    config, steps = image.config, image.schedule.inner_steps(image.input.steps)
    for name in ("output_rows", "output_columns", "groups", "last_lanes", "kernel_rows", "kernel_slots", "stride",
                 "input_rows", "input_row"):
        _limit(where, name, d[name], 1, 1 << 30)
    _limit(where, "last_lanes", d["last_lanes"], 1, config.lanes)
    _must(where, "height", info.height, d["output_rows"])
    _must(where, "width", info.width, d["output_columns"])
    _must(where, "channels", info.channels, (d["groups"] - 1) * config.lanes + d["last_lanes"])
    reads_input = info.source == INPUT
    replayed = reads_input and image.input.direct
    for name, expected in (("steps", steps), ("replay", replayed),
                           ("streamed", reads_input and image.schedule.stores and not image.input.direct)):
        if d[name] != expected:
            raise ImageError(f"{where}: its descriptor's {name} is {d[name]}, must be {int(expected)} by input and "
                             f"schedule")
    full = d["input_row"] == source.step_slots and d["input_rows"] == 1
    if not full and (d["input_row"], d["input_rows"]) != (source.row_slots, source.height):
        raise ImageError(f"{where}: its descriptor walks {d['input_rows']} rows of {d['input_row']} slots; "
                         f"{info.source!r} has {source.height} of {source.row_slots}")
    start = (d["input_base"] + d["pad_rows"] * d["input_row"]) % (1 << config.slot_width)
    for name, found, expected in (
        ("first slot", start, source.base), ("slots of a step", d["input_step"], source.step_slots),
        ("first row flag", d["input_flags"], source.flags),
        ("row flags", d["skip_silent"], int(source.flagged and not (full and source.height > 1))),
    ):
        if found != expected:
            raise ImageError(f"{where}: its descriptor's {name} of {info.source!r} is {found}, must be {expected}")
    pixel = source.pixel_slots
    columns, rest = (source.width, d["kernel_slots"] % pixel) if not full else (source.step_slots // pixel, 0)
    if full and source.height > 1:
        columns = d["kernel_slots"] // pixel  # Its one window is the whole step.
        _limit(where, "kernel_slots", d["kernel_slots"], source.step_slots, source.step_slots)
    for name, expected in (
        ("output_rows", (d["input_rows"] + 2 * d["pad_rows"] - d["kernel_rows"]) // d["stride"] + 1),
        ("output_columns", (columns + 2 * d["pad_rows"] - d["kernel_slots"] // pixel) // d["stride"] + 1),
        ("row_stride", d["stride"] * source.row_slots if d["output_rows"] > 1 else 0),
        ("column_stride", d["stride"] * pixel if d["output_columns"] > 1 else 0),
        ("pad_slots", d["pad_rows"] * pixel),
        ("input_ring_slots", source.plane_slots if d["input_ring"] else 0),
    ):
        _limit(where, name, d[name], expected, expected)
    if rest or d["weight_group"] % (d["kernel_rows"] * d["kernel_slots"]) or not d["weight_group"]:
        raise ImageError(f"{where}: its windows of {d['kernel_rows']} rows of {d['kernel_slots']} slots and its "
                         f"channel groups of {d['weight_group']} slots are not made of whole pixels and planes")
    if d["logits"]:
        _limit(where, "groups", d["groups"], 1, -(-config.logit_count // config.lanes))
        for name in NEURON_FIELDS:
            _limit(where, name, d[name], 0, 0)


def _verify_memories(where: str, image: "Image", d: dict[str, int], first_weight: int, first_group: int) -> None:
    """Check that weights, parameters and tables which a descriptor names are there."""
    config = image.config
    if d["weight_base"] != first_weight:
        raise ImageError(f"{where}: its weights begin at slot {d['weight_base']}, must at {first_weight}")
    held = {space: len(words) for space, (_, words) in image.contents.items()}
    taken = {Space.WEIGHTS: (d["weight_base"] + d["groups"] * d["weight_group"]) * config.banks}
    if not d["logits"]:
        _limit(where, "parameter_base", d["parameter_base"], first_group, first_group)
        taken[Space.PARAMETERS] = (d["parameter_base"] + d["groups"]) * config.lanes
        _limit(where, "shift", d["shift"], 0, len(SHIFTS) - 1)
        _limit(where, "reset", d["reset"], 0, max(each.value for each in Reset))
        if d["quantized"]:
            taken[Space.TABLES] = (d["table"] + 1) << TABLE_INDEX_WIDTH
        else:
            _limit(where, "table", d["table"], 0, 0)
    for space, count in taken.items():
        if count > held.get(space, 0):
            raise ImageError(f"{where}: it takes {space.name} up to word {count}, {held.get(space, 0)} are there")


def _verify_passes(
    where: str, image: "Image", info: "LayerInfo", d: dict[str, int], passes: list[dict[str, int]], first: int
) -> None:
    if d["pass_base"] != first:
        raise ImageError(f"{where}: its passes begin at {d['pass_base']}, must at {first}")
    _limit(where, "pass_last", d["pass_last"], first, len(passes) - 1)
    own = passes[d["pass_base"]:d["pass_last"] + 1]
    never = image.config.tap_count
    if any(each["delay"] > never for each in own):
        raise ImageError(f"{where}: a pass looks back more than {never} steps")
    if any(each["weight_offset"] >= d["weight_group"] for each in own):
        raise ImageError(f"{where}: a pass has weights beyond the {d['weight_group']} slots of a channel group")
    _must(where, "taps", info.taps, 1 + max((each["delay"] for each in own if each["delay"] < never), default=0))


def _verify_states(where: str, image: "Image", info: "LayerInfo", d: dict[str, int], first: int) -> int:
    """Check the place of a layer's potentials, from chunk ``first`` on; return the first one after them."""
    config = image.config
    if d["logits"]:
        _must(where, "state_bits", info.state_bits, 0)
    elif d["quantized"]:
        if info.state_bits not in QUANTIZED_BITS:
            raise ImageError(f"{where}: state_bits is {info.state_bits}, its descriptor's potentials are quantized")
        # A potential beyond the table gets its last code.
        code = _integers(image, Space.TABLES)[((d["table"] + 1) << TABLE_INDEX_WIDTH) - 1]
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
    _limit(where, "state_pack", d["state_pack"], 0, config.most_packed.bit_length() - 1)
    _must(where, "state_pack", info.state_pack, d["state_pack"])
    if d["state_pack"] and STATE_WIDTH >> d["state_pack"] < info.state_bits:
        raise ImageError(f"{where}: {1 << d['state_pack']} potentials of {info.state_bits} bits do not fit a word")
    chunks = config.chunks >> d["state_pack"]
    _must(where, "state_base", info.state_base, d["state_base"] * chunks if d["stored"] else None)
    if d["stored"]:
        end = d["state_base"] * chunks + chunks * info.height * info.width * d["groups"]
        if d["state_base"] * chunks < first or end > config.state_depth:
            raise ImageError(f"{where}: its potentials are at chunks {d['state_base'] * chunks} to {end - 1}, limit "
                             f"{first}..{config.state_depth - 1}")
        return end
    for name in ("state_base", "state_pack"):
        _limit(where, name, d[name], 0, 0)
    return first


def _target(where: str, image: "Image", info: "LayerInfo", d: dict[str, int]) -> SpikeMap:
    """Return where a layer's spikes are, by its descriptor."""
    config = image.config
    made = SpikeMap(
        base=d["output_base"], steps=max(d["steps"], d["output_ring"] + 1), channels=info.channels,
        height=info.height, width=info.width, pixel_slots=d["output_pixel"], flags=d["output_flags"],
    )
    banks = -(-info.channels // config.banks)
    slots = -(-banks // config.chunk_slots) * config.chunk_slots
    _limit(where, "output_pixel", d["output_pixel"], slots, slots)
    _limit(where, "output_step", d["output_step"], made.step_slots, made.step_slots)
    if made.base % config.word_slots or made.first_word(config) + made.words(config) > config.spike_depth:
        raise ImageError(f"{where}: its spikes are at slots {made.base} to {made.base + made.slots - 1}, not at whole "
                         f"words of {config.spike_depth}")
    _limit(where, "output_flags", d["output_flags"] + made.rows, 1, config.row_flag_count)
    return made
