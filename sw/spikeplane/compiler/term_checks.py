"""What an image says of a layer's terms, held against their descriptors, passes, weights and parameters."""

from typing import TYPE_CHECKING

from spikeplane_hw.memory_map import Space
from spikeplane_hw.neuron import SHIFTS

from ..network.input import INPUT
from .held import Held, ImageError, limit, must
from .part_checks import Part
from .program import second_limit
from .spike_map import SpikeMap
from .weight_places import identity_slots

if TYPE_CHECKING:
    pass

__all__ = ["verify_second", "verify_term"]


def verify_term(
    where: str, held: Held, part: Part, source: str, taps: int, layer: dict[str, int], d: dict[str, int],
    load: dict[str, int] | None, size: int, *, last: bool, streamed_last: bool,
) -> None:
    """Check a term's descriptor ``d``, of a product with its ``load``, and that it reads the map that it names.

    It is one of ``part``. ``size`` are the slots of a channel group's weights.
    """
    image, windowless = held.image, not d["kernel_slots"]
    places = held.streams if windowless else held.maps
    if source not in places:
        raise ImageError(f"{where}: source is {source!r}, must be one of {', '.join(places)}")
    if image.batch > 1 and source != INPUT and places[source].steps != held.samples * image.input.steps:
        raise ImageError(f"{where}: it reads {source!r} of {places[source].steps} time steps, itself it has "
                         f"{held.samples * image.input.steps}")
    streamed = source == INPUT and image.schedule.stores and not image.input.direct
    for name, expected in (("streamed", streamed), ("streamed_last", streamed_last)):
        if d[name] != expected:
            raise ImageError(f"{where}: its descriptor's {name} is {d[name]}, must be {int(expected)} by input and "
                             f"schedule")
    if d["stream"] and (last or not windowless):
        raise ImageError(f"{where}: it is a stream {'with a window' if not windowless else 'and the last term'}")
    for name in ("kernel_rows", "stride", "input_rows", "input_row"):
        limit(where, name, d[name], 1, 1 << 30)
    ring = 0 if windowless else held.rings[source]
    limit(where, "input_ring", d["input_ring"], ring, ring)
    limit(where, "shift", d["shift"], 0, 0 if layer["logits"] else len(SHIFTS) - 1)
    _verify_walk(where, held, part, places[source], source, layer, d, load, size)
    _verify_memories(where, held, layer, d, load, size)
    _verify_passes(where, held, taps, d, size)


def verify_second(where: str, held: Held, source: str, second: str, d: dict[str, int]) -> None:
    """Check where the other stream of a mean is."""
    limit(where, "mean", d["mean"], int(second != ""), int(second != ""))
    distance = 0
    if d["mean"]:
        if not d["stream"] or second not in held.streams:
            raise ImageError(f"{where}: the mean is of {source!r} and {second!r}, which are no streams")
        one, other = held.streams[source], held.streams[second]
        must(where, f"the shape of {second!r}", *(
            (each.steps, each.channels, each.height, each.width, each.pixel_slots) for each in (other, one)
        ))
        distance = (other.base - one.base) % second_limit(held.image.config)
    limit(where, "second", d["second"], distance, distance)


