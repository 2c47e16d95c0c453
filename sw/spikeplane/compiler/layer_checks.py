"""What an image says of its layers, held against the descriptors and passes in its words."""

from dataclasses import replace
from typing import TYPE_CHECKING

from spikeplane_hw.descriptor import pass_layout
from spikeplane_hw.memory_map import Register, Space
from spikeplane_hw.neuron import STATE_WIDTH, TABLE_INDEX_WIDTH, Reset
from spikeplane_hw.weight_stream import ring_slots, slot_bursts

from ..network.checks import NetworkError, verify_fields
from ..network.input import INPUT
from .held import Held, ImageError, integers, limit, must
from .load_checks import verify_loads, verify_operands
from .move_checks import verify_pieces, verify_reloads, verify_spill, verify_stream_spill
from .parameter_checks import begin_parameters, verify_parameters
from .part_checks import Part, layer_parts, verify_split
from .program import Descriptors, decode_fields, decode_program
from .state_checks import held_stream, put_stream, verify_states
from .stream_checks import begin_group, verify_copies, verify_copy, verify_identity
from .target_checks import verify_target
from .term_checks import verify_second, verify_term

if TYPE_CHECKING:
    from .image import Image, LayerInfo

__all__ = ["verify_layers"]

NEURON_FIELDS = (
    "fire_above", "reset", "decode_scale", "quantized", "table", "stored", "store", "state_step",
)
"""Of a layer's descriptor: 0 where sums are added to the logits."""
MAP_FIELDS = ("output_ring", "output_base", "output_step", "output_pixel", "output_flags", "pool_rows", "pool_columns",
              "map_rows")
"""The same: 0 where there are no spikes."""


