"""Reference of the window walk: the rows and segments of a layer in the order of docs/core.md."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from .config import CoreConfig
from .descriptor import map_rows, pool_width
from .map_places import InputPlace, Places

__all__ = ["Fetched", "PassRows", "Segment", "walk"]


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
class Fetched:
    """What is read for neighbouring pixels at once: the windows of all of them, of which each takes its own part."""

    pixels: int
    left: int
    """First slot of the first pixel's window, from the first slot of each row on: negative, or 0."""
    right: int
    """First slot behind it."""
    stride: int
    """Slots from one window to the next."""
    passes: list[PassRows]


@dataclass
class Segment:
    """One (group, output y, output x, time step, term): where its results go, and its passes."""

    group: int
    pixel: int
    step: int
    cluster: int
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
    fetched: Fetched | None = None
    """Of the first cluster: what is read for all of them."""


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
        for y, first in product(range(layer["output_rows"]), range(0, layer["output_columns"], config.clusters)):
            pixels = min(config.clusters, layer["output_columns"] - first)
            for step in range(1 if layer["replay"] else layer["steps"]):
                sample, sample_step = divmod(step, layer["sample_steps"] or 1 + step)
                age = min((0 if layer["sample_steps"] else places.age) + sample_step, config.tap_count - 1)
                for index, (term, place) in enumerate(zip(terms, places.inputs, strict=True)):
                    planes = passes[term["pass_base"]:term["pass_last"] + 1]
                    for cluster in range(pixels):
                        x = first + cluster
                        pixel = y * layer["output_columns"] + x
                        pool_y, pool_x = y // pool_height, x // pool_columns
                        map_pixel = pool_y * (layer["output_columns"] // pool_columns) + pool_x
                        state = layer["state_base"] + cluster
                        if layer["stored"]:
                            state = layer["state_base"] + (x if pieces else pixel * layer["groups"] + group)
                            state += step * layer["state_step"]
                        window = _Window(config, term, place, group, y, x, step, age)
                        yield Segment(
                            group=group, pixel=pixel, step=step, cluster=cluster,
                            parameter=term["parameter_base"] + (0 if term["shared"] else group),
                            state=state,
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
                            fetched=window.fetched(planes, pixels) if cluster == 0 else None,
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

    @property
    def first(self) -> int:
        """The first slot of a pixel that the channel group reads."""
        return 0 if self.stream else self.group * self.term["input_group"]

    @property
    def slots(self) -> int:
        """Slots of a row of the window."""
        d = self.term
        return min(d["kernel_slots"], max(0, d["input_slots"] - self.first)) if self.shortcut else d["kernel_slots"]

    @property
    def left(self) -> int:
        """Its left edge, in slots of a row of the map."""
        return self.x * self.term["column_stride"] - self.term["pad_slots"]

    def fetched(self, planes: Sequence[Mapping[str, int]], pixels: int) -> Fetched:
        """Return what is read for so many pixels, of which this window's is the first one."""
        left = min(self.left, 0)
        return Fetched(
            pixels=pixels, left=left, right=left + self.slots, stride=self.term["column_stride"],
            passes=[self.rows(plane, plane is planes[-1], pixels) for plane in planes],
        )

    def rows(self, plane: Mapping[str, int], end: bool, pixels: int = 1) -> PassRows:
        """Return the rows of a pass, from this pixel's window to that of the last of so many neighbours."""
        d, config = self.term, self.config
        found = PassRows(plane["banks"], plane["reference"], plane["double"], int(end))
        first, left = self.first, self.left
        reach = (pixels - 1) * d["column_stride"] if self.slots else 0
        start, right = max(left, 0), min(left + self.slots + reach, d["input_row"])
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
