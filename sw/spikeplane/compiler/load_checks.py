"""What an image says of its loads, held against the terms that they are the weights of."""

from .held import Held, ImageError, limit
from .loads import operand_group

__all__ = ["verify_loads", "verify_operands"]


def verify_loads(
    where: str, held: Held, operands: tuple[str, ...], layer: dict[str, int], loads: list[dict[str, int]],
    terms: list[dict[str, int]],
) -> list[dict[str, int] | None]:
    """Check the loads of a layer; return that of each of its terms, None of one that is no product."""
    config, image = held.image.config, held.image
    if len(operands) != len(loads):
        raise ImageError(f"{where}: it has {len(loads)} loads, the image names {len(operands)} operands")
    found: list[dict[str, int] | None] = [None] * len(terms)
    for name, d in zip(operands, loads, strict=True):
        if name not in held.maps:
            raise ImageError(f"{where}: its operand is {name!r}, must be one of {', '.join(held.maps)}")
        readers = [index for index, term in enumerate(terms)
                   if term["kernel_slots"] and not term["shortcut"] and term["weight_base"] == d["weight_base"]]
        if len(readers) != 1:
            raise ImageError(f"{where}: {len(readers)} terms have the weights of the operand {name!r}, must be one")
        source, term = held.maps[name], terms[readers[0]]
        found[readers[0]] = d
        groups = layer["groups"] if term["input_group"] else 1
        if source.channels % groups or (groups > 1 and source.channels // groups % config.banks):
            raise ImageError(f"{where}: its operand {name!r} has {source.channels} channels, which are not {groups} "
                             f"groups of whole slots")
        pixels = source.height * source.width
        inputs, outputs = source.channels // groups, pixels
        if d["transposed"]:
            inputs, outputs = pixels, source.channels // groups
        channels = (layer["groups"] - 1) * layer["group_lanes"] + layer["last_lanes"]
        if channels != outputs * groups:
            raise ImageError(f"{where}: it has {channels} channels, its operand {name!r} makes {outputs * groups}")
        slots, steps = -(-inputs // config.banks), held.samples * image.schedule.inner_steps(image.input.steps)
        expected = {
            "input_base": source.base, "input_step": source.step_slots, "input_rows": source.height,
            "input_pixel": source.pixel_slots, "streamed": 0, "input_ring": held.rings[name], "unused": 0,
            "input_group": operand_group(source, groups, config, transposed=bool(d["transposed"])),
            "groups": layer["groups"], "steps": steps, "weight_slots": slots,
            "blocks": -(-min(layer["group_lanes"], channels) // config.banks),
        }
        for what, value in expected.items():
            limit(f"{where}, operand {name!r}", what, d[what], value, value)
    return found


def verify_operands(held: Held, layers: list[tuple[str, list[dict[str, int]]]]) -> None:
    """Check that operands lie behind the weights of all layers, or the ring, those of one layer side by side."""
    for name, loads in layers:
        first = held.ring if held.streaming else held.next_weight
        for d in loads:
            limit(f"layer {name!r}", "weight_base of an operand", d["weight_base"], first, first)
            first += d["groups"] * d["steps"] * d["weight_slots"]
        limit(f"layer {name!r}", "last weight slot of an operand", first - 1, 0, held.image.config.weight_depth - 1)
