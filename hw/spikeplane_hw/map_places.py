"""Where the maps of a layer lie in this time step: streamed maps advance, maps of a few steps go round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from .config import CoreConfig
from .descriptor import layer_layout, map_rows, term_layout

__all__ = ["InputPlace", "MapPlaces", "Places", "advance", "find_places"]


@dataclass(frozen=True, kw_only=True)
class InputPlace:
    """Where a term's input map lies, not yet modulo any width."""

    offset: int = 0
    flags: int = 0
    phase: int = 0


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the maps of a layer lie, not yet modulo any width."""

    inputs: tuple[InputPlace, ...]
    """Of each term."""
    output_offset: int = 0
    output_flags: int = 0
    age: int = 0


def find_places(
    config: CoreConfig, layer: Mapping[str, int], terms: Sequence[Mapping[str, int]], streamed: InputPlace, time: int
) -> Places:
    """Return a layer's places in a step: the streamed map is at ``streamed``, and ``time`` counts resumed runs on."""
    inputs = []
    for term in terms:
        phase = time & term["input_ring"]
        inputs.append(InputPlace(offset=streamed.offset, flags=streamed.flags, phase=phase) if term["streamed"] else (
            InputPlace(offset=phase * term["input_step"], flags=phase * term["input_rows"], phase=phase)
        ))
    output_phase = (time & layer["output_ring"]) * (layer["steps"] if config.most_samples > 1 else 1)
    return Places(
        inputs=tuple(inputs),
        output_offset=output_phase * layer["output_step"],
        output_flags=output_phase * map_rows(config, layer),
        age=min(time, config.tap_count - 1),
    )


def advance(streamed: InputPlace, term: Mapping[str, int]) -> InputPlace:
    """Return where the streamed map is after the walk of a layer whose last term this is."""
    if not term["streamed"] or not term["streamed_last"]:
        return streamed
    return InputPlace(offset=streamed.offset + term["input_step"], flags=streamed.flags + term["input_rows"])


class MapPlaces(wiring.Component):
    """Adds up the offsets of a layer's maps, a step a cycle, and counts time steps.

    The streamed map, the network's input, advances by a step after the last layer that reads it in
    each outer step. A map of R steps that memory-free neurons read, R a power of two, holds time step
    t at its step t modulo R. A map that a batch collects holds all steps of sample t from its step t * steps on.

    Members
    -------
    layer : ``In(layer_layout(config))``
    term : ``In(term_layout(config))``
    restart : ``In(1)``
        A run begins, at its first stored step.
    resume : ``In(1)``
        With ``restart``: time goes on where the run before ended.
    place : ``In(1)``
        The term's descriptor is there, and the layer's: find their maps.
    ready : ``Out(1)``
        They are found; low from the cycle after ``place``.
    walked : ``In(1)``
        The layer's walk is over.
    advance : ``In(1)``
        An outer step ends.
    input_offset, input_flags, output_offset, output_flags : ``Out``
        To be added to the maps' first slots and row flags.
    phase : ``Out``
        Step of the term's input map that holds this time step.
    time : ``Out``
        Time steps before this one, modulo ``tap_count``.
    age : ``Out``
        Time steps before this one, at most ``tap_count - 1``.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        flag_width = ceil_log2(config.row_flag_count)
        super().__init__({
            "layer": In(layer_layout(config)),
            "term": In(term_layout(config)),
            "restart": In(1),
            "resume": In(1),
            "place": In(1),
            "ready": Out(1, init=1),
            "walked": In(1),
            "advance": In(1),
            "input_offset": Out(config.slot_width),
            "input_flags": Out(flag_width),
            "output_offset": Out(config.slot_width),
            "output_flags": Out(flag_width),
            "phase": Out(exact_log2(config.tap_count)),
            "time": Out(exact_log2(config.tap_count)),
            "age": Out(exact_log2(config.tap_count)),
        })

    def elaborate(self, platform):
        m = Module()
        d = self.term
        stream_offset = Signal.like(self.input_offset)
        stream_flags = Signal.like(self.input_flags)
        with m.If(self.walked & d.streamed & d.streamed_last):
            m.d.sync += [
                stream_offset.eq(stream_offset + d.input_step),
                stream_flags.eq(stream_flags + d.input_rows),
            ]
        with m.If(self.restart):
            m.d.sync += [stream_offset.eq(0), stream_flags.eq(0)]
        start = [
            self.input_offset.eq(Mux(d.streamed, stream_offset, 0)),
            self.input_flags.eq(Mux(d.streamed, stream_flags, 0)),
        ]
        if self.config.tap_count > 1:
            self.elaborate_rings(m, start)
        else:
            m.d.comb += [*start, self.ready.eq(1)]
        return m

    def elaborate_rings(self, m: Module, start: list):
        """Add what maps of a few steps need; ``start`` are the offsets to begin with."""
        layer, term = self.layer, self.term
        input_left = Signal.like(self.phase)  # steps still to be added
        output_left = Signal.like(self.phase)
        m.d.comb += [
            self.phase.eq(self.time & term.input_ring),
            self.ready.eq((input_left == 0) & (output_left == 0)),
        ]
        with m.If(self.place):
            m.d.sync += [
                *start,
                self.output_offset.eq(0),
                self.output_flags.eq(0),
                input_left.eq(self.phase),
                output_left.eq(self.time & layer.output_ring),
            ]
        with m.If(input_left != 0):
            m.d.sync += [
                input_left.eq(input_left - 1),
                self.input_offset.eq(self.input_offset + term.input_step),
                self.input_flags.eq(self.input_flags + term.input_rows),
            ]
        turned = Const(1)
        if self.config.most_samples > 1:  # a turn of the ring is a sample, of several steps
            step, turned = Signal.like(layer.steps), Signal()
            m.d.comb += turned.eq((step + 1)[: len(step)] == layer.steps)
            m.d.sync += step.eq(Mux(turned | (output_left == 0), 0, step + 1))
        with m.If(output_left != 0):
            m.d.sync += [
                output_left.eq(output_left - turned),
                self.output_offset.eq(self.output_offset + layer.output_step),
                self.output_flags.eq(self.output_flags + map_rows(self.config, layer)),
            ]
        with m.If(self.advance):
            m.d.sync += self.time.eq(self.time + 1)
            with m.If(self.age != self.config.tap_count - 1):
                m.d.sync += self.age.eq(self.age + 1)
        with m.If(self.restart & ~self.resume):
            m.d.sync += [self.time.eq(0), self.age.eq(0)]
