"""Reference of the window walk: the rows and segments of a layer in the order of docs/core.md."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .config import CoreConfig
from .descriptor import map_rows, pool_width
from .map_places import InputPlace, Places

__all__ = ["PassRows", "Segment", "walk"]


@dataclass
class PassRows:
    """One plane pass of a segment: its flags and the (slot, count, weight slot) rows it reads."""

    banks: int
    reference: int
    double: int
    end: int
    rows: list[tuple[int, int, int]] = field(default_factory=list)
    flags: list[int | None] = field(default_factory=list)
    """Of each row the flag that is not set if it is silent; None where silent rows are read as well."""


@dataclass
class Segment:
    """One (group, output y, output x, time step, term): where its results go, and its passes."""

    parameter: int
    state: int
    lanes: int
    output: int
    flag: int
    logit: int
    initial: bool
    doubled: int
    shift: int
    first: bool
    last: bool
    stream: bool
    stream_state: int
    mean: bool
    second_state: int
    pool: int
    pool_first: bool
    pool_last: bool
    passes: list[PassRows] = field(default_factory=list)


def walk(
    config: CoreConfig,
    layer: Mapping[str, int],
    terms: Sequence[Mapping[str, int]],
    passes: Sequence[Mapping[str, int]],
    places: Places,
    *,
    initial: bool = True,
    pieces: bool = False,
) -> Iterator[Segment]:
    """Yield the segments of a layer, in order, with every row that lies in the input map.

    In ``pieces`` the states of all rows and channel groups are at the same place.

    ``passes`` are those of the whole program. Whether a row is silent is not looked at; the gateware
    leaves silent ones out if the term says ``skip_silent``. Slots and weight slots are modulo their
    address width.
    """
    lanes = layer["group_lanes"] if config.term_count > 1 else config.lanes
    pool_height, pool_columns = (1 + layer[f"pool_{name}"] for name in ("rows", "columns"))
    for group in range(layer["groups"]):
        for y in range(layer["output_rows"]):
            for x in range(layer["output_columns"]):
                pixel = y * layer["output_columns"] + x
                pool_y, pool_x = y // pool_height, x // pool_columns
                map_pixel = pool_y * (layer["output_columns"] // pool_columns) + pool_x
                state = layer["state_base"]
                if layer["stored"]:
                    state += x if pieces else pixel * layer["groups"] + group
                for step in range(1 if layer["replay"] else layer["steps"]):
                    sample, sample_step = divmod(step, layer["sample_steps"] or 1 + step)
                    for index, (term, place) in enumerate(zip(terms, places.inputs, strict=True)):
                        age = (0 if layer["sample_steps"] else places.age) + sample_step
                        age = min(age, config.tap_count - 1)
                        window = _Window(config, term, place, group, y, x, step, age)
                        own = state + step * layer["state_step"] if layer["stored"] else state
                        planes = passes[term["pass_base"]:term["pass_last"] + 1]
                        yield Segment(
                            parameter=term["parameter_base"] + (0 if term["shared"] else group),
                            state=own,
                            lanes=layer["last_lanes"] if group == layer["groups"] - 1 else lanes,
                            output=(
                                layer["output_base"] + places.output_offset + step * layer["output_step"]
                                + map_pixel * layer["output_pixel"] + group * (lanes // config.banks)
                            ) % (1 << config.slot_width),
                            flag=(
                                layer["output_flags"] + places.output_flags + step * map_rows(config, layer) + pool_y
                            ),
                            logit=group + sample * layer["groups"],
                            initial=bool(initial or layer["sample_steps"]) and sample_step == 0 and (
                                not layer["logits"] or (pixel == index == 0 and not layer["more_logits"])
                            ),
                            doubled=term["doubled"],
                            shift=term["shift"],
                            first=index == 0,
                            last=index == len(terms) - 1,
                            stream=window.stream,
                            stream_state=window.stream_state,
                            mean=bool(term["mean"]),
                            second_state=(window.stream_state + term["second"]) % (1 << config.slot_width),
                            pool=(pool_x * layer["steps"] + step) % (1 << pool_width(config)),
                            pool_first=y % pool_height == x % pool_columns == 0,
                            pool_last=(y + 1) % pool_height == (x + 1) % pool_columns == 0,
                            passes=[window.rows(plane, plane is planes[-1]) for plane in planes],
                        )


@dataclass(frozen=True)
class _Window:
    """What a term reads for one segment."""

    config: CoreConfig
    term: Mapping[str, int]
    place: InputPlace
    group: int
    y: int
    x: int
    step: int
    age: int

    @property
    def shortcut(self) -> bool:
        return bool(self.term["shortcut"])

    @property
    def stream(self) -> bool:
        return bool(self.term["stream"])

    @property
    def stream_state(self) -> int:
        """Where the stored integers of a stream are, in channel groups."""
        d = self.term
        return (
            d["input_base"] + self.place.offset + self.group * d["input_group"] + self.step * d["input_step"]
            + self.y * d["row_stride"] + self.x * d["column_stride"]
        ) % (1 << self.config.slot_width)

    def rows(self, plane: Mapping[str, int], end: bool) -> PassRows:
        """Return the rows of a pass."""
        d, config = self.term, self.config
        found = PassRows(plane["banks"], plane["reference"], plane["double"], int(end))
        first = 0 if self.stream else self.group * d["input_group"]
        slots = min(d["kernel_slots"], max(0, d["input_slots"] - first)) if self.shortcut else d["kernel_slots"]
        left = self.x * d["column_stride"] - d["pad_slots"]
        start, right = max(left, 0), min(left + slots, d["input_row"])
        offset = plane["input_offset"]
        if plane["delay"] > self.place.phase:
            offset += d["input_ring_slots"]
        for kernel_row in range(d["kernel_rows"]):
            row = self.y * d["stride"] - d["pad_rows"] + kernel_row
            if plane["delay"] > self.age or not 0 <= row < d["input_rows"] or right <= start:
                continue
            slot = (
                d["input_base"] + self.place.offset + first + self.step * d["input_step"]
                + (row + d["pad_rows"]) * d["input_row"] + start
            )
            weight = (
                d["weight_base"] + self.group * d["weight_group"] + self.step * d["weight_step"] + start - left
                + (0 if self.shortcut else kernel_row * d["kernel_slots"])
            )
            skips = d["skip_silent"] and not plane["delay"]
            flag = d["input_flags"] + self.place.flags + self.step * d["input_rows"] + row
            found.flags.append(flag if skips else None)
            found.rows.append((
                (slot + offset) % (1 << config.slot_width),
                right - start,
                (weight + plane["weight_offset"]) % (1 << config.weight_address_width),
            ))
        return found
