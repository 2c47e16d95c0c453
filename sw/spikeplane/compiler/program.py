"""The program of a core: its jobs, and the plane passes of all layers."""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib import data
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.descriptor import (
    PROGRAM_WIDTH,
    Job,
    descriptor_words,
    group_widths,
    job_layout,
    pass_layout,
)
from spikeplane_hw.neuron import SHIFTS

from ..network.lowered import TermKind
from ..network.weights import WeightKind
from .limits import CompileError
from .loads import load_fields
from .placed import PlacedLayer, PlacedTerm
from .placement import Placement
from .spike_map import to_words
from .weight_places import identity_slots

__all__ = ["Descriptors", "Program", "decode_fields", "decode_jobs", "decode_program", "encode_fields",
           "second_limit"]


def encode_fields(layout: data.StructLayout, fields: dict[str, int], where: str) -> int:
    """Return ``fields`` as bits of ``layout``; a value that does not fit is a CompileError."""
    bits = 0
    if set(fields) != set(layout.members):
        raise CompileError(f"{where}: fields {sorted(set(fields) ^ set(layout.members))} differ")
    for name, field in layout:
        shape = Shape.cast(field.shape)
        value = int(fields[name])
        low = -(1 << (shape.width - 1)) if shape.signed else 0
        high = low + (1 << shape.width) - 1
        if not low <= value <= high:
            raise CompileError(f"{where}: {name} is {value}, limit {low}..{high}")
        bits |= (value & ((1 << shape.width) - 1)) << field.offset
    return bits


def decode_fields(layout: data.StructLayout, bits: int) -> dict[str, int]:
    """Return the fields of ``bits``; the inverse of :func:`encode_fields`."""
    fields = {}
    for name, field in layout:
        shape = Shape.cast(field.shape)
        value = bits >> field.offset & ((1 << shape.width) - 1)
        if shape.signed and value >> (shape.width - 1):
            value -= 1 << shape.width
        fields[name] = value
    return fields


@dataclass(frozen=True, kw_only=True)
class Descriptors:
    """A layer's descriptor, those of its terms and those of the loads ahead of them, as fields."""

    name: str = ""
    layer: dict[str, int]
    terms: list[dict[str, int]] = dataclasses.field(default_factory=list)
    loads: list[dict[str, int]] = dataclasses.field(default_factory=list)
    before: list[dict[str, int]] = dataclasses.field(default_factory=list)
    """Of its moves those ahead of the walk."""
    loading: list[dict[str, int]] = dataclasses.field(default_factory=list)
    """Those directly ahead of it, done again for each piece."""
    after: list[dict[str, int]] = dataclasses.field(default_factory=list)
    """And those behind it."""
    pieces: bool = False
    """Whether it stops behind each row of a channel group."""
    collect: int = 0
    """Samples that are there before the layer runs, for all of them; 0: it runs as the layer before it did."""

    def done(self, move: dict[str, int]) -> int:
        """Return how often a move is done in a pass through the program: once, or for each row of a channel group."""
        return self.layer["groups"] * self.layer["output_rows"] if move["piece"] else 1

    @property
    def jobs(self) -> list[dict[str, int]]:
        """Its jobs in order."""
        collect = [{"job": Job.COLLECT.value, "samples": self.collect - 1}] if self.collect else []
        walk = {"job": Job.WALK.value, "pieces": int(self.pieces)}
        return [*collect, self.layer, *self.before, *self.loads, *self.terms, *self.loading, walk, *self.after]


def decode_jobs(config: CoreConfig, words: list[int]) -> Iterator[tuple[int, Job, dict[str, int]]]:
    """Yield address, kind and fields of each job up to the END; a ValueError names the word where there is none."""
    at = 0
    while True:
        code = words[at] & ((1 << Job.as_shape().width) - 1) if at < len(words) else -1
        if code not in [job.value for job in Job]:
            raise ValueError(f"no job begins at word {at}" if at < len(words) else f"it is cut at word {at}")
        job = Job(code)
        layout = job_layout(config, job)
        part = words[at:at + descriptor_words(layout)]
        if len(part) < descriptor_words(layout):
            raise ValueError(f"the {job.name} at word {at} is cut at word {len(words)}")
        bits = sum(word << PROGRAM_WIDTH * place for place, word in enumerate(part))
        if bits >> layout.size:
            raise ValueError(f"the {job.name} at word {at} has more than {layout.size} bits")
        yield at, job, decode_fields(layout, bits)
        at += len(part)
        if job is Job.END:
            if at < len(words):
                raise ValueError(f"it ends at word {at}, and has {len(words)}")
            return


