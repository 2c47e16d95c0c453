"""A bank's queue of events, and what picks the lowest one of a mask in each cycle."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import CoreConfig
from .popcount import popcount
from .queue import Queue

__all__ = ["Bank"]


def lowest_bit(mask):
    """Return the position of the lowest set bit of ``mask``, whose width is a power of two."""
    if len(mask) == 1:
        return mask[:0]
    half = len(mask) // 2
    low, high = mask[:half], mask[half:]
    return Cat(Mux(low.any(), lowest_bit(low), lowest_bit(high)), ~low.any())


def without_lowest(mask, *below):
    """Return ``mask`` without its lowest set bit, which it is if there is none in ``below``."""
    if len(mask) == 1:
        return mask & Cat(below).any()
    half = len(mask) // 2
    low, high = mask[:half], mask[half:]
    return Cat(without_lowest(low, *below), without_lowest(high, *below, low.any()))


class Bank(wiring.Component):
    """The events of one bank: one in each cycle, up to the end of a pass.

    The first word of the next pass is at hand by then, so that what all banks decide together
    changes a single bit of each.

    Members
    -------
    mask, weight, last, valid : ``In``
        A word of :func:`.word_layout`; without an event it is stored only if it is the last of a pass.
    hold : ``In(1)``
        Nothing is popped in this cycle.
    advance : ``In(1)``
        All banks are through with the pass: the next cycle is the first one of the next pass.
    finished : ``Out(1)``
        This bank is through with the pass, after this cycle.
    pop : ``Out(1)``
        An event is popped in this cycle.
    position, base : ``Out``
        A cycle later: the event's bit in the mask, and the weight slot of bit 0.
    level : ``Out``
        Entries of the queue, at least.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        super().__init__({
            "mask": In(config.word_slots),
            "weight": In(config.weight_address_width),
            "last": In(1),
            "valid": In(1),
            "hold": In(1),
            "advance": In(1),
            "finished": Out(1),
            "pop": Out(1),
            "position": Out(range(config.word_slots)),
            "base": Out(config.weight_address_width),
            "level": Out(range(config.queue_depth + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        # The events of a mask are counted before the queue: which one is the last needs to be known early.
        entry_layout = data.StructLayout({
            "mask": config.word_slots, "some": 1, "count": range(config.word_slots + 1),
            "weight": config.weight_address_width, "last": 1,
        })
        m.submodules.queue = queue = Queue(entry_layout, config.queue_depth)
        written = Signal(entry_layout)
        m.d.comb += [
            written.mask.eq(self.mask),
            written.some.eq(self.mask.any()),
            written.count.eq(popcount(m, self.mask)),
            written.weight.eq(self.weight),
            written.last.eq(self.last),
            queue.i.payload.eq(written),
            queue.i.valid.eq(self.valid & (written.some | self.last)),
            self.level.eq(queue.level),
        ]

        current = Signal(entry_layout, reset_less=True)
        position = Signal.like(self.position, reset_less=True)
        base = Signal.like(self.base, reset_less=True)
        valid = Signal()
        few = Signal()  # current.count is 0 or 1
        over = Signal()  # valid & current.last & few
        blocked = Signal()  # the pass is over, and what is here belongs to the next one
        moves = Signal()
        load = Signal()
        head = Signal(entry_layout)
        m.d.comb += [
            head.eq(queue.o.payload),
            self.position.eq(position),
            self.base.eq(base),
            moves.eq(~blocked & ~self.hold),
            load.eq(~valid | (few & moves)),
            queue.o.ready.eq(load),
            self.pop.eq(valid & current.some & moves),
            self.finished.eq((over | blocked) & ~self.hold),
        ]
        m.d.sync += [
            blocked.eq((blocked | (over & ~self.hold)) & ~self.advance),
            position.eq(lowest_bit(current.mask)),
            base.eq(current.weight),
        ]
        with m.If(load):
            m.d.sync += [
                current.eq(head),
                valid.eq(queue.o.valid),
                few.eq(head.count[1:] == 0),
                over.eq(queue.o.valid & head.last & (head.count[1:] == 0)),
            ]
        with m.Elif(moves):
            m.d.sync += [
                current.mask.eq(without_lowest(current.mask)),
                current.count.eq(current.count - 1),
                few.eq(current.count == 2),
                over.eq(current.last & (current.count == 2)),
            ]
        return m