def _verify_walk(
    where: str, held: Held, part: Part, whole: SpikeMap, name: str, layer: dict[str, int], d: dict[str, int],
    load: dict[str, int] | None, size: int,
) -> None:
    config, windowless = held.image.config, not d["kernel_slots"]
    if part.split is not None and (windowless or load is not None):
        raise ImageError(f"{where}: it is split, which only layers of windows and shortcuts are")
    source = part.source(d, whole, held.pieces.get(name), config)
    full = not windowless and d["input_row"] == source.frame_slots and d["input_rows"] == 1
    piece = windowless and held.in_pieces
    height = part.info.height if piece else source.height
    if not full and (d["input_row"], d["input_rows"]) != (source.row_slots, height):
        raise ImageError(f"{where}: its descriptor walks {d['input_rows']} rows of {d['input_row']} slots; "
                         f"{name!r} has {height} of {source.row_slots}")
    still = name == INPUT and held.image.input.direct
    start = (d["input_base"] + d["pad_rows"] * d["input_row"]) % (1 << config.slot_width)
    for what, found, expected in (
        ("first slot", start, source.base), ("slots of a step", d["input_step"], 0 if still else source.step_slots),
        ("first row flag", d["input_flags"], source.flags),
        ("row flags", d["skip_silent"], int(source.flagged and not (full and source.height > 1))),
    ):
        if found != expected:
            raise ImageError(f"{where}: its descriptor's {what} of {name!r} is {found}, must be {expected}")
    pixel, shortcut = source.pixel_slots, bool(d["shortcut"])
    grouped = shortcut or windowless or d["input_group"]  # a group reads a part of the pixel
    kernel_slots = pixel if grouped else d["kernel_slots"]
    if shortcut:  # or a pool, whose passes read a column of its windows each
        own = held.passes[d["pass_base"]:d["pass_last"] + 1]
        kernel_slots = max((each["input_offset"] for each in own if not each["delay"]), default=0) + pixel
        if kernel_slots % pixel:
            raise ImageError(f"{where}: its pass reads from slot {kernel_slots - pixel} on, pixels have {pixel} slots")
    columns, rest = (source.width, kernel_slots % pixel) if not full else (source.frame_slots // pixel, 0)
    if full and source.height > 1:
        columns = kernel_slots // pixel  # Its one window is the whole step.
        limit(where, "kernel_slots", d["kernel_slots"], source.frame_slots, source.frame_slots)
    padding, rows = d["pad_rows"], d["input_rows"]
    if part.rows is not None:
        padding, rows = d["pad_slots"] // pixel, whole.height
        _, above = part.read(d, rows, pixel)
        limit(where, "pad_rows", d["pad_rows"], above, above)
    rows, columns = (
        (side + 2 * padding - kernel) // d["stride"] + 1
        for side, kernel in ((rows, d["kernel_rows"]), (columns, kernel_slots // pixel))
    )
    must(where, "height", part.info.height, rows)
    limit(where, "output_columns", layer["output_columns"], columns, columns)
    identity, group = identity_slots(config), 0
    if not shortcut and not windowless and d["input_group"]:
        group = _verify_groups(where, held, source, layer, d)
    steps = d["weight_step"] if load is not None else 0
    expected = {
        "weight_step": steps,
        "row_stride": d["stride"] * source.row_slots if layer["output_rows"] > 1 and not piece else 0,
        "column_stride": d["stride"] * pixel if layer["output_columns"] > 1 else 0,
        "pad_slots": padding * pixel,
        "input_ring_slots": source.plane_slots if d["input_ring"] else 0,
        "input_group": identity if shortcut else int(windowless and not piece) or group,
        "input_slots": pixel if shortcut else 0,
        "shared": int(shortcut or windowless),
    }
    if shortcut:
        expected |= {"kernel_slots": identity, "weight_group": held.group, "doubled": 0, "pad_rows": 0}
    if windowless:
        expected |= {"kernel_rows": 1, "stride": 1, "weight_group": 0, "doubled": 0, "pad_rows": 0}
        must(where, "the channels of its stream", source.channels, (layer["groups"] - 1) * config.lanes
             + layer["last_lanes"])
    for what, value in expected.items():
        limit(where, what, d[what], value, value)
    if shortcut or windowless:
        return
    if load is not None:
        limit(where, "slots of its operand", load["weight_slots"], *[group or -(-source.channels // config.banks)] * 2)
        for what, value in {"weight_step": load["weight_slots"], "weight_group": load["weight_slots"] * load["steps"],
                            "doubled": 0, "kernel_rows": 1, "kernel_slots": group or pixel, "stride": 1,
                            "pad_rows": 0}.items():
            limit(where, what, d[what], value, value)
        return
    if rest or size <= 0 or size % (d["kernel_rows"] * d["kernel_slots"]):
        raise ImageError(f"{where}: its windows of {d['kernel_rows']} rows of {d['kernel_slots']} slots and its "
                         f"channel groups of {size} slots are not made of whole pixels and planes")


def _verify_groups(where: str, held: Held, source: SpikeMap, layer: dict[str, int], d: dict[str, int]) -> int:
    """Check that each channel group reads a part of the pixel of its own; return its slots."""
    banks, group = held.image.config.banks, d["input_group"]
    limit(where, "kernel_slots", d["kernel_slots"], group, group)
    must(where, "the channels of its groups", source.channels, layer["groups"] * group * banks)
    limit(where, "last_lanes", layer["last_lanes"], layer["group_lanes"], layer["group_lanes"])
    return group


def _verify_memories(
    where: str, held: Held, layer: dict[str, int], d: dict[str, int], load: dict[str, int] | None, size: int
) -> None:
    """Check that the weights and parameters which a descriptor names are there."""
    config, contents = held.image.config, held.image.contents
    shared = d["shortcut"] or not d["kernel_slots"]
    first = held.next_weight
    if shared:
        first = 0 if held.streaming else 1
    if d["weight_base"] != first and load is None:
        raise ImageError(f"{where}: its weights begin at slot {d['weight_base']}, must at {first}")
    taken = {}
    if held.streaming:
        held.next_weight += 0 if shared else size
        if not shared and load is None:
            limit(where, "weight_group", d["weight_group"], held.group, held.group)
    else:
        held.next_weight += 0 if shared or load is not None else layer["groups"] * size
        taken[Space.WEIGHTS] = held.next_weight * config.banks
    first = 0 if layer["logits"] else held.next_parameter
    limit(where, "parameter_base", d["parameter_base"], first, first)
    if not layer["logits"]:
        held.next_parameter += 1 if shared else layer["groups"]
        if not held.loads_parameters:
            taken[Space.PARAMETERS] = held.next_parameter * config.lanes
        elif held.next_parameter * config.chunks > config.parameter_depth:
            raise ImageError(f"{where}: it takes {held.next_parameter * config.chunks} chunks of parameters, limit "
                             f"{config.parameter_depth}")
    for space, count in taken.items():
        found = len(contents[space][1]) if space in contents else 0
        if count > found:
            raise ImageError(f"{where}: it takes {space.name} up to word {count}, {found} are there")


def _verify_passes(where: str, held: Held, taps: int, d: dict[str, int], size: int) -> None:
    first, passes = held.next_pass, held.passes
    if d["pass_base"] != first:
        raise ImageError(f"{where}: its passes begin at {d['pass_base']}, must at {first}")
    limit(where, "pass_last", d["pass_last"], first, len(passes) - 1)
    held.next_pass = d["pass_last"] + 1
    own = passes[first:held.next_pass]
    never = held.image.config.tap_count
    if any(each["delay"] > never for each in own):
        raise ImageError(f"{where}: a pass looks back more than {never} steps")
    slots = identity_slots(held.image.config) if d["shortcut"] else size
    if any(each["weight_offset"] >= max(slots, 1) for each in own):
        raise ImageError(f"{where}: a pass has weights beyond the {slots} slots of a channel group")
    must(where, "taps", taps, 1 + max((each["delay"] for each in own if each["delay"] < never), default=0))