def decode_program(config: CoreConfig, words: list[int]) -> list[Descriptors]:
    """Return the descriptors of each layer; a ValueError names the word where there are none of a layer."""
    found: list[Descriptors] = []
    ends = (Job.LAYER, Job.COLLECT, Job.END)
    after = {
        Job.LAYER: (Job.MOVE, Job.LOAD, Job.TERM), Job.LOAD: (Job.LOAD, Job.TERM),
        Job.TERM: (Job.TERM, Job.MOVE, Job.WALK),
        Job.COLLECT: (Job.LAYER,),
    }
    allowed: tuple[Job, ...] = (Job.LAYER,)
    collect, walked = 0, False
    for at, job, fields in decode_jobs(config, words):
        if job not in allowed:
            names = " or ".join(each.name for each in allowed)
            raise ValueError(f"{job.name} follows at word {at}, where {names} must")
        allowed = after.get(job, ())
        if job is Job.LAYER:
            found.append(Descriptors(layer=fields, collect=collect))
            collect, walked = 0, False
        elif job is Job.COLLECT:
            if any(each.collect for each in found):
                raise ValueError(f"a second COLLECT follows at word {at}")
            collect = fields["samples"] + 1
            if collect < 2:
                raise ValueError(f"the COLLECT at word {at} is for one sample")
        elif job is Job.LOAD:
            found[-1].loads.append(fields)
        elif job is Job.TERM:
            found[-1].terms.append(fields)
        elif job is Job.WALK:
            if len(found[-1].terms) != found[-1].layer["terms"] + 1:
                raise ValueError(f"the layer before word {at} has {len(found[-1].terms)} terms, its descriptor says "
                                 f"{found[-1].layer['terms'] + 1}")
            found[-1] = dataclasses.replace(found[-1], pieces=bool(fields["pieces"]))
            walked, allowed = True, (Job.MOVE,) if found[-1].layer["moved"] else ends
        elif job is Job.MOVE:
            ahead = found[-1].loading if found[-1].terms else found[-1].before
            (found[-1].after if walked else ahead).append(fields)
            if fields["last"] and not walked:
                raise ValueError(f"the MOVE at word {at} ends a layer that has not run")
            allowed = ends if fields["last"] else (Job.MOVE,) if walked else after[Job.LAYER]
            if found[-1].terms and not walked:
                allowed = (Job.MOVE, Job.WALK)
    return found


