"""What an image says of its layers, held against the descriptors and passes in its words."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.descriptor import POOL_LIMIT, pass_layout
from spikeplane_hw.memory_map import Register, Space
from spikeplane_hw.neuron import QUANTIZED_BITS, STATE_WIDTH, TABLE_INDEX_WIDTH, Reset, code_limit
from spikeplane_hw.weight_stream import ring_slots, slot_bursts

from ..network.checks import NetworkError, verify_fields
from ..network.input import INPUT
from .batches import sample_ring
from .load_checks import verify_loads, verify_operands
from .move_checks import verify_pieces, verify_reloads, verify_spill, verify_stream_spill
from .parameter_checks import begin_parameters, verify_parameters
from .part_checks import Part, layer_parts, verify_split
from .program import Descriptors, decode_fields, decode_program
from .spike_map import SpikeMap
from .term_checks import Held, ImageError, limit, meets, must, put_stream, verify_second, verify_term
from .weight_places import identity_slots
from .weight_words import from_stream

if TYPE_CHECKING:
    from .image import Image, LayerInfo

__all__ = ["ImageError", "verify_layers"]


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
        program = decode_program(image.config, _integers(image, Space.PROGRAM))
    except ValueError as error:
        raise ImageError(f"PROGRAM: {error}") from error
    for index, info in enumerate(image.layers):
        _verify_info(image, index, info)
    parts = layer_parts(image)
    if len(program) != len(parts):
        raise ImageError(f"PROGRAM: it has {len(program)} layers, the image {len(parts)}")
    layout = pass_layout(image.config)
    held = Held(
        image=image, passes=[decode_fields(layout, value) for value in _integers(image, Space.PASSES)],
        maps={INPUT: image.input_map}, rings={INPUT: 0}, streams={}, streaming=Space.EXTERNAL in image.contents,
        ring=ring_slots(image.config, half=image.halves_ring),
    )
    if not held.streaming and any(term["shortcut"] for each in program for term in each.terms):
        _verify_identity(held, image.contents[Space.WEIGHTS][1])
    early = _early_layers(image, parts, program)
    streamed = [
        index for index, each in enumerate(program) if any(term["streamed"] for term in each.terms)
    ]
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
            _verify_copies(held)
        held.samples = info.samples
        must(where, "samples", info.samples, image.batch if index >= early else 1)
        held.in_pieces = jobs.pieces
        verify_pieces(where, image, part, jobs)
        before = begin_parameters(where, held, part, d, jobs.before)
        verify_reloads(where, held, part, terms, [*before, *jobs.loading])
        loads = verify_loads(where, held, info.operands, d, jobs.loads, terms)
        sizes = _begin_group(where, held, d, terms, loads) if held.streaming else [
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
                _verify_copy(where, held, first_slot, d["groups"] * held.group)
            held.next_slot += d["groups"] * held.group
        must(where, "stream_steps", info.stream_steps, d["steps"] if d["store"] else 0)
        _verify_states(where, held, part, d)
        if d["store"]:
            if part.split is not None:
                raise ImageError(f"{where}: it stores a stream, and is split")
            whole, stream = _stream(where, held, info, d)
            put_stream(where, held, info.name, stream)
            verify_stream_spill(where, held, info, whole, stream, jobs.after)
        must(where, "spilled", info.spilled, bool(jobs.after))
        target, made = (None, None) if d["logits"] or d["store"] else _target(where, image, part, d)
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


def _verify_copies(held: Held) -> None:
    """Check that the weights of layers that run sample by sample are there for each sample, all alike."""
    image, words = held.image, held.image.contents[Space.EXTERNAL][1]
    length = held.next_slot * slot_bursts(image.config)
    held.next_slot *= image.batch
    copies = words[:image.batch * length]
    if len(copies) < image.batch * length:
        return  # The count of all words is checked at the end.
    for sample, copy in enumerate(copies.reshape(image.batch, length, -1)):
        wrong = np.flatnonzero((copy != copies[:length]).any(1))
        if len(wrong):
            raise ImageError(f"EXTERNAL: word {sample * length + wrong[0]} is not the weight of sample 0, which word "
                             f"{wrong[0]} is")


def _verify_copy(where: str, held: Held, first: int, slots: int) -> None:
    """Check that the weights that stream in for a part are those of the first part of its layer."""
    words, bursts = held.image.contents[Space.EXTERNAL][1], slot_bursts(held.image.config)
    own, other = (words[at * bursts:(at + slots) * bursts] for at in (held.next_slot, first))
    if own.shape != other.shape or (own != other).any():
        raise ImageError(f"{where}: EXTERNAL: slots {held.next_slot} to {held.next_slot + slots - 1} are not those "
                         f"from {first} on, which the first of its layer's parts has")


def _limit_heads(where: str, d: dict[str, int], heads: int) -> None:
    """Check that a layer begins the logits, or adds to those of a layer before it."""
    more = int(bool(d["logits"]) and heads > 0)
    limit(where, "more_logits", d["more_logits"], more, more)


def _stream(where: str, held: Held, info: "LayerInfo", d: dict[str, int]) -> tuple[SpikeMap, SpikeMap]:
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


def _integers(image: "Image", space: Space) -> list[int]:
    return [int.from_bytes(word.tobytes(), "little") for word in image.contents[space][1]]


def _verify_identity(held: Held, words: np.ndarray) -> None:
    """Check the weights of all shortcuts, which lie ahead of those of all layers."""
    config, first = held.image.config, held.next_weight
    held.next_weight = first + identity_slots(config)
    bits = np.unpackbits(words[first * config.banks:held.next_weight * config.banks], axis=1, bitorder="little")
    _compare_identity(f"WEIGHTS: slots {first} to {held.next_weight - 1}", bits[:, :config.lanes], config)


def _compare_identity(where: str, bits: np.ndarray, config: CoreConfig) -> None:
    if bits.shape != (config.lanes, config.lanes) or (bits != np.eye(config.lanes, dtype=np.uint8)).any():
        raise ImageError(f"{where} are not those of shortcuts")


def _begin_group(
    where: str, held: Held, d: dict[str, int], terms: list[dict[str, int]], loads: list[dict[str, int] | None]
) -> list[int]:
    """Check what the slots of a streamed layer's channel groups begin with; return how many each term has."""
    config, held.group, held.next_weight = held.image.config, terms[-1]["weight_group"], 0
    if any(load is not None for load in loads):
        if any(load is None and term["kernel_slots"] for term, load in zip(terms, loads, strict=True)):
            raise ImageError(f"{where}: it has a product beside terms with weights, which cannot stream in")
        held.group = 0
        return [0] * len(terms)
    limit(where, "weight_group", held.group, 0, held.ring - 1)
    if any(term["shortcut"] for term in terms):
        held.next_weight = identity_slots(config)
        words, bursts = held.image.contents[Space.EXTERNAL][1], slot_bursts(config)
        for group in range(d["groups"]):
            first = held.next_slot + group * held.group
            own = from_stream(words[first * bursts:], held.next_weight, config)
            own = own.reshape(-1, config.lanes)
            _compare_identity(f"EXTERNAL: slots {first} to {first + held.next_weight - 1}", own, config)
    windows = [term for term in terms if term["kernel_slots"] and not term["shortcut"]]
    ends = [*(term["weight_base"] for term in windows[1:]), held.group]
    sizes = {id(term): end - term["weight_base"] for term, end in zip(windows, ends, strict=False)}
    return [sizes.get(id(term), 0) for term in terms]


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
    replayed = set(info.sources) == {INPUT} and image.input.direct
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


def _verify_states(where: str, held: Held, part: Part, d: dict[str, int]) -> None:
    """Check a layer's potentials, and where those are that last; see `put_stream` for a stream."""
    image, info = held.image, part.info
    config = image.config
    if d["logits"]:
        must(where, "state_bits", info.state_bits, 0)
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


def _target(where: str, image: "Image", part: Part, d: dict[str, int]) -> tuple[SpikeMap, SpikeMap]:
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
