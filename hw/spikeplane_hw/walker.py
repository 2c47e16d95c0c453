"""The window walk: which rows of the input map a layer reads, in the order of docs/core.md."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2, exact_log2

from .banks import pass_info_layout
from .config import CoreConfig
from .descriptor import descriptor_layout, pass_layout
from .fetch import row_layout
from .queue import Queue
from .update import segment_layout

__all__ = ["Walker"]


IN_FLIGHT = 6
"""Candidates that may still become rows after the row queue has no room."""


class Walker(wiring.Component):
    """Walks a layer: one candidate row a cycle, and three cycles more for each output pixel.

    Everything is in slots, so a window's clipping at the left edge is the same distance in the
    input map and in the weights. Addresses are running sums; there is no multiplier.

    Members
    -------
    descriptor : ``In(descriptor_layout(config))``
        The layer; static from ``start`` until ``idle``.
    start : ``In(1)``
        Walk the layer.
    initial : ``In(1)``
        This is the first outer step: states and logits start at zero.
    input_offset, input_flags, output_offset, output_flags, phase, age : ``In``
        From :class:`MapPlaces`; static as the descriptor.
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
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        flag_width = ceil_log2(config.row_flag_count)
        super().__init__({
            "descriptor": In(descriptor_layout(config)),
            "start": In(1),
            "initial": In(1),
            "input_offset": In(config.slot_width),
            "input_flags": In(flag_width),
            "output_offset": In(config.slot_width),
            "output_flags": In(flag_width),
            "phase": In(exact_log2(config.tap_count)),
            "age": In(exact_log2(config.tap_count)),
            "pass_address": Out(ceil_log2(config.pass_count)),
            "pass_data": In(pass_layout(config)),
            "flag_address": Out(flag_width),
            "flag_enable": Out(1),
            "flag_data": In(1),
            "rows": Out(stream.Signature(row_layout(config))),
            "segments": Out(stream.Signature(segment_layout(config))),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        d = self.descriptor
        slot = config.slot_width
        flag_width = ceil_log2(config.row_flag_count)

        # Loop counters.
        group = Signal.like(d.groups)
        y = Signal.like(d.output_rows)
        x = Signal.like(d.output_columns)
        step = Signal.like(d.steps)
        kernel_row = Signal.like(d.kernel_rows)
        pass_index = Signal(ceil_log2(config.pass_count))
        next_pass = Signal.like(pass_index)
        last_pass = Signal()
        m.d.sync += [pass_index.eq(next_pass), last_pass.eq(next_pass == d.pass_last)]
        m.d.comb += [next_pass.eq(pass_index), self.pass_address.eq(next_pass)]
        plane = self.pass_data

        age = Signal.like(self.age)  # steps before this one

        # Running addresses, each restarted from the one outside it.
        row_index = Signal(signed(len(d.input_rows) + 1))      # of the output row: window's top
        row_slot = Signal(slot)                                # its first slot at step 0
        column = Signal(signed(slot + 1))                      # window's left edge, in slots
        step_slot = Signal(slot)                               # window's first slot at this step
        step_flag = Signal(flag_width)                         # flag of the map's first row
        line_index = Signal(signed(len(d.input_rows) + 2))     # the candidate row itself
        line_slot = Signal(slot)                               # from the window's top
        line_weight = Signal(config.weight_address_width)
        group_weight = Signal(config.weight_address_width)

        # The part of the window that lies inside the map.
        skipped = Signal(slot)
        count = Signal(slot)
        right = Signal(signed(slot + 2))
        left = Signal(slot)                                    # column, 0 where it is negative

        # Where the segment's results go.
        parameter = Signal.like(d.parameter_base)
        group_state = Signal.like(d.state_base)
        pixel_state = Signal.like(d.state_base)
        group_output = Signal(slot)
        pixel_output = Signal(slot)
        first_output_flag = Signal(flag_width)
        m.d[config.wire_domain] += first_output_flag.eq(d.output_flags + self.output_flags)
        step_output = Signal(slot)
        step_output_flag = Signal(flag_width)

        # Ends of the loops, all registered: where they are needed is the longest path of the walker.
        # Between two pixels are cycles enough; kernel rows and steps are looked at one ahead.
        next_kernel_row = Signal.like(kernel_row)
        next_step = Signal.like(step)
        last_group = Signal()
        last_kernel_row = Signal()
        last_step = Signal()
        last_x = Signal()
        last_y = Signal()

        def at_end(counter, count):
            end = Signal.like(counter)
            m.d.sync += end.eq(count - 1)
            return counter == end

        def at_last(counter, count):
            return (counter + 1)[: len(count)] == count

        m.d.comb += [next_kernel_row.eq(kernel_row), next_step.eq(step)]
        m.d.sync += [
            kernel_row.eq(next_kernel_row),
            step.eq(next_step),
            last_group.eq(at_last(group, d.groups)),
            last_kernel_row.eq(at_end(next_kernel_row, d.kernel_rows)),
            last_step.eq(at_end(next_step, d.steps) | d.replay),
            last_x.eq(at_last(x, d.output_columns)),
            last_y.eq(at_last(y, d.output_rows)),
        ]

        # A cycle behind the walk, `looked` waits for its row flag; block RAM is far away both on the way
        # there and back, for which a core that is not frugal takes a cycle more each. `row` leaves.
        candidate = data.StructLayout({
            "line": slot, "offset": slot, "weight": config.weight_address_width,
            "weight_offset": config.weight_address_width, "delay": config.delay_width,
            "age": len(self.age), "in_map": 1,
            "rest": data.StructLayout({"count": slot, "last": 1, "info": pass_info_layout()}),
        })
        looked = Signal(candidate)
        looked_valid = Signal()
        present = Signal()
        row_valid = Signal()
        row_move = Signal()
        move = Signal()  # a candidate may be taken
        looked_move = Signal()

        # Rows wait in a queue. If it has room for all that are on their way, none of them ever stalls:
        # whether it has is known a cycle ahead. A frugal core stalls them instead.
        depth = config.row_queue_depth
        if not config.frugal:
            depth = 1 << ceil_log2(depth + IN_FLIGHT)
        m.submodules.queue = queue = Queue(row_layout(config), depth)
        connect(m, queue.o, flipped(self.rows))
        row = queue.i.p
        if config.frugal:
            m.d.comb += [
                row_move.eq(~row_valid | queue.i.ready),
                looked_move.eq(~looked_valid | row_move),
                move.eq(looked_move),
            ]
        else:
            m.d.comb += [row_move.eq(1), looked_move.eq(1)]
            m.d.sync += move.eq(queue.level <= depth - IN_FLIGHT)

        def wait(value):
            """Return ``value`` a cycle later, in a frugal core as it is."""
            if config.frugal:
                return value
            following = Signal.like(value, name="waiting")
            m.d.sync += following.eq(value)
            return following

        valid_2 = wait(looked_valid)
        valid_3 = wait(valid_2)
        slot_2 = wait((looked.line + looked.offset)[:slot])
        # The plane is of an earlier step that lies behind this one, at the end of a round map.
        behind_2 = wait(looked.delay > self.phase)
        slot_3 = wait((slot_2 + Mux(behind_2, d.input_ring_slots, 0))[:slot])
        weight_3 = wait(wait((looked.weight + looked.weight_offset)[: config.weight_address_width]))
        rest_3 = candidate["rest"].shape(wait(wait(looked.rest.as_value())))
        in_map_3 = wait(wait(looked.in_map & (looked.delay <= looked.age)))
        # The flag is of this step's row: rows of earlier steps are read, silent or not.
        read_3 = wait(wait(~d.skip_silent | (looked.delay != 0)))
        flag_3 = wait(self.flag_data)
        m.d.comb += [
            present.eq(in_map_3 & (flag_3 | read_3)),
            queue.i.valid.eq(row_valid),
        ]
        with m.If(row_move):
            m.d.sync += [
                row.slot.eq(slot_3),
                row.weight.eq(weight_3),
                row.last.eq(rest_3.last),
                row.info.eq(rest_3.info),
                row.count.eq(Mux(present, rest_3.count, 0)),
                row_valid.eq(valid_3 & (present | rest_3.last)),
            ]

        segment_first = Signal()
        segment = self.segments.p
        m.d.comb += [
            segment.parameter.eq(parameter),
            segment.state.eq(Mux(d.stored, pixel_state, d.state_base)),
            segment.lanes.eq(Mux(last_group, d.last_lanes, config.lanes)),
            segment.output.eq(step_output),
            segment.flag.eq(step_output_flag),
            segment.logit.eq(group),
            segment.initial.eq(
                self.initial & (step == 0) & (~d.logits | ((x == 0) & (y == 0)))
            ),
        ]

        advance = Signal()  # a new candidate is taken
        m.d.comb += [
            line_index.eq(row_index + kernel_row),
            self.flag_address.eq(wait((step_flag + line_index)[:flag_width])),
            self.flag_enable.eq(looked_move),
        ]
        with m.If(looked_move):
            m.d.sync += looked_valid.eq(advance)

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(~(looked_valid | valid_2 | valid_3 | row_valid | self.start))
                m.d.sync += [
                    group.eq(0),
                    group_weight.eq(d.weight_base),
                    parameter.eq(d.parameter_base),
                    group_state.eq(d.state_base),
                    group_output.eq(d.output_base + self.output_offset),
                ]
                with m.If(self.start):
                    m.next = "GROUP"

            with m.State("GROUP"):
                m.d.comb += next_pass.eq(d.pass_base)
                m.d.sync += [
                    y.eq(0),
                    x.eq(0),
                    row_index.eq(-d.pad_rows),
                    row_slot.eq(d.input_base + self.input_offset),
                    column.eq(-d.pad_slots),
                    pixel_state.eq(group_state),
                    pixel_output.eq(group_output),
                ]
                m.next = "PIXEL"

            with m.State("PIXEL"):
                m.d.sync += [
                    right.eq(column + d.kernel_slots),
                    left.eq(Mux(column < 0, 0, column)),
                    skipped.eq(Mux(column < 0, -column, 0)),
                ]
                m.next = "CLIP"

            with m.State("CLIP"):
                m.d.sync += right.eq(Mux(right > d.input_row, d.input_row, right))
                m.next = "SEGMENTS"

            with m.State("SEGMENTS"):
                m.d.comb += [next_step.eq(0), next_kernel_row.eq(0)]
                m.d.sync += [
                    count.eq(right - left),
                    age.eq(self.age),
                    segment_first.eq(1),
                    step_slot.eq(row_slot + left),
                    step_flag.eq(d.input_flags + self.input_flags),
                    line_slot.eq(0),
                    line_weight.eq(group_weight),
                    step_output.eq(pixel_output),
                    step_output_flag.eq(first_output_flag + y),
                ]
                m.next = "ROWS"

            with m.State("ROWS"):
                m.d.comb += [
                    self.segments.valid.eq(segment_first),
                    advance.eq(move & (~segment_first | self.segments.ready)),
                ]
                with m.If(self.segments.ready):
                    m.d.sync += segment_first.eq(0)
                with m.If(advance):
                    # The next kernel row, unless something below says otherwise.
                    m.d.comb += next_kernel_row.eq(kernel_row + 1)
                    m.d.sync += [
                        looked.in_map.eq((line_index >= 0) & (line_index < d.input_rows)),
                        looked.delay.eq(plane.delay),
                        looked.age.eq(age),
                        looked.line.eq(step_slot + line_slot),
                        looked.offset.eq(plane.input_offset),
                        looked.rest.count.eq(count),
                        looked.weight.eq(line_weight + skipped),
                        looked.weight_offset.eq(plane.weight_offset),
                        looked.rest.last.eq(last_kernel_row),
                        looked.rest.info.reference.eq(plane.reference),
                        looked.rest.info.double.eq(plane.double),
                        looked.rest.info.end.eq(last_pass),
                        line_slot.eq(line_slot + d.input_row),
                        line_weight.eq(line_weight + d.kernel_slots),
                    ]
                    with m.If(last_kernel_row):
                        m.d.comb += [
                            next_pass.eq(Mux(last_pass, d.pass_base, pass_index + 1)),
                            next_kernel_row.eq(0),
                        ]
                        m.d.sync += [
                            line_slot.eq(0),
                            line_weight.eq(group_weight),
                        ]
                        with m.If(last_pass):
                            m.d.comb += next_step.eq(step + 1)
                            with m.If(age != config.tap_count - 1):
                                m.d.sync += age.eq(age + 1)
                            m.d.sync += [
                                segment_first.eq(1),
                                step_slot.eq(step_slot + d.input_step),
                                step_flag.eq(step_flag + d.input_rows),
                                step_output.eq(step_output + d.output_step),
                                step_output_flag.eq(step_output_flag + d.output_rows),
                            ]
                            with m.If(last_step):
                                m.d.sync += [
                                    x.eq(x + 1),
                                    column.eq(column + d.column_stride),
                                    pixel_state.eq(pixel_state + d.groups),
                                    pixel_output.eq(pixel_output + d.output_pixel),
                                ]
                                m.next = "PIXEL"
                                with m.If(last_x):
                                    m.d.sync += [
                                        x.eq(0),
                                        y.eq(y + 1),
                                        column.eq(-d.pad_slots),
                                        row_index.eq(row_index + d.stride),
                                        row_slot.eq(row_slot + d.row_stride),
                                    ]
                                with m.If(last_x & last_y):
                                    m.d.sync += [
                                        group.eq(group + 1),
                                        group_weight.eq(group_weight + d.weight_group),
                                        parameter.eq(parameter + 1),
                                        group_state.eq(group_state + 1),
                                        group_output.eq(
                                            group_output + config.lanes // config.banks
                                        ),
                                    ]
                                    m.next = "GROUP"
                                    with m.If(last_group):
                                        m.next = "IDLE"
        return m