@dataclass(frozen=True, kw_only=True)
class Program:
    """Descriptors and passes as fields, see :mod:`spikeplane_hw.descriptor`."""

    config: CoreConfig
    layers: list[Descriptors]
    passes: list[dict[str, int]]
    outer_steps: int

    @classmethod
    def of(cls, placement: Placement) -> "Program":
        """Return the program of a placed network."""
        steps, config = placement.network.input.steps, placement.config
        sample_steps = placement.schedule.inner_steps(steps) if placement.batch > 1 else 0
        heads = [placed for placed in placement.layers if placed.layer.neuron is None]
        return cls(
            config=config,
            layers=[
                Descriptors(
                    name=placed.layer.name,
                    layer=_layer(placed, sample_steps, config, more_logits=placed in heads[1:]),
                    terms=[_term(term, placed, config) for term in placed.terms],
                    loads=[load_fields(term, placed, placed.steps, config) for term in placed.products],
                    before=[move.fields(last=False) for move in placed.before],
                    loading=[move.fields(last=False) for move in placed.loading],
                    pieces=placed.in_pieces,
                    after=[move.fields(last=move is placed.after[-1]) for move in placed.after],
                    collect=placement.batch if placement.batch > 1 and index == placement.early_layers else 0,
                )
                for index, placed in enumerate(placement.layers)
            ],
            passes=[
                fields for placed in placement.layers if placed.owns
                for term in placed.terms for fields in _passes(term, config)
            ],
            outer_steps=placement.schedule.outer_steps(steps),
        )

    def verify(self) -> None:
        """Raise a CompileError naming layer, field, value and limit if a field does not fit."""
        self.program_words()
        self.pass_words()

    def program_words(self) -> np.ndarray:
        """Return the words of Space.PROGRAM, uint8 (words, word_bytes)."""
        jobs = [(f"layer {each.name!r}", fields) for each in self.layers for fields in each.jobs]
        words = []
        for where, fields in [*jobs, ("the end", {"job": Job.END.value})]:
            layout = job_layout(self.config, Job(fields["job"]))
            value = encode_fields(layout, fields, where)
            words += [
                value >> index * PROGRAM_WIDTH & ((1 << PROGRAM_WIDTH) - 1)
                for index in range(descriptor_words(layout))
            ]
        return _words(words, PROGRAM_WIDTH)

    def pass_words(self) -> np.ndarray:
        """Return the words of Space.PASSES, uint8 (words, word_bytes)."""
        layout = pass_layout(self.config)
        words = [
            encode_fields(layout, fields, f"pass {index}")
            for index, fields in enumerate(self.passes)
        ]
        return _words(words, layout.size)


def _words(values: list[int], width: int) -> np.ndarray:
    bits = [[value >> bit & 1 for bit in range(width)] for value in values]
    return to_words(np.array(bits, np.uint8), width)


def second_limit(config: CoreConfig) -> int:
    """Return modulo what the distance of two streams is."""
    return 1 << group_widths(config)["state"]


def _layer(placed: PlacedLayer, sample_steps: int, config: CoreConfig, *, more_logits: bool) -> dict[str, int]:
    target, neuron = placed.target, placed.layer.neuron
    fields = {
        "job": Job.LAYER.value,
        "terms": len(placed.terms) - 1,
        "output_ring": placed.target_ring - 1,
        "output_rows": placed.output_height,
        "output_columns": placed.output_width,
        "steps": placed.steps,
        "sample_steps": sample_steps,
        "replay": placed.replay,
        "groups": placed.groups,
        "group_lanes": placed.group_lanes if config.term_count > 1 else 0,
        "last_lanes": placed.last_lanes,
        "logits": neuron is None,
        "more_logits": more_logits,
        "store": placed.stream is not None,
        "digit": placed.layer.digit is not None,
        "power": placed.layer.digit or placed.layer.exponent,
        "fire_above": 0, "reset": 0, "decode_scale": 0, "quantized": 0,
        "table": placed.table,
        "stored": placed.stored,
        "state_pack": placed.state_pack,
        "state_base": placed.state_base // (config.chunks >> placed.state_pack),
        "state_step": 0 if placed.stream is None else placed.stream.step_slots,
        "output_base": 0, "output_step": 0, "output_pixel": 0, "output_flags": 0,
        "pool_rows": placed.layer.pool[0] - 1, "pool_columns": placed.layer.pool[1] - 1, "map_rows": 0,
        "moved": bool(placed.after),
    }
    if neuron is not None:
        fields |= {
            "fire_above": neuron.fire_above,
            "reset": neuron.reset.value,
            "decode_scale": neuron.decode_scale,
            "quantized": neuron.quantized,
        }
    if target is not None:
        fields |= {
            "output_base": target.base,
            "output_step": target.step_slots,
            "output_pixel": target.pixel_slots,
            "output_flags": target.flags,
            "map_rows": target.height if config.pool_depth else 0,
        }
    return {name: int(value) for name, value in fields.items()}


