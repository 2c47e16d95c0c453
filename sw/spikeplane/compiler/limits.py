"""Limits: everything that a placed network needs of a core, beside what the core has."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.descriptor import descriptor_layout, event_layout
from spikeplane_hw.memory_map import LOGIT_WIDTH
from spikeplane_hw.neuron import MULTIPLIER_WIDTH

from ..network.schedule import Schedule
from .spike_map import SpikeMap

if TYPE_CHECKING:  # A placement verifies itself by this module.
    from .placement import PlacedLayer, Placement

__all__ = ["CompileError", "Limit", "Need", "memory_needs", "needs", "sum_needs"]


class CompileError(ValueError):
    """A network does not fit a core; the message names the layer, the need, the limit and the remedy."""


class Limit(enum.Enum):
    """What of a core a network may need too much of."""

    LAYERS = "layers of a program"
    TABLES = "quantizer tables"
    SPIKES = "spike memory words"
    ROW_FLAGS = "row flags"
    SIDE = "pixels of a map's side"
    STEPS = "time steps"
    RUN_STEPS = "time steps of a layer at once"
    EVENT = "values of an event's field"
    STEP_SLOTS = "slots of a time step"
    WEIGHTS = "weight slots of a bank"
    PASSES = "passes of a program"
    TAPS = "taps"
    PIXEL_SLOTS = "slots of a pixel"
    LOGITS = "logits"
    PARAMETERS = "parameter chunks"
    STATES = "state chunks"
    SUM = "largest sum"
    REFERENCE = "largest reference sum"
    LOGIT_SUM = "largest logit"
    CURRENT = "largest |sum * M| + |B|"


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


def needs(placement: "Placement") -> list[Need]:
    """Return every need of a placed network; those of memories are counted up to each layer."""
    return [*memory_needs(placement), *sum_needs(placement)]


def memory_needs(placement: "Placement") -> list[Need]:
    """Return every need but those of sums: they look at no weight, and take no time."""
    config, form = placement.config, placement.network.input
    found = [
        Need(kind=Limit.LAYERS, what="layers", need=len(placement.layers), limit=config.layer_count),
        Need(kind=Limit.TABLES, what="quantizer tables", need=len(placement.tables), limit=config.table_count),
        *_map_needs("input", "", placement.input_map, config),
        Need(kind=Limit.STEPS, where="input", what="time steps", need=form.steps,
             limit=(1 << config.step_width) - 1),
    ]
    if placement.schedule is Schedule.REGISTERS:
        bits = descriptor_layout(config)["steps"].width
        found.append(Need(kind=Limit.RUN_STEPS, where="input", what="time steps of a layer at once",
                          need=form.steps, limit=(1 << bits) - 1))
    if placement.input_map.flagged:
        found += _event_needs(placement.input_map)
    for placed in placement.layers:
        found += _layer_needs(placed, config)
    return found


def sum_needs(placement: "Placement") -> list[Need]:
    """Return the largest sums of every layer, whatever its input."""
    return [need for placed in placement.layers for need in _sum_needs(placed, placement)]


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


def _layer_needs(placed: "PlacedLayer", config: CoreConfig) -> Iterator[Need]:
    layer = placed.layer
    name, where = layer.name, f"layer {layer.name!r}"
    yield Need(kind=Limit.STEP_SLOTS, layer=name, where=where, what="slots of a time step of its input",
               need=placed.source.step_slots, limit=(1 << config.slot_width) - 1)
    if placed.target is not None:
        yield from _map_needs(where, name, placed.target, config)
        yield Need(kind=Limit.PIXEL_SLOTS, layer=name, where=where, what="slots of a pixel",
                   need=placed.target.pixel_slots, limit=(1 << config.pixel_width) - 1)
    yield Need(kind=Limit.WEIGHTS, layer=name, where=where, need=placed.weight_end,
               limit=config.weight_depth, what="weight slots a bank, all layers to here")
    yield Need(kind=Limit.PASSES, layer=name, where=where, need=placed.pass_end,
               limit=config.pass_count, what="passes, all layers to here")
    yield Need(kind=Limit.TAPS, layer=name, where=where, what="taps", need=len(layer.taps),
               limit=config.tap_count)
    if layer.neuron is None:
        yield Need(kind=Limit.LOGITS, layer=name, where=where, what="logits",
                   need=layer.weight.shape[0], limit=config.logit_count)
        return
    yield Need(kind=Limit.PARAMETERS, layer=name, where=where, need=placed.parameter_end(config),
               limit=config.parameter_depth, what="parameter chunks, all layers to here")
    yield Need(kind=Limit.STATES, layer=name, where=where, need=placed.state_end(config),
               limit=config.state_depth, what="state chunks, all layers to here")


def _sum_needs(placed: "PlacedLayer", placement: "Placement") -> Iterator[Need]:
    """Yield what proves that no sum of the layer overflows, whatever its input."""
    config, layer = placement.config, placed.layer
    name, where = layer.name, f"layer {layer.name!r}"
    largest = sum(1 << plane.weight for plane in placed.input_planes)
    weight = layer.weight.astype(np.int64)
    codes = layer.weight_kind.codes(weight, layer.weight_bits).sum((1, 2, 3)) * largest
    limit = (1 << config.accumulator_width) - 1
    yield Need(kind=Limit.SUM, layer=name, where=where, need=int(codes.max()), limit=limit,
               what=f"largest sum of channel {int(codes.argmax())}", channel=int(codes.argmax()))
    reference = layer.weight_kind.reference(layer.weight_bits) * weight[0].size * largest
    yield Need(kind=Limit.REFERENCE, layer=name, where=where, what="largest reference sum",
               need=reference, limit=limit)
    high = np.maximum(weight, 0).sum((1, 2, 3)) * largest
    low = np.maximum(-weight, 0).sum((1, 2, 3)) * largest
    reach = np.maximum(high, low)
    if layer.neuron is None:
        segments = placed.output_height * placed.output_width * placement.network.input.steps
        yield Need(kind=Limit.LOGIT_SUM, layer=name, where=where, need=int(reach.max()) * segments,
                   limit=(1 << (LOGIT_WIDTH - 1)) - 1, what="largest logit, all pixels and steps")
        return
    multiplier, offset = layer.affine
    product = reach * np.abs(multiplier) + np.abs(offset)
    width = config.sum_width + MULTIPLIER_WIDTH + 1
    yield Need(kind=Limit.CURRENT, layer=name, where=where, need=int(product.max()),
               limit=(1 << (width - 1)) - 1, channel=int(product.argmax()),
               what=f"largest |sum * M| + |B|, channel {int(product.argmax())}")