def verify_layers(image: "Image") -> None:
    """Raise an ImageError naming the layer and the value where it is not as the program's words say.

    Registers, input map and the shapes of all words must have been verified.
    """
    try:
        program = decode_program(image.config, integers(image, Space.PROGRAM))
    except ValueError as error:
        raise ImageError(f"PROGRAM: {error}") from error
    for index, info in enumerate(image.layers):
        _verify_info(image, index, info)
    parts = layer_parts(image)
    if len(program) != len(parts):
        raise ImageError(f"PROGRAM: it has {len(program)} layers, the image {len(parts)}")
    layout = pass_layout(image.config)
    held = Held(
        image=image, passes=[decode_fields(layout, value) for value in integers(image, Space.PASSES)],
        maps={INPUT: image.input_map}, rings={INPUT: 0}, streams={}, streaming=Space.EXTERNAL in image.contents,
        ring=ring_slots(image.config, half=image.halves_ring),
    )
    if not held.streaming and any(term["shortcut"] for each in program for term in each.terms):
        verify_identity(held, image.contents[Space.WEIGHTS][1])
    early = _early_layers(image, parts, program)
    streamed = [
        index for index, each in enumerate(program) if any(term["streamed"] for term in each.terms)
    ]
    if streamed and program[streamed[-1]].terms[-1]["input_rows"] < image.input_map.height:
        held.maps[INPUT] = replace(image.input_map, flagged=False)  # flags do not move on as its rows do
    heads = 0
    begin = (held.next_pass, held.next_weight, held.next_parameter, held.next_slot)
    for index, (part, jobs) in enumerate(zip(parts, program, strict=True)):
        d, terms, info, where = jobs.layer, jobs.terms, part.info, part.where
        if part.shares:  # Of passes, weights and parameters those of the first part are its own.
            held.next_pass, held.next_weight, held.next_parameter, first_slot = begin
        else:
            begin = (held.next_pass, held.next_weight, held.next_parameter, held.next_slot)
            first_slot = held.next_slot
        for name in ("sources", "seconds", "taps"):
            must(where, f"the number of {name}", len(getattr(info, name)), len(terms))
        if not d["logits"] and index == len(parts) - 1:
            raise ImageError(f"{where}: the program does not add it to the logits, which the last layer must be")
        _limit_heads(where, d, heads)
        heads += d["logits"]
        _verify_layer(where, image, part, d)
        if index == early and image.batch > 1:
            verify_copies(held)
        held.samples = info.samples
        must(where, "samples", info.samples, image.batch if index >= early else 1)
        held.in_pieces = jobs.pieces
        verify_pieces(where, image, part, jobs)
        before = begin_parameters(where, held, part, d, jobs.before)
        verify_reloads(where, held, part, terms, [*before, *jobs.loading])
        loads = verify_loads(where, held, info.operands, d, jobs.loads, terms)
        sizes = begin_group(where, held, d, terms, loads) if held.streaming else [
            each["weight_group"] for each in terms
        ]
        for number, (term, load) in enumerate(zip(terms, loads, strict=True)):
            named = where if len(terms) == 1 else f"{where}, term {number}"
            ends = term is terms[-1] and bool(term["streamed"]) and index == streamed[-1]
            verify_term(named, held, part, info.sources[number], info.taps[number], d, term, load, sizes[number],
                        last=term is terms[-1], streamed_last=ends)
            verify_second(named, held, info.sources[number], info.seconds[number], term)
        if held.streaming:
            must(where, "the slots of a channel group", held.next_weight, held.group)
            if part.shares:
                verify_copy(where, held, first_slot, d["groups"] * held.group)
            held.next_slot += d["groups"] * held.group
        must(where, "stream_steps", info.stream_steps, d["steps"] if d["store"] else 0)
        verify_states(where, held, part, d)
        if d["store"]:
            if part.split is not None:
                raise ImageError(f"{where}: it stores a stream, and is split")
            whole, stream = held_stream(where, held, info, d)
            put_stream(where, held, info.name, stream)
            verify_stream_spill(where, held, info, whole, stream, jobs.after)
        must(where, "spilled", info.spilled, bool(jobs.after))
        target, made = (None, None) if d["logits"] or d["store"] else verify_target(where, image, part, d)
        if info.spikes is not None and info.spikes != made:
            raise ImageError(f"{where}: spikes are at {info.spikes}, by its descriptor at {made}")
        if not d["store"]:
            verify_spill(where, held, part, d, target, made, jobs.after, early=index < early)
        verify_parameters(where, held, part, d, jobs.before)
        for name in held.pieces:  # The next part, or layer, has to load its own.
            del held.maps[name]
        if held.in_pieces:
            held.streams = {}
        if made is None:
            for name in MAP_FIELDS:
                limit(where, name, d[name], 0, 0)
        else:
            if part.number and not info.spilled:
                must(where, "the map that its parts make", made, held.maps[info.name])
            if part.split is None or not info.spilled:
                held.maps[info.name] = made
            held.rings[info.name] = 0 if image.batch > 1 else d["output_ring"]
    verify_operands(held, [(part.info.name, jobs.loads) for part, jobs in zip(parts, program, strict=True)])
    if held.first_stream is not None:
        must("EXTERNAL", "the first burst of streams", held.first_stream, held.next_burst)
    taken = {Space.PASSES: held.next_pass, Space.WEIGHTS: held.next_weight * image.config.banks}
    if held.streaming:
        bursts = held.next_slot * slot_bursts(image.config)
        taken = {Space.PASSES: held.next_pass, Space.EXTERNAL: bursts + held.parameter_bursts}
        must("EXTERNAL", "the slots that stream in", image.registers[Register.STREAM_SLOTS], held.next_slot)
    for space, count in taken.items():
        found = len(image.contents[space][1])
        if count != found:
            raise ImageError(f"{space.name}: {found} words, the layers take {count}")


def _verify_info(image: "Image", index: int, info: "LayerInfo") -> None:
    """Check the types of what an image says of a layer, its name and its parts."""
    where = f"layer {info.name!r}" if isinstance(info.name, str) and info.name else f"layer {index}"
    try:
        verify_fields(where, info)
    except NetworkError as error:
        raise ImageError(str(error)) from error
    if not info.name or info.name == INPUT or info.name in [each.name for each in image.layers[:index]]:
        raise ImageError(f"{where}: the name {info.name!r} is empty or another map's")
    verify_split(where, image, info)


