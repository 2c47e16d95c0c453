"""The rows of a window: which rows of the input map are read, pass by pass."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2, exact_log2

from .banks import pass_info_layout
from .config import CoreConfig
from .descriptor import pass_layout, term_layout
from .fetch import row_layout
from .queue import Queue
from .segment_walk import window_layout
from .spans import span_fields

__all__ = ["RowWalk"]

IN_FLIGHT = 6
"""Candidates that may still become rows after the row queue has no room."""


class RowWalk(wiring.Component):
    """Walks a window: one candidate row a cycle, and a cycle more for each window, two where there are several terms.

    Members
    -------
    windows : ``In(stream.Signature(window_layout(config)))``
        A window stays until all its rows were looked at.
    term_index, term : ``Out``, ``In(term_layout(config))``
        The descriptors of the layer's terms: that of ``term_index`` in the same cycle.
    time : ``In``
        From :class:`MapPlaces`.
    pass_address, pass_data
        Read port of the pass memory, one cycle latency, always enabled.
    flag_address, flag_enable, flag_data
        Read port of the row flags, one cycle latency.
    rows : ``Out(stream.Signature(row_layout(config)))``
        To :class:`Fetch`, from a queue.
    idle : ``Out(1)``
        No window is there; rows may still be in the queue.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        flag_width = ceil_log2(config.row_flag_count)
        super().__init__({
            "windows": In(stream.Signature(window_layout(config))),
            "term_index": Out(ceil_log2(config.term_count)),
            "term": In(term_layout(config)),
            "time": In(exact_log2(config.tap_count)),
            "pass_address": Out(ceil_log2(config.pass_count)),
            "pass_data": In(pass_layout(config)),
            "flag_address": Out(flag_width),
            "flag_enable": Out(1),
            "flag_data": In(1),
            "rows": Out(stream.Signature(row_layout(config))),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        several = config.term_count > 1
        window = self.windows.p
        m.d.comb += self.term_index.eq(window.term)
        d = self.term
        if several:
            d = Signal(term_layout(config))
            m.d.sync += d.eq(self.term)

        kernel_row = Signal.like(d.kernel_rows)
        next_row = Signal.like(kernel_row)
        last_row = Signal()
        pass_index = Signal(ceil_log2(config.pass_count))
        next_pass = Signal.like(pass_index)
        last_pass = Signal()
        m.d.comb += [next_row.eq(kernel_row), next_pass.eq(pass_index), self.pass_address.eq(next_pass)]
        # Ends are registered: where they are needed is a long path.
        m.d.sync += [
            kernel_row.eq(next_row),
            last_row.eq((next_row + 1)[: len(kernel_row)] == d.kernel_rows),
            pass_index.eq(next_pass),
            last_pass.eq(next_pass == d.pass_last),
        ]
        plane = self.pass_data
        # All rows of a pool have the weights that shortcuts share.
        row_weights = Mux(d.shortcut, 0, d.kernel_slots) if several else d.kernel_slots
        line_index = Signal(signed(config.side_width + 2))     # the candidate row itself
        line_slot = Signal(config.slot_width)                  # from the window's top
        line_weight = Signal(config.weight_address_width)
        m.d.comb += line_index.eq(window.top + kernel_row)

        move = Signal()  # a candidate may be taken
        advance = Signal()  # a new one is taken
        looked = self.elaborate_looking(m, line_index, move, advance)

        begin = [next_row.eq(0), next_pass.eq(d.pass_base)]
        restart = [line_slot.eq(0), line_weight.eq(0)]
        with m.FSM():
            with m.State("WAIT"):
                m.d.comb += [self.idle.eq(~self.windows.valid & ~looked.busy), *begin]
                m.d.sync += restart
                with m.If(self.windows.valid):
                    m.next = "TERM" if several else "ROWS"

            if several:
                with m.State("TERM"):  # its descriptor is there
                    m.d.comb += begin
                    m.next = "ROWS"

            with m.State("ROWS"):
                m.d.comb += advance.eq(move)
                with m.If(advance):
                    m.d.comb += next_row.eq(kernel_row + 1)
                    m.d.sync += [
                        looked.row.in_map.eq((line_index >= 0) & (line_index < d.input_rows)),
                        looked.row.delay.eq(plane.delay),
                        looked.row.age.eq(window.age),
                        looked.row.phase.eq(self.time & d.input_ring),
                        looked.row.ring_slots.eq(d.input_ring_slots),
                        looked.row.read.eq(~d.skip_silent),
                        looked.row.line.eq(window.slot + line_slot),
                        looked.row.offset.eq(plane.input_offset),
                        looked.row.rest.count.eq(window.count),
                        looked.row.weight.eq(window.weight + line_weight),
                        looked.row.weight_offset.eq(plane.weight_offset),
                        looked.row.rest.last.eq(last_row),
                        looked.row.rest.banks.eq(plane.banks),
                        looked.row.rest.info.reference.eq(plane.reference),
                        looked.row.rest.info.double.eq(plane.double),
                        looked.row.rest.info.end.eq(last_pass),
                        *(looked.row.rest[name].eq(window[name]) for name in span_fields(config)),
                        line_slot.eq(line_slot + d.input_row),
                        line_weight.eq(line_weight + row_weights),
                    ]
                    if config.clusters > 1:
                        m.d.sync += looked.row.rest.info.pixels.eq(window.pixels)
                    with m.If(last_row):
                        m.d.comb += [next_row.eq(0), next_pass.eq(pass_index + 1)]
                        m.d.sync += restart
                        with m.If(last_pass):
                            m.d.comb += self.windows.ready.eq(1)
                            m.next = "WAIT"
        return m

    def elaborate_looking(self, m: Module, line_index, move, advance):
        """Add what follows a candidate row: its flag is looked up, and if it is to be read it is queued.

        A cycle behind the walk, a candidate waits for its row flag; block RAM is far away both on the way
        there and back, for which a core whose rows do not stall takes a cycle more each.
        """
        config, slot = self.config, self.config.slot_width
        looked = _Looked(config)
        row_valid = Signal()
        row_move = Signal()
        present = Signal()

        # Rows wait in a queue. If it has room for all that are on their way, none of them ever stalls:
        # whether it has is known a cycle ahead.
        depth = config.row_queue_depth
        if not config.rows_stall:
            depth = 1 << ceil_log2(depth + IN_FLIGHT)
        m.submodules.queue = queue = Queue(row_layout(config), depth)
        connect(m, queue.o, flipped(self.rows))
        row = queue.i.p
        if config.rows_stall:
            m.d.comb += [
                row_move.eq(~row_valid | queue.i.ready),
                looked.move.eq(~looked.valid | row_move),
                move.eq(looked.move),
            ]
        else:
            m.d.comb += [row_move.eq(1), looked.move.eq(1)]
            m.d.sync += move.eq(queue.level <= depth - IN_FLIGHT)

        def wait(value):
            """Return ``value`` a cycle later, or as it is if rows stall."""
            if config.rows_stall:
                return value
            following = Signal.like(value, name="waiting")
            m.d.sync += following.eq(value)
            return following

        found = looked.row
        valid_2 = wait(looked.valid)
        valid_3 = wait(valid_2)
        slot_2 = wait((found.line + found.offset)[:slot])
        # The plane is of an earlier step that lies behind this one, at the end of a round map.
        behind_2 = wait(found.delay > found.phase)
        ring_slots_2 = wait(found.ring_slots)
        slot_3 = wait((slot_2 + Mux(behind_2, ring_slots_2, 0))[:slot])
        weight_3 = wait(wait((found.weight + found.weight_offset)[: config.weight_address_width]))
        rest_3 = found.rest.shape()(wait(wait(found.rest.as_value())))
        in_map_3 = wait(wait(found.in_map & (found.delay <= found.age) & (found.rest.count != 0)))
        # The flag is of this step's row: rows of earlier steps are read, silent or not.
        read_3 = wait(wait(found.read | (found.delay != 0)))
        flag_3 = wait(self.flag_data)
        m.d.comb += [
            present.eq(in_map_3 & (flag_3 | read_3)),
            queue.i.valid.eq(row_valid),
            looked.busy.eq(looked.valid | valid_2 | valid_3 | row_valid),
            self.flag_address.eq(wait((self.windows.p.flag + line_index)[: len(self.flag_address)])),
            self.flag_enable.eq(looked.move),
        ]
        with m.If(row_move):
            m.d.sync += [
                row.slot.eq(slot_3),
                row.weight.eq(weight_3),
                row.last.eq(rest_3.last),
                row.banks.eq(rest_3.banks),
                row.info.eq(rest_3.info),
                row.count.eq(Mux(present, rest_3.count, 0)),
                *(row[name].eq(rest_3[name]) for name in span_fields(config)),
                row_valid.eq(valid_3 & (present | rest_3.last)),
            ]
        with m.If(looked.move):
            m.d.sync += looked.valid.eq(advance)
        return looked


class _Looked:
    """A candidate row whose flag is being looked up."""

    def __init__(self, config: CoreConfig):
        slot, weight = config.slot_width, config.weight_address_width
        self.row = Signal(data.StructLayout({
            "line": slot, "offset": slot, "weight": weight, "weight_offset": weight, "delay": config.delay_width,
            "age": exact_log2(config.tap_count), "in_map": 1, "read": 1, "phase": exact_log2(config.tap_count),
            "ring_slots": slot if config.tap_count > 1 else 0,
            "rest": data.StructLayout({
                "count": slot, "last": 1, "banks": config.mask_width, "info": pass_info_layout(config),
                **span_fields(config),
            }),
        }), name="looked")
        self.valid = Signal(name="looked_valid")
        self.move = Signal(name="looked_move")
        self.busy = Signal(name="rows_busy")
