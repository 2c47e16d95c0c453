"""The order of a layer's work: output pixels, time steps and terms, and where the window of each lies."""

from amaranth import Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from .config import CoreConfig
from .descriptor import layer_layout, map_rows, term_layout
from .pixel_walk import PixelWalk
from .pool_walk import PoolWalk
from .spans import span_fields
from .state_memory import moves_states
from .update_issue import segment_layout
from .window_place import move_window, place_layout

__all__ = ["SegmentWalk", "window_layout"]


def window_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of a window: the part of a term's input that one segment reads, one pass at a time."""
    return data.StructLayout({
        "term": ceil_log2(config.term_count),
        "slot": config.slot_width,           # first slot of its top row, left of the map cut off
        "count": config.slot_width,          # slots of each row
        "top": signed(config.side_width + 1),  # its top row
        "weight": config.weight_address_width,  # weight slot of the first slot
        "flag": ceil_log2(config.row_flag_count),  # row flag of row 0 of the map in this step
        "age": exact_log2(config.tap_count),  # steps before this one
        # With several clusters, what their windows take up together is a window.
        **({"pixels": exact_log2(config.clusters)} if config.clusters > 1 else {}),  # windows, less one
        **span_fields(config),
    })


class SegmentWalk(wiring.Component):
    """Loops over channel groups, output rows, output columns, steps and terms, outermost first.

    Everything is in slots, so a window's clipping at the left edge is the same distance in the
    input map and in the weights. Addresses are running sums, of each term its own; there is no
    multiplier. A segment takes four cycles, five where there are several terms. With several clusters those of as many
    neighbouring pixels are one, with one window, and take a cycle more and one for each pixel but the first.

    Members
    -------
    layer : ``In(layer_layout(config))``
        Static from ``start`` until ``idle``.
    term_index, term : ``Out``, ``In(term_layout(config))``
        The descriptors of the layer's terms: that of ``term_index`` in the same cycle.
    start : ``In(1)``
        Walk the layer.
    initial : ``In(1)``
        This is the first outer step: states and logits start at zero.
    output_offset, output_flags, age : ``In``
        From :class:`MapPlaces`; static as the descriptors.
    windows : ``Out(stream.Signature(window_layout(config)))``
    segments : ``Out(stream.Signature(segment_layout(config)))``
        One of each for each segment; with several clusters a window for all pixels at once.
    idle : ``Out(1)``
        The walk is over.
    hold : ``Out(1)``, go : ``In(1)``
        Only with memory outside the chip: every channel group waits for its weights until ``go``.
    pieces : ``In(1)``, pause : ``Out(1)``, resume : ``In(1)``
        Where streams can be stored outside the chip: every row of a channel group but the layer's first waits until
        ``resume``, and potentials of all of them are at the same place. Static as the descriptors.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        super().__init__({
            "layer": In(layer_layout(config)),
            "term_index": Out(ceil_log2(config.term_count)),
            "term": In(term_layout(config)),
            "start": In(1),
            "initial": In(1),
            "output_offset": In(config.slot_width),
            "output_flags": In(ceil_log2(config.row_flag_count)),
            "age": In(exact_log2(config.tap_count)),
            "windows": Out(stream.Signature(window_layout(config))),
            "segments": Out(stream.Signature(segment_layout(config))),
            "idle": Out(1),
            **({"hold": Out(1), "go": In(1)} if config.external_depth else {}),
            **({"pieces": In(1), "pause": Out(1), "resume": In(1)} if moves_states(config) else {}),
        })

    def elaborate(self, platform):
        m = Module()
        config, layer = self.config, self.layer
        several = config.term_count > 1

        # Loop counters, and which of them began anew with this segment.
        group = Signal.like(layer.groups)
        y = Signal.like(layer.output_rows)
        x = Signal.like(layer.output_columns)
        step = Signal.like(layer.steps)
        index = self.term_index
        new = Signal(data.StructLayout({"layer": 1, "group": 1, "row": 1, "column": 1}))
        last_group, last_y, last_x, last_step = (Signal(name=f"last_{name}") for name in ("group", "y", "x", "step"))
        for last, counter, count in (
            (last_group, group, layer.groups), (last_y, y, layer.output_rows), (last_x, x, layer.output_columns),
        ):
            over = (counter + 1)[: len(count)] == count
            if config.clusters > 1 and last is last_x:
                over = count - counter <= config.clusters
            m.d.sync += last.eq(over)
        m.d.sync += last_step.eq(((step + 1)[: len(layer.steps)] == layer.steps) | layer.replay)

        # Where the window of a term is: of the term at hand in registers, of the others in a memory.
        at = Signal(place_layout(config))
        d = Signal(term_layout(config)) if several else self.term

        # Where the segment's results go.
        group_state = Signal.like(layer.state_base)
        pixel_state = Signal.like(layer.state_base)
        step_state = Signal.like(layer.state_base) if several else pixel_state
        group_output = Signal(config.slot_width)
        pixel_output = Signal(config.slot_width)
        first_flag = Signal.like(layer.output_flags)
        m.d[config.wire_domain] += first_flag.eq(layer.output_flags + self.output_flags)
        step_output = Signal(config.slot_width)
        step_output_flag = Signal.like(layer.output_flags)
        pool = PoolWalk(config) if config.pool_depth else None
        each = PixelWalk(config) if config.clusters > 1 else None

        # The part of the window that lies inside the map.
        right = Signal(signed(config.slot_width + 2))
        left = Signal(config.slot_width)
        skipped = Signal(config.slot_width)
        step_base = Signal(config.slot_width)
        weight_base = Signal(config.weight_address_width)
        slot = Signal(config.slot_width)
        weight = Signal(config.weight_address_width)
        age = Signal.like(self.age)
        window, segment = self.windows.p, self.segments.p
        # A sample of a batch: where it begins, states and logits do, and taps see nothing of the one before.
        anew, fresh, first_age = Const(0), step == 0, self.age
        if config.most_samples > 1:
            sample_step, sample_logit = Signal.like(step), Signal.like(segment.logit)
            sample_over, anew = Signal(), Signal()
            m.d.sync += [
                sample_over.eq((sample_step + 1)[: len(step)] == layer.sample_steps), anew.eq(layer.sample_steps != 0),
            ]
            fresh, first_age = sample_step == 0, Mux(anew, 0, self.age)
        more_logits = layer.more_logits if several else Const(0)
        first_pixel = (x == 0) & (y == 0) & (index == 0)
        if each:
            first_pixel = first_pixel & (each.at.cluster == 0)
        group_lanes = layer.group_lanes if several else config.lanes
        m.d.comb += [
            window.term.eq(index),
            window.slot.eq(slot),
            window.weight.eq(weight),
            window.age.eq(age),
            window.count.eq(right - left),
            window.top.eq(at.row_index),
            window.flag.eq(at.step_flag),
            segment.parameter.eq(d.parameter_base + (Mux(d.shared, 0, group) if several else group)),
            segment.state.eq(each.at.state if each else Mux(layer.stored, step_state, layer.state_base)),
            segment.lanes.eq(Mux(last_group, layer.last_lanes, group_lanes)),
            segment.output.eq(each.at.output if each else step_output),
            segment.flag.eq(step_output_flag),
            segment.logit.eq(group + (sample_logit if config.most_samples > 1 else 0)),
            segment.initial.eq(
                (self.initial | anew) & fresh & (~layer.logits | (first_pixel & ~more_logits))
            ),
            segment.doubled.eq(d.doubled),
            segment.shift.eq(d.shift),
            segment.first.eq(index == 0),
            segment.last.eq(index == layer.terms),
        ]
        if several:
            stream_slot = each.at.stream if each else slot
            m.d.comb += [
                segment.stream.eq(d.stream), segment.mean.eq(d.mean), segment.stream_state.eq(stream_slot),
                segment.second_state.eq(stream_slot + d.second),
            ]
        if pool:
            pool_x = each.at.pool_x if each else pool.x
            m.d.comb += [
                segment.pool.eq(each.at.pool if each else pool.step_place),
                segment.pool_first.eq((pool_x == 0) & (pool.y == 0)),
                segment.pool_last.eq((pool_x == layer.pool_columns) & (pool.y == layer.pool_rows)),
            ]
        window_taken = Signal()
        segment_taken = Signal()
        segments_end, row_ends = self.segments.ready, last_x  # with the segment at hand
        if each:
            spans = Signal(data.StructLayout({
                "pixels": window.pixels.shape(), "left": window.left.shape(), "right": window.right.shape(),
            }))
            reach = Signal(config.slot_width)  # slots from the first window to the last one
            last_pixel = Signal()
            m.d.sync += spans.pixels.eq(
                Mux(layer.output_columns - x < config.clusters, layer.output_columns - x - 1, config.clusters - 1)
            )
            m.d.comb += [
                *(window[name].eq(spans[name]) for name in spans.shape().members),
                window.stride.eq(d.column_stride),
                segment.cluster.eq(each.at.cluster),
                last_pixel.eq(each.at.cluster == spans.pixels),
            ]
            segments_end, row_ends = segments_end & last_pixel, row_ends & last_pixel

        pieces = self.pieces if moves_states(config) else Const(0)

        def move_pixel():
            """Move on by a pixel: where the results of all its steps go."""
            m.d.sync += pixel_state.eq(pixel_state + Mux(pieces, 1, layer.groups))
            if pool:
                pool.move(m, layer, pixel_output, row_ends, row_ends & last_y)
            else:
                m.d.sync += pixel_output.eq(pixel_output + layer.output_pixel)

        segment_begin = "READ" if several else "MOVE"
        group_begin = "HOLD" if config.external_depth else segment_begin

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(~self.start)
                m.d.sync += [
                    new.eq(1),
                    group_state.eq(layer.state_base),
                    group_output.eq(layer.output_base + self.output_offset),
                ]
                with m.If(self.start):
                    m.next = group_begin

            if config.external_depth:
                with m.State("HOLD"):
                    m.d.comb += self.hold.eq(1)
                    with m.If(self.go):
                        m.next = segment_begin

            if moves_states(config):
                with m.State("PAUSE"):
                    m.d.comb += self.pause.eq(1)
                    with m.If(self.resume):
                        m.next = segment_begin
                        with m.If(new.group):
                            m.next = group_begin

            if several:
                m.submodules.places = places = Memory(shape=at.shape(), depth=config.term_count, init=[])
                read, write = places.read_port(domain="comb"), places.write_port()
                m.d.comb += [read.addr.eq(index), write.addr.eq(index), write.data.eq(at)]
                with m.State("READ"):
                    m.d.sync += [at.eq(read.data), d.eq(self.term)]
                    m.next = "MOVE"

            with m.State("MOVE"):
                move_window(m, config, at, d, new)
                with m.If(new.layer | new.group):
                    m.d.sync += [pixel_state.eq(group_state), pixel_output.eq(group_output)]
                    if pool:
                        m.d.sync += pool.row_output.eq(group_output)
                if moves_states(config):
                    with m.If(pieces & new.row):
                        m.d.sync += pixel_state.eq(group_state)
                m.next = "CLIP"

            with m.State("CLIP"):
                slots = d.kernel_slots
                if several:
                    m.d.comb += write.en.eq(1)
                    slots = Mux(d.shortcut & (at.group_left < d.kernel_slots), at.group_left, d.kernel_slots)
                m.d.sync += [
                    right.eq(at.column + slots),
                    left.eq(Mux(at.column < 0, 0, at.column)),
                    skipped.eq(Mux(at.column < 0, -at.column, 0)),
                    step_base.eq(at.row_slot + at.step_slot),
                    weight_base.eq(at.group_weight + (at.step_weight if several else 0)),
                ]
                with m.If(new.as_value().any()):
                    m.d.sync += [
                        step_output.eq(pixel_output),
                        step_output_flag.eq(first_flag + (pool.map_row if pool else y)),
                        age.eq(first_age),
                    ]
                    if pool:
                        m.d.sync += pool.step_place.eq(pool.place)
                    if several:
                        m.d.sync += step_state.eq(pixel_state)
                m.next = "TRIM"
                if each:
                    strides = [Mux(bit, d.column_stride << level, 0) for level, bit in enumerate(spans.pixels)]
                    m.d.sync += [
                        spans.left.eq(Mux(at.column < 0, at.column, 0)),
                        spans.right.eq(Mux(at.column < 0, at.column + slots, slots)),
                        reach.eq(Mux(slots != 0, sum(strides), 0)),
                    ]
                    m.next = "WIDEN"

            if each:
                with m.State("WIDEN"):
                    m.d.sync += right.eq(right + reach)
                    m.next = "TRIM"

            with m.State("TRIM"):
                m.d.sync += [
                    right.eq(Mux(right > d.input_row, d.input_row, right)),
                    slot.eq(step_base + left),
                    weight.eq(weight_base + skipped),
                ]
                if each:
                    each.begin(m, layer, state=step_state, stream=step_base + left, output=step_output, pool=pool)
                m.next = "SEND"

            with m.State("SEND"):
                m.d.comb += [self.windows.valid.eq(~window_taken), self.segments.valid.eq(~segment_taken)]
                m.d.sync += [
                    window_taken.eq(window_taken | self.windows.ready),
                    segment_taken.eq(segment_taken | segments_end),
                ]
                if each:
                    with m.If(self.segments.valid & self.segments.ready):
                        each.move(m, layer, d, pieces=pieces)
                        with m.If((index == layer.terms) & last_step):
                            move_pixel()
                with m.If((window_taken | self.windows.ready) & (segment_taken | segments_end)):
                    m.d.sync += [window_taken.eq(0), segment_taken.eq(0), index.eq(0)]
                    m.next = segment_begin
                    with m.If(index != layer.terms):
                        m.d.sync += index.eq(index + 1)
                    with m.Elif(~last_step):
                        m.d.sync += [
                            new.eq(0),
                            step.eq(step + 1),
                            step_output.eq(step_output + layer.output_step),
                            step_output_flag.eq(step_output_flag + map_rows(config, layer)),
                        ]
                        if several:
                            m.d.sync += step_state.eq(step_state + layer.state_step)
                        if pool:
                            m.d.sync += pool.step_place.eq(pool.step_place + 1)
                        with m.If(age != config.tap_count - 1):
                            m.d.sync += age.eq(age + 1)
                        if config.most_samples > 1:
                            m.d.sync += sample_step.eq(sample_step + 1)
                            with m.If(sample_over):
                                m.d.sync += [sample_step.eq(0), sample_logit.eq(sample_logit + layer.groups), age.eq(0)]
                    with m.Else():
                        if config.most_samples > 1:
                            m.d.sync += [sample_step.eq(0), sample_logit.eq(0)]
                        m.d.sync += [
                            new.eq(0),
                            new.column.eq(1),
                            step.eq(0),
                            x.eq(x + config.clusters),
                        ]
                        if not each:
                            move_pixel()
                        with m.If(last_x):
                            m.d.sync += [new.column.eq(0), new.row.eq(1), x.eq(0), y.eq(y + 1)]
                            if moves_states(config):
                                with m.If(pieces):
                                    m.next = "PAUSE"
                        with m.If(last_x & last_y):
                            m.d.sync += [
                                new.row.eq(0),
                                new.group.eq(1),
                                y.eq(0),
                                group.eq(group + 1),
                                group_state.eq(group_state + ~pieces),
                                group_output.eq(group_output + (group_lanes >> exact_log2(config.banks))),
                            ]
                            m.next = group_begin
                            if moves_states(config):
                                with m.If(pieces):
                                    m.next = "PAUSE"
                            with m.If(last_group):
                                m.d.sync += group.eq(0)
                                m.next = "IDLE"
        return m
