"""The stream of weights: slots come from memory outside the chip into a ring that is the whole weight memory.

Or the lower half of it, where the upper one is for operands of products.

Channel group after channel group, layer after layer, the program needs its weights in one order only, which is
that of the stream. So nothing says what is to be loaded when: the stream fills whatever slots are free, a group
runs once its slots are there, and frees them when it is over.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import BURST_BITS, CoreConfig
from .external_bus import BEAT_BITS, BURST_BEATS

__all__ = ["GRANT_CYCLES", "WeightStream", "halves_ring", "held_banks", "in_ring", "ring_slots", "row_beats",
           "slot_bursts", "stream_width", "stream_write"]

GRANT_CYCLES = 2
"""Cycles that a channel group waits at least."""


def row_beats(config: CoreConfig) -> int:
    """Return the beats of a bank's part of a slot, a bit for each lane."""
    return -(-config.lanes // BEAT_BITS)


def slot_bursts(config: CoreConfig) -> int:
    """Return the bursts of a weight slot: a row of each bank, one behind the other."""
    return -(-config.banks * row_beats(config) * BEAT_BITS // BURST_BITS)


def halves_ring(config: CoreConfig) -> bool:
    """Return whether operands of products can lie beside weights that stream in."""
    return config.external_depth > 0 and config.term_count > 1


def held_banks(config: CoreConfig) -> bool:
    """Return whether banks are held while the stream writes theirs, since the port that writes is one that reads."""
    return config.external_depth > 0 and config.clusters > 1


def ring_slots(config: CoreConfig, *, half: bool) -> int:
    """Return the slots of the ring, all or the lower half of those of a weight bank."""
    return config.weight_depth // (1 + half)


def in_ring(slot, half):
    """Return a weight slot modulo the ring, which is all or the lower ``half`` of them."""
    return Cat(slot[:-1], slot[-1] & ~half)


def stream_width(config: CoreConfig) -> int:
    """Return the bits of the number of slots that a stream may have."""
    return ceil_log2(config.external_depth // slot_bursts(config) + 1)


def stream_write(config: CoreConfig) -> wiring.Signature:
    """Return the signature of a write: in a cycle with ``enable`` a row goes to a bank."""
    return wiring.Signature({
        "enable": Out(1),
        "slot": Out(config.weight_address_width),
        "bank": Out(range(config.banks)),
        "row": Out(config.lanes),
    })


class WeightStream(wiring.Component):
    """Fills the ring, and grants channel groups their slots.

    Members
    -------
    slots : ``In(stream_width(config))``
        Slots of one pass through the program, after which the first one follows; 0: nothing streams, and every
        group is granted at once.
    half : ``In(1)``
        The ring is the lower half of all slots; it changes with ``restart`` only.
    restart : ``In(1)``
        Begin anew with the first slot.
    hold, quiet : ``In(1)``
        The walk is at the begin of a channel group; what it did before is over.
    walked : ``In(1)``
        A layer is over (one cycle).
    need : ``In(weight_address_width)``
        Slots of the group at hand, and of all groups of its layer.
    aside : ``In(1)``
        Its weights are none of the stream: a group needs nothing.
    go : ``Out(1)``
        The group's slots are there (one cycle).
    base : ``Out(weight_address_width)``
        The first of them, between a layer's end and the grant of the next one's first group; modulo the ring. 0 if
        they are ``aside``.
    request, beat_valid, beat, resting
        To :class:`ExternalPort`.
    write : ``Out(stream_write(config))``
        To the weight banks.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        super().__init__({
            "slots": In(stream_width(config)),
            "half": In(1),
            "restart": In(1),
            "hold": In(1),
            "quiet": In(1),
            "walked": In(1),
            "need": In(config.weight_address_width),
            "aside": In(1),
            "go": Out(1),
            "base": Out(config.weight_address_width),
            "request": Out(stream.Signature(ceil_log2(config.external_depth))),
            "beat_valid": In(1),
            "beat": In(BEAT_BITS),
            "resting": In(1),
            "write": Out(stream_write(config)),
        })

    def elaborate(self, platform):
        m = Module()
        config, write = self.config, self.write
        bursts, rows = slot_bursts(config), row_beats(config)

        # What is asked for: slots in order, while the ring has room for a whole one.
        wanted, arrived = Signal(range(config.weight_depth + 1)), Signal(range(config.weight_depth + 1))
        left = Signal.like(self.slots)
        streaming, last = Signal(), Signal()  # a cycle late: both change long before they are needed
        m.d.sync += [streaming.eq(self.slots != 0), last.eq(left == 1)]
        burst = Signal(range(bursts))
        ahead = Signal()  # beats of a stream before this one are still to come
        freed, slot_wanted, slot_arrived = Signal.like(wanted), Signal(), Signal()
        m.d.comb += [
            self.request.valid.eq(~ahead & streaming & ~wanted[-1] & ~(self.half & wanted[-2])),
            slot_wanted.eq(self.request.valid & self.request.ready & (burst == bursts - 1)),
        ]
        m.d.sync += [
            wanted.eq(wanted + slot_wanted - freed),
            arrived.eq(arrived + slot_arrived - freed),
        ]
        with m.If(self.request.valid & self.request.ready):
            m.d.sync += [self.request.payload.eq(self.request.payload + 1), burst.eq(burst + 1)]
        with m.If(slot_wanted):
            m.d.sync += [burst.eq(0), left.eq(left - 1)]
            with m.If(last):
                m.d.sync += [left.eq(self.slots), self.request.payload.eq(0)]

        # What comes: beats make rows, rows of all banks a slot, and the rest of its last burst nothing.
        beat, row_beat = Signal(range(bursts * BURST_BEATS)), Signal(range(rows))
        bank = Signal(range(config.banks + 1))
        row = Signal(rows * BEAT_BITS)
        gathered = Cat(row, self.beat)[BEAT_BITS:]
        slot = Signal(config.weight_address_width)
        m.d.sync += write.enable.eq(0)
        with m.If(self.beat_valid & ~ahead):
            m.d.sync += [row.eq(gathered), beat.eq(beat + 1), row_beat.eq(row_beat + 1)]
            with m.If((row_beat == rows - 1) & (bank != config.banks)):
                m.d.sync += [
                    row_beat.eq(0), bank.eq(bank + 1), write.enable.eq(1), write.row.eq(gathered[:config.lanes]),
                    write.bank.eq(bank), write.slot.eq(in_ring(slot, self.half)),
                ]
            with m.If(beat == bursts * BURST_BEATS - 1):
                m.d.comb += slot_arrived.eq(1)
                m.d.sync += [beat.eq(0), row_beat.eq(0), bank.eq(0), slot.eq(slot + 1)]

        # Who is granted what. A group that was granted frees its slots before anything else is granted.
        granted, over = Signal(), Signal()
        need, base = Signal.like(self.need), Signal.like(self.base)
        m.d.comb += [need.eq(Mux(self.aside, 0, self.need)), self.base.eq(Mux(self.aside, 0, base))]
        m.d.comb += over.eq(granted & (self.walked | (self.hold & self.quiet)))
        with m.If(over & streaming):
            m.d.comb += freed.eq(need)
            m.d.sync += base.eq(base + need)
        m.d.sync += [
            self.go.eq(self.hold & ~granted & ~self.go & ((arrived >= need) | ~streaming)),
            granted.eq((granted | self.go) & ~over),
        ]
        with m.If(~streaming):  # no group waits for the one before it
            m.d.sync += granted.eq(0)

        with m.If(self.restart):
            m.d.sync += [
                wanted.eq(0), arrived.eq(0), left.eq(self.slots), burst.eq(0), self.request.payload.eq(0),
                beat.eq(0), row_beat.eq(0), bank.eq(0), slot.eq(0), granted.eq(0), self.go.eq(0), base.eq(0),
                ahead.eq(1),
            ]
        with m.Elif(self.resting):
            m.d.sync += ahead.eq(0)
        return m
