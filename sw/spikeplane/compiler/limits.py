"""Limits: everything that a placed network needs of a core, beside what the core has."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.descriptor import event_layout, layer_layout, program_depth, term_layout
from spikeplane_hw.memory_map import LOGIT_WIDTH
from spikeplane_hw.neuron import MULTIPLIER_WIDTH, STATE_WIDTH
from spikeplane_hw.neuron_unit import PARTIAL_WIDTH
from spikeplane_hw.weight_stream import slot_bursts

from ..network.lowered import TermKind
from ..network.schedule import Schedule
from .moves import burst_limit, spill_base
from .placed import PlacedLayer, PlacedTerm
from .placement import Placement
from .spike_map import SpikeMap

__all__ = ["CompileError", "Limit", "Need", "memory_needs", "needs", "sum_needs"]


class CompileError(ValueError):
    """A network does not fit a core; the message names the layer, the need, the limit and the remedy."""


class Limit(enum.Enum):
    """What of a core a network may need too much of."""

    LAYERS = "layers of a program"
    PROGRAM = "words of the program"
    TERMS = "terms of a layer"
    TABLES = "quantizer tables"
    SPIKES = "spike memory words"
    ROW_FLAGS = "row flags"
    SIDE = "pixels of a map's side"
    STEPS = "time steps"
    RUN_STEPS = "time steps of a layer at once"
    EVENT = "values of an event's field"
    STEP_SLOTS = "slots of a time step"
    WEIGHTS = "weight slots of a bank"
    EXTERNAL = "bursts of memory outside the chip"
    PASSES = "passes of a program"
    STRIDE = "pixels from a window to the next one"
    TAPS = "taps"
    PIXEL_SLOTS = "slots of a pixel"
    LOGITS = "logits"
    PARAMETERS = "parameter chunks"
    STATES = "state chunks"
    SUM = "largest sum"
    REFERENCE = "largest reference sum"
    LOGIT_SUM = "largest logit"
    CURRENT = "largest |sum * M| + |B|"
    PARTIAL = "largest sum of terms"
    POOL = "chunks of a row of a pool on the way out"


@dataclass(frozen=True, kw_only=True)
class Need:
    """How much of a limit a network, or one of its layers, needs."""

    kind: Limit
    layer: str = ""
    """Name of the layer; "" if the need is not that of one."""
    where: str = ""
    """What messages begin with, as "layer 'conv1'"."""
    what: str
    need: int
    limit: int
    channel: int = 0
    """The output channel whose sum is the largest."""

    @property
    def share(self) -> float:
        """The need over the limit."""
        return self.need / self.limit if self.limit else float(self.need > 0)

    @property
    def exceeded(self) -> bool:
        """Whether there is not enough."""
        return self.need > self.limit

    def __str__(self) -> str:
        prefix = f"{self.where}: " if self.where else ""
        return f"{prefix}{self.what}: {self.need} needed, limit {self.limit}"


def needs(placement: Placement) -> list[Need]:
    """Return every need of a placed network; those of memories are counted up to each layer."""
    return [*memory_needs(placement), *sum_needs(placement)]


def memory_needs(placement: Placement) -> list[Need]:
    """Return every need but those of sums: they look at no weight, and take no time."""
    config, form = placement.config, placement.network.input
    found = [
        Need(kind=Limit.LAYERS, what="layers", need=len(placement.layers), limit=config.layer_count),
        Need(kind=Limit.PROGRAM, what="words of the program, layers and their terms",
             need=placement.program_words,
             limit=program_depth(config)),
        Need(kind=Limit.TABLES, what="quantizer tables", need=len(placement.tables), limit=config.table_count),
        *_map_needs("input", "", placement.input_map, config),
        Need(kind=Limit.STEPS, where="input", what="time steps", need=form.steps,
             limit=(1 << config.step_width) - 1),
    ]
    if config.external_depth:
        found += _external_needs(placement)
    if placement.schedule is Schedule.REGISTERS:
        bits = layer_layout(config)["steps"].width
        found.append(Need(kind=Limit.RUN_STEPS, where="input", what="time steps of a layer at once",
                          need=max(placed.steps for placed in placement.layers), limit=(1 << bits) - 1))
    if placement.input_map.flagged:
        found += _event_needs(placement.input_map)
    heads = [placed for placed in placement.layers if placed.layer.neuron is None]
    for placed in placement.layers:
        found += _layer_needs(placed, config, ring=placement.ring, more_logits=placed in heads[1:])
        if placed.pooled:
            found.append(Need(
                kind=Limit.POOL, layer=placed.layer.name, where=f"layer {placed.layer.name!r}",
                what="chunks of a row of its pool on the way out, all steps of it",
                need=placed.pool_chunks(placed.steps, config), limit=config.pool_depth,
            ))
    return found


def sum_needs(placement: Placement) -> list[Need]:
    """Return the largest sums of every layer, whatever its input."""
    found, logit = [], 0
    for placed in placement.layers:
        found += _sum_needs(placed, placement) if placed.owns else []
        if placed.layer.neuron is None:
            logit += _logit(placed)
            found.append(Need(
                kind=Limit.LOGIT_SUM, layer=placed.layer.name, where=f"layer {placed.layer.name!r}", need=logit,
                limit=(1 << (LOGIT_WIDTH - 1)) - 1, what="largest logit, all pixels and steps",
            ))
    return found


def _external_needs(placement: Placement) -> Iterator[Need]:
    config, spilled = placement.config, placement.spilled
    yield Need(kind=Limit.EXTERNAL, what=f"bursts of memory outside the chip, for the weights "
                    f"{'and parameters ' if placement.loads_parameters else ''}of all layers",
               need=placement.stream_slots * slot_bursts(config) + placement.parameter_bursts,
               limit=spill_base(config) if spilled else config.external_depth)
    if spilled:
        sampled = any(move.sampled for placed in placement.layers for move in placed.moves)
        yield Need(kind=Limit.EXTERNAL, what="bursts of memory outside the chip, for maps and streams",
                   need=placement.spilled_bursts, limit=burst_limit(config, sampled=sampled))


def _map_needs(where: str, layer: str, spikes: SpikeMap, config: CoreConfig) -> Iterator[Need]:
    words = spikes.first_word(config) + spikes.words(config)
    yield Need(kind=Limit.SPIKES, layer=layer, where=where, need=words, limit=config.spike_depth,
               what="spike memory words up to its map's end")
    yield Need(kind=Limit.ROW_FLAGS, layer=layer, where=where, need=spikes.flags + spikes.rows,
               limit=config.row_flag_count, what="row flags up to its map's end")
    for name, side in (("height", spikes.height), ("width", spikes.width)):
        yield Need(kind=Limit.SIDE, layer=layer, where=where, need=side,
                   limit=(1 << config.side_width) - 1, what=name)


def _event_needs(input_map: SpikeMap) -> Iterator[Need]:
    """Yield what an event must name: every pixel and step of the input map."""
    layout = event_layout()
    for name, size in (
        ("x", input_map.width), ("y", input_map.height), ("step", input_map.steps)
    ):
        yield Need(kind=Limit.EVENT, where="input", what=f"values of an event's {name}", need=size,
                   limit=1 << layout[name].width)


def _layer_needs(placed: PlacedLayer, config: CoreConfig, *, ring: int, more_logits: bool) -> Iterator[Need]:
    layer = placed.layer
    # What else takes a core for several terms counts as a second one.
    windows = all(term.term.kind is TermKind.WINDOW and term.term.groups == 1 for term in placed.terms)
    plain = windows and placed.stream is None and not more_logits and layer.digit is None and not layer.exponent
    name, where = layer.name, f"layer {layer.name!r}"
    yield Need(kind=Limit.TERMS, layer=name, where=where, need=max(len(placed.terms), 2 - plain),
               what="terms" if plain else "terms (a shortcut, stream, digit, product, second head or groups count two)",
               limit=config.term_count)
    yield Need(kind=Limit.STEP_SLOTS, layer=name, where=where, what="slots of a time step of its input",
               need=max(term.source.step_slots for term in placed.terms), limit=(1 << config.slot_width) - 1)
    moves = [move for move in placed.moves if not move.states and not move.parameters]
    if moves:
        yield Need(kind=Limit.SPIKES, layer=name, where=where, limit=config.spike_depth,
                   what="spike memory words up to the end of what is loaded or stored again",
                   need=max(move.word + move.words for move in moves))
    if placed.stream_reloads:
        yield Need(kind=Limit.STATES, layer=name, where=where, need=placed.reload_end(config),
                   limit=config.state_depth, what="state chunks up to the end of a stream that is loaded again")
    if placed.target is not None:
        yield from _map_needs(where, name, placed.target, config)
        yield Need(kind=Limit.PIXEL_SLOTS, layer=name, where=where, what="slots of a pixel",
                   need=placed.target.pixel_slots, limit=(1 << config.pixel_width) - 1)
    if placed.stream_group:
        # Of a ring no more than all slots but one are granted at once.
        yield Need(kind=Limit.WEIGHTS, layer=name, where=where, need=placed.stream_group,
                   limit=ring - 1, what="weight slots a bank of a channel group, which stream in")
    else:
        yield Need(kind=Limit.WEIGHTS, layer=name, where=where, need=placed.weight_end,
                   limit=config.weight_depth, what="weight slots a bank, all layers to here")
    if placed.products:
        ahead = ring if ring < config.weight_depth else 0  # where weights stream in, they are none of the ring
        yield Need(kind=Limit.WEIGHTS, layer=name, where=where, need=placed.operand_end - ahead,
                   limit=config.weight_depth - ahead,
                   what=f"weight slots a bank, {'' if ahead else 'all layers and '}its operand in all steps")
    yield Need(kind=Limit.PASSES, layer=name, where=where, need=placed.pass_end,
               limit=config.pass_count, what="passes, all layers to here")
    yield Need(kind=Limit.STRIDE, layer=name, where=where, what="stride",
               need=max(1 if term.full else term.term.stride for term in placed.terms),
               limit=(1 << term_layout(config)["stride"].width) - 1)
    yield Need(kind=Limit.TAPS, layer=name, where=where, what="taps",
               need=max(len(term.term.taps) for term in placed.terms),
               limit=config.tap_count)
    if layer.neuron is None:
        yield Need(kind=Limit.LOGITS, layer=name, where=where, what="logits",
                   need=placed.logit_end(config), limit=config.logit_count)
        return
    yield Need(kind=Limit.PARAMETERS, layer=name, where=where, need=placed.parameter_end(config),
               limit=config.parameter_depth, what="parameter chunks, all layers to here")
    yield Need(kind=Limit.STATES, layer=name, where=where, need=placed.state_end(config),
               limit=config.state_depth, what="state chunks, all layers to here")


def _sum_needs(placed: PlacedLayer, placement: Placement) -> Iterator[Need]:
    """Yield what proves that no sum of the layer overflows, whatever its input."""
    layer = placed.layer
    name, where = layer.name, f"layer {layer.name!r}"
    for index, term in enumerate(placed.terms):
        of = "" if len(placed.terms) == 1 else f" of term {index}"
        yield from _term_needs(term, placed, placement, of)
    if layer.neuron is not None and len(placed.terms) > 1:
        # Rounding down may add one to each.
        reaches = [(_product(term) >> term.term.shift) + 1 for term in placed.terms]
        total = np.sum(np.broadcast_arrays(*reaches), axis=0)
        yield Need(kind=Limit.PARTIAL, layer=name, where=where, need=int(total.max()),
                   limit=(1 << (PARTIAL_WIDTH - 1)) - 1, channel=int(total.argmax()),
                   what=f"largest sum of its {len(placed.terms)} terms, channel {int(total.argmax())}")


def _logit(placed: PlacedLayer) -> int:
    """Return the greatest absolute value that a layer adds to a logit."""
    reach = np.sum([_reach(term) for term in placed.terms], axis=0)
    segments = placed.output_height * placed.output_width * len(placed.terms[0].steps)
    return int(reach.max()) * segments << placed.layer.exponent


def _reach(placed: PlacedTerm) -> np.ndarray:
    """Return the greatest absolute sum of each output channel, int64 (output channels,)."""
    if placed.term.kind is TermKind.PRODUCT:
        return np.full(placed.term.channels, placed.source.channels // placed.term.groups, np.int64)
    if placed.term.weight is None:
        stream = 1 << (STATE_WIDTH - 1 + (placed.second is not None))
        each = {TermKind.SHORTCUT: placed.largest, TermKind.STREAM: stream}
        return np.full(placed.term.channels, each.get(placed.term.kind, 0), np.int64)
    weight = placed.term.weight.astype(np.int64)
    high, low = (np.maximum(sign * weight, 0).sum((1, 2, 3)) for sign in (1, -1))
    return np.maximum(high, low) * placed.largest


def _product(placed: PlacedTerm) -> np.ndarray:
    """Return the greatest ``|sum * M| + |B|`` of each output channel, int64 (output channels,)."""
    multiplier, offset = placed.term.affine
    return _reach(placed) * np.abs(multiplier) + np.abs(offset)


def _term_needs(placed: PlacedTerm, layer: PlacedLayer, placement: Placement, of: str) -> Iterator[Need]:
    config, term, largest = placement.config, placed.term, placed.largest
    name, where = layer.layer.name, f"layer {layer.layer.name!r}"
    limit = (1 << config.accumulator_width) - 1
    if term.kind is TermKind.PRODUCT:
        codes, inputs = _reach(placed), 1
    elif term.weight is None:
        codes, inputs = np.full(term.channels, largest * term.shortcut, np.int64), 1
    else:
        weight = term.weight.astype(np.int64)
        codes = term.weight_kind.codes(weight, term.weight_bits).sum((1, 2, 3)) * largest
        inputs = weight[0].size
    yield Need(kind=Limit.SUM, layer=name, where=where, need=int(codes.max()), limit=limit,
               what=f"largest sum{of} of channel {int(codes.argmax())}", channel=int(codes.argmax()))
    yield Need(kind=Limit.REFERENCE, layer=name, where=where, what=f"largest reference sum{of}",
               need=term.weight_kind.reference(term.weight_bits) * inputs * largest, limit=limit)
    if layer.layer.neuron is not None:
        product = _product(placed)
        width = config.sum_width + MULTIPLIER_WIDTH + 1
        yield Need(kind=Limit.CURRENT, layer=name, where=where, need=int(product.max()),
                   limit=(1 << (width - 1)) - 1, channel=int(product.argmax()),
                   what=f"largest |sum * M| + |B|{of}, channel {int(product.argmax())}")
