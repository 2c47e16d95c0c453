"""Reference of the window walk: the rows and segments of a layer in the order of docs/core.md."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .config import CoreConfig
from .map_places import Places

__all__ = ["PassRows", "Segment", "walk"]

START = Places()
"""The first step of a run."""


@dataclass
class PassRows:
    """One plane pass of a segment: its flags and the (slot, count, weight slot) rows it reads."""

    reference: int
    double: int
    end: int
    rows: list[tuple[int, int, int]] = field(default_factory=list)
    flags: list[int | None] = field(default_factory=list)
    """Of each row the flag that is not set if it is silent; None where silent rows are read as well."""


@dataclass
class Segment:
    """One (group, output y, output x, time step): where its results go, and its passes."""

    parameter: int
    state: int
    lanes: int
    output: int
    flag: int
    logit: int
    initial: bool
    passes: list[PassRows] = field(default_factory=list)


def walk(
    config: CoreConfig,
    descriptor: Mapping[str, int],
    passes: Sequence[Mapping[str, int]],
    *,
    initial: bool = True,
    places: Places = START,
) -> Iterator[Segment]:
    """Yield the segments of a layer, in order, with every row that lies in the input map.

    Whether a row is silent is not looked at; the gateware leaves silent ones out if the descriptor
    says ``skip_silent``. Slots and weight slots are modulo their address width.
    """
    d = descriptor
    slot_modulus = 1 << config.slot_width
    weight_modulus = 1 << config.weight_address_width
    base = d["input_base"] + places.input_offset
    for group in range(d["groups"]):
        for y in range(d["output_rows"]):
            for x in range(d["output_columns"]):
                pixel = y * d["output_columns"] + x
                left = x * d["column_stride"] - d["pad_slots"]
                start, right = max(left, 0), min(left + d["kernel_slots"], d["input_row"])
                state = d["state_base"]
                if d["stored"]:
                    state += pixel * d["groups"] + group
                for step in range(1 if d["replay"] else d["steps"]):
                    segment = Segment(
                        parameter=d["parameter_base"] + group,
                        state=state,
                        lanes=d["last_lanes"] if group == d["groups"] - 1 else config.lanes,
                        output=(
                            d["output_base"] + places.output_offset + step * d["output_step"]
                            + pixel * d["output_pixel"] + group * (config.lanes // config.banks)
                        ) % slot_modulus,
                        flag=d["output_flags"] + places.output_flags + step * d["output_rows"] + y,
                        logit=group,
                        initial=initial and step == 0 and (not d["logits"] or pixel == 0),
                    )
                    age = min(places.age + step, config.tap_count - 1)
                    for index, plane in enumerate(passes):
                        rows, flags = [], []
                        offset = plane["input_offset"]
                        if plane["delay"] > places.phase:
                            offset += d["input_ring_slots"]
                        for kernel_row in range(d["kernel_rows"]):
                            row = y * d["stride"] - d["pad_rows"] + kernel_row
                            if plane["delay"] > age or not 0 <= row < d["input_rows"]:
                                continue
                            above = row + d["pad_rows"]
                            slot = base + step * d["input_step"] + above * d["input_row"] + start
                            weight = (
                                d["weight_base"] + group * d["weight_group"]
                                + kernel_row * d["kernel_slots"] + start - left
                            )
                            skips = d["skip_silent"] and not plane["delay"]
                            flag = d["input_flags"] + places.input_flags + step * d["input_rows"] + row
                            flags.append(flag if skips else None)
                            rows.append((
                                (slot + offset) % slot_modulus,
                                right - start,
                                (weight + plane["weight_offset"]) % weight_modulus,
                            ))
                        end = int(index == len(passes) - 1)
                        segment.passes.append(
                            PassRows(plane["reference"], plane["double"], end, rows, flags)
                        )
                    yield segment
