"""Event intake: AER events become bits of the input map."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import CoreConfig
from .descriptor import event_layout
from .memories import spike_read_latency
from .memory_map import EVENT_COUNT_WIDTH

__all__ = ["EventWriter"]


class EventWriter(wiring.Component):
    """Sets bit ``polarity`` of slot ``base + (step * height + y) * width + x`` for each event.

    One event takes eight cycles and those of ``spike_read_latency``, one outside three; the stream
    holds it as long. An event outside the frame is counted and dropped. The input map of events has
    one slot a pixel, and its row flags start at 0.

    Members
    -------
    events : ``In(stream.Signature(event_layout()))``
    enable : ``In(1)``
        Take events; while low they wait.
    base, width, height, steps : ``In``
        Geometry of the input map.
    clear : ``In(1)``
        Reset the counts.
    accepted, rejected : ``Out(EVENT_COUNT_WIDTH)``
        Events since ``clear``.
    idle : ``Out(1)``
    read_address, read_enable, read_data
        Read port of the spike memory.
    write, write_slot, write_data : ``Out``
        Write of one slot.
    flag, flag_address : ``Out``
        Set a row flag.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        event = event_layout()
        super().__init__({
            "events": In(stream.Signature(event)),
            "enable": In(1),
            "base": In(config.slot_width),
            "width": In(config.side_width),
            "height": In(config.side_width),
            "steps": In(config.step_width),
            "clear": In(1),
            "accepted": Out(EVENT_COUNT_WIDTH),
            "rejected": Out(EVENT_COUNT_WIDTH),
            "idle": Out(1),
            "read_address": Out(ceil_log2(config.spike_depth)),
            "read_enable": Out(1),
            "read_data": In(config.word_width),
            "write": Out(1),
            "write_slot": Out(config.slot_width),
            "write_data": Out(config.banks),
            "flag": Out(1),
            "flag_address": Out(ceil_log2(config.row_flag_count)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        offset_width = ceil_log2(config.word_slots)
        latency = spike_read_latency(config)

        event = self.events.p
        flag_width = len(self.flag_address)
        row = Signal(flag_width)
        slot = Signal(config.slot_width)
        # One multiplier serves both `step * height + y` and `row * width + x`.
        factor = Signal(max(flag_width, len(self.steps)))
        size = Signal(max(len(self.width), len(self.height)))
        rest = Signal(config.slot_width)
        product = Signal(max(flag_width, config.slot_width))
        total = Signal.like(product)
        before = Signal(config.banks)  # the slot as it is
        inside = Signal()
        m.d.sync += [
            product.eq(factor * size),
            before.eq(self.read_data.word_select(slot[:offset_width], config.banks)),
        ]
        m.d.comb += [
            total.eq(product + rest),
            rest.eq(event.y),
            self.read_address.eq(slot[offset_width:]),
            self.write_slot.eq(slot),
            self.write_data.eq(before | (1 << event.polarity)),
            self.flag_address.eq(row),
        ]
        with m.If(self.clear):
            m.d.sync += [self.accepted.eq(0), self.rejected.eq(0)]

        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += self.idle.eq(~(self.events.valid & self.enable))
                with m.If(~self.idle):
                    m.next = "CHECK"
            with m.State("CHECK"):
                m.d.sync += [
                    inside.eq(
                        (event.x < self.width) & (event.y < self.height)
                        & (event.step < self.steps)
                    ),
                    factor.eq(event.step),
                    size.eq(self.height),
                ]
                m.next = "COUNT"
            with m.State("COUNT"):
                with m.If(inside):
                    m.d.sync += self.accepted.eq(self.accepted + 1)
                    m.next = "ROW"
                with m.Else():
                    m.d.comb += self.events.ready.eq(1)
                    m.d.sync += self.rejected.eq(self.rejected + 1)
                    m.next = "TAKE"
            with m.State("ROW"):
                m.d.sync += row.eq(total)
                m.next = "LOCATE"
            with m.State("LOCATE"):
                m.d.sync += [factor.eq(row), size.eq(self.width)]
                m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                m.next = "SLOT"
            with m.State("SLOT"):
                m.d.comb += rest.eq(event.x + self.base)
                m.d.sync += slot.eq(total)
                m.next = "READ"
            with m.State("READ"):
                m.d.comb += self.read_enable.eq(1)
                m.next = "WAIT_1"
            for cycle in range(1, latency):
                with m.State(f"WAIT_{cycle}"):
                    m.next = f"WAIT_{cycle + 1}"
            with m.State(f"WAIT_{latency}"):
                m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += [self.write.eq(1), self.flag.eq(1), self.events.ready.eq(1)]
                m.next = "TAKE"
        return m
