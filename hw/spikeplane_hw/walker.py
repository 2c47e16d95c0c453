"""The window walk: which rows of the input map a layer reads, in the order of docs/core.md."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2, exact_log2

from .config import CoreConfig
from .descriptor import layer_layout, pass_layout, term_layout
from .fetch import row_layout
from .queue import Queue
from .row_walk import RowWalk
from .segment_walk import SegmentWalk
from .state_memory import moves_states
from .update_issue import segment_layout

__all__ = ["Walker"]


class Walker(wiring.Component):
    """Walks a layer: its segments, and the rows of each; the next segment is found while one is walked.

    Members
    -------
    layer : ``In(layer_layout(config))``
        Static from ``start`` until ``idle``.
    term : ``In(term_layout(config))``
        With one term a layer static as ``layer``; with several, term ``term_index`` of the next layer
        in a cycle with ``term_store``.
    term_store, term_index : ``In``
        Keep a term; only while ``idle``.
    start : ``In(1)``
        Walk the layer.
    initial : ``In(1)``
        This is the first outer step: states and logits start at zero.
    input_offset, input_flags, output_offset, output_flags, time, age : ``In``
        From :class:`MapPlaces`; of the input as ``term``, of the output as ``layer``.
    pass_address, pass_data
        Read port of the pass memory, one cycle latency, always enabled.
    flag_address, flag_enable, flag_data
        Read port of the row flags, one cycle latency.
    rows : ``Out(stream.Signature(row_layout(config)))``
        To :class:`Fetch`, from a queue.
    segments : ``Out(stream.Signature(segment_layout(config)))``
        To :class:`Update`.
    idle : ``Out(1)``
        The walk is over; rows may still be in the queue.
    weight_offset, hold, resting, go
        Only with memory outside the chip, from and to :class:`WeightStream`: where the weights of the layer whose
        terms are stored begin; a channel group waits for its weights; no rows of those before it are looked at.
    pieces, pause, resume
        Only where streams can be stored outside the chip: the rows of a layer's channel groups wait, each for
        ``resume``. ``resting`` is of ``pause`` as of ``hold``.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        flag_width = ceil_log2(config.row_flag_count)
        super().__init__({
            "layer": In(layer_layout(config)),
            "term": In(term_layout(config)),
            "term_store": In(1),
            "term_index": In(ceil_log2(config.term_count)),
            "start": In(1),
            "initial": In(1),
            "input_offset": In(config.slot_width),
            "input_flags": In(flag_width),
            "output_offset": In(config.slot_width),
            "output_flags": In(flag_width),
            "time": In(exact_log2(config.tap_count)),
            "age": In(exact_log2(config.tap_count)),
            "pass_address": Out(ceil_log2(config.pass_count)),
            "pass_data": In(pass_layout(config)),
            "flag_address": Out(flag_width),
            "flag_enable": Out(1),
            "flag_data": In(1),
            "rows": Out(stream.Signature(row_layout(config))),
            "segments": Out(stream.Signature(segment_layout(config))),
            "idle": Out(1),
            **({
                "weight_offset": In(config.weight_address_width), "hold": Out(1), "resting": Out(1), "go": In(1),
            } if config.external_depth else {}),
            **({"pieces": In(1), "pause": Out(1), "resume": In(1)} if moves_states(config) else {}),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.segment_walk = segments = SegmentWalk(config)
        m.submodules.row_walk = rows = RowWalk(config)
        m.submodules.windows = windows = Queue(segments.windows.payload.shape(), config.window_queue_depth)
        connect(m, segments.windows, windows.i)
        connect(m, windows.o, rows.windows)
        connect(m, rows.rows, flipped(self.rows))
        connect(m, segments.segments, flipped(self.segments))

        placed = Signal(term_layout(config))
        m.d.comb += [
            placed.eq(self.term),
            placed.input_base.eq(self.term.input_base + self.input_offset),
            placed.input_flags.eq(self.term.input_flags + self.input_flags),
        ]
        if config.external_depth:
            m.d.comb += [
                placed.weight_base.eq(self.term.weight_base + self.weight_offset),
                self.hold.eq(segments.hold),
                segments.go.eq(self.go),
                self.resting.eq(rows.idle & ~windows.o.valid),
            ]
        if moves_states(config):
            m.d.comb += [
                segments.pieces.eq(self.pieces), self.pause.eq(segments.pause), segments.resume.eq(self.resume),
            ]
        readers = (segments, rows)
        if config.term_count == 1:
            m.d.comb += [reader.term.eq(placed) for reader in readers]
        else:
            m.submodules.terms = terms = Memory(shape=term_layout(config), depth=config.term_count, init=[])
            write = terms.write_port()
            m.d.comb += [
                write.addr.eq(self.term_index), write.en.eq(self.term_store), write.data.eq(placed),
            ]
            for reader in readers:
                port = terms.read_port(domain="comb")
                m.d.comb += [port.addr.eq(reader.term_index), reader.term.eq(port.data)]

        m.d.comb += [
            segments.layer.eq(self.layer),
            segments.start.eq(self.start),
            segments.initial.eq(self.initial),
            segments.output_offset.eq(self.output_offset),
            segments.output_flags.eq(self.output_flags),
            segments.age.eq(self.age),
            rows.time.eq(self.time),
            self.pass_address.eq(rows.pass_address),
            rows.pass_data.eq(self.pass_data),
            self.flag_address.eq(rows.flag_address),
            self.flag_enable.eq(rows.flag_enable),
            rows.flag_data.eq(self.flag_data),
            self.idle.eq(segments.idle & rows.idle & ~windows.o.valid),
        ]
        return m