def _early_layers(image: "Image", parts: list[Part], program: list[Descriptors]) -> int:
    """Return how many layers run for one sample after the other; an ImageError says if none collects them."""
    found = {index: each.collect for index, each in enumerate(program) if each.collect}
    if list(found.values()) != ([] if image.batch == 1 else [image.batch]):
        raise ImageError(f"PROGRAM: it collects {list(found.values()) or 'no'} samples, the batch is {image.batch}")
    if not found:
        return 0
    (early,) = found
    if parts[early].number:
        raise ImageError(f"PROGRAM: it collects samples within the parts of layer {parts[early].info.name!r}")
    if any(INPUT in part.info.sources for part in parts[early:]):
        raise ImageError("PROGRAM: a layer that runs for all samples of a batch reads the input, which is of one")
    return early


def _limit_heads(where: str, d: dict[str, int], heads: int) -> None:
    """Check that a layer begins the logits, or adds to those of a layer before it."""
    more = int(bool(d["logits"]) and heads > 0)
    limit(where, "more_logits", d["more_logits"], more, more)


def _verify_layer(where: str, image: "Image", part: Part, d: dict[str, int]) -> None:
    """Check shape and time of a layer, and its neurons."""
    config, info = image.config, part.info
    steps = image.schedule.inner_steps(image.input.steps)
    if part.steps is not None:
        steps = len(part.steps)
    for name in ("output_rows", "output_columns", "groups", "last_lanes"):
        limit(where, name, d[name], 1, 1 << 30)
    limit(where, "last_lanes", d["last_lanes"], 1, config.lanes)
    if part.rows is None:
        must(where, "height", info.height, d["output_rows"])
    else:
        limit(where, "output_rows", d["output_rows"], len(part.rows), len(part.rows))
    must(where, "width", info.width, d["output_columns"])
    lanes = config.lanes
    if config.term_count > 1:
        lanes = d["group_lanes"]
        limit(where, "group_lanes", lanes, 1, config.lanes)
        if lanes % max(config.banks, config.updates):
            raise ImageError(f"{where}: its channel groups have {lanes} channels, must be a multiple of "
                             f"{max(config.banks, config.updates)}")
    must(where, "group_lanes", info.group_lanes, lanes)
    must(where, "channels", info.channels, (d["groups"] - 1) * lanes + d["last_lanes"])
    replayed = set(info.sources) == {INPUT} and image.input.direct and not d["store"]
    for name, expected in (
        ("steps", steps * info.samples), ("sample_steps", steps if image.batch > 1 else 0), ("replay", replayed),
    ):
        if d[name] != expected:
            raise ImageError(f"{where}: its descriptor's {name} is {d[name]}, must be {int(expected)} by input and "
                             f"schedule")
    if part.steps is not None and (info.state_bits or max(info.taps) > 1 or replayed):
        raise ImageError(f"{where}: its steps are split, but are not each by itself")
    limit(where, "digit", d["digit"], 0, int(not (d["logits"] or d["store"])))
    limit(where, "power", d["power"], 0, STATE_WIDTH - 1 if d["logits"] or d["digit"] else 0)
    if d["logits"]:
        logits = (info.samples - 1) * d["groups"] * config.lanes + info.channels
        limit(where, "the logits of all samples", logits, 1, config.logit_count)
        for name in NEURON_FIELDS:
            limit(where, name, d[name], 0, 0)
        return
    limit(where, "reset", d["reset"], 0, max(each.value for each in Reset))
    if d["quantized"]:
        found = len(image.contents[Space.TABLES][1]) if Space.TABLES in image.contents else 0
        if (count := (d["table"] + 1) << TABLE_INDEX_WIDTH) > found:
            raise ImageError(f"{where}: it takes TABLES up to word {count}, {found} are there")
    else:
        limit(where, "table", d["table"], 0, 0)