def _term(placed: PlacedTerm, layer: PlacedLayer, config: CoreConfig) -> dict[str, int]:
    term, source = placed.term, placed.source
    kernel_height, kernel_width = term.kernel
    # The one row of a fully connected window has no row flag of its own if the map has more.
    flagged = source.flagged and not (placed.full and source.height > 1)
    fields = {
        "job": Job.TERM.value,
        # Sums of slots are modulo 2**slot_width, so padding may start below the first slot.
        "input_base": (source.base - placed.pad_rows * source.row_slots) % (1 << config.slot_width),
        "input_step": placed.input_step,
        "input_row": source.frame_slots if placed.full else source.row_slots,
        "input_rows": 1 if placed.full else source.height,
        "row_stride": term.stride * source.row_slots if layer.output_height > 1 else 0,
        "column_stride": term.stride * source.pixel_slots if layer.output_width > 1 else 0,
        "pad_slots": term.padding * source.pixel_slots,
        "pad_rows": placed.pad_rows,
        "stride": 1 if placed.full else term.stride,
        "kernel_rows": 1 if placed.full else kernel_height,
        "kernel_slots": (
            source.frame_slots if placed.full else kernel_width * placed.group_slots(config)
        ),
        "input_flags": source.flags,
        "skip_silent": flagged,
        "streamed": placed.streamed,
        "streamed_last": placed.streamed_last,
        "input_ring": placed.ring - 1,
        "input_ring_slots": source.plane_slots if placed.ring > 1 else 0,
        "pass_base": placed.first_pass,
        "pass_last": placed.pass_end - 1,
        "weight_base": placed.weight_base,
        "weight_group": placed.weight_group,
        "weight_step": placed.weight_step,
        "doubled": term.weight_kind is WeightKind.ODD,
        "parameter_base": placed.parameter_base // config.chunks,
        "shift": 0 if layer.layer.neuron is None else SHIFTS.index(term.shift),
        "stream": term.kind is TermKind.STREAM,
        "mean": placed.second is not None,
        "second": 0 if placed.second is None else (placed.second.base - source.base) % second_limit(config),
        "shared": not term.scaled or placed.shares,
        "shortcut": placed.shares, "input_slots": 0,
        "input_group": placed.group_slots(config) if term.groups > 1 else 0,
    }
    if term.kind in (TermKind.STREAM, TermKind.NOTHING):
        # Neither has a window; a stream's groups of channels lie side by side.
        fields |= {"kernel_slots": 0, "input_group": 1}
        if layer.in_pieces:  # All rows and channel groups are at the same place, one after the other.
            fields |= {"input_rows": layer.output_height, "row_stride": 0, "input_group": 0}
    if placed.shares:
        fields |= {
            "kernel_slots": identity_slots(config), "input_group": identity_slots(config),
            "input_slots": source.pixel_slots,
        }
    return {name: int(value) for name, value in fields.items()}


def _passes(placed: PlacedTerm, config: CoreConfig) -> list[dict[str, int]]:
    """Return a term's passes, most significant products of planes first."""
    source, term = placed.source, placed.term
    reference = term.weight_kind.reference(term.weight_bits)
    slots = 1 << config.slot_width
    passes = []
    for pairs in reversed(placed.plane_pairs):
        for plane, power in pairs:
            read = placed.read_at(plane, power)
            counting = _banks(placed, [beside for beside in read if reference >> power - beside & 1], config)
            passes.append({
                "input_offset": (
                    plane.index * source.plane_slots - plane.delay * source.step_slots
                    + plane.column * source.pixel_slots
                ) % slots,
                # Planes beside each other have their weight planes turned, see docs/core.md.
                "weight_offset": power % term.weight_bits * placed.weight_plane,
                "delay": plane.delay,
                "banks": _banks(placed, read, config) & ((1 << config.mask_width) - 1),
                "reference": counting & ((1 << config.reference_width) - 1),
                "double": 0,
            })
        if not pairs:
            # Nothing counts so much: a pass that never finds its input only doubles.
            passes.append({
                "input_offset": 0, "weight_offset": 0, "delay": config.tap_count,
                "banks": 0, "reference": 0, "double": 0,
            })
        passes[-1]["double"] = 1
    passes[-1]["double"] = 0
    return passes


def _banks(placed: PlacedTerm, planes: Iterable[int], config: CoreConfig) -> int:
    """Return the banks in which these of the planes beside each other lie, a bit for each."""
    source = placed.source
    if source.beside == 1:
        return (1 << config.banks) - 1 if list(planes) else 0
    return sum(((1 << source.channels) - 1) << plane * source.channels for plane in planes)
