"""Who uses memory outside the chip: the host, a burst at a time, moves of spikes, and else the stream of weights."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import BURST_BITS
from .external_bus import BEAT_BITS, BURST_BEATS, ExternalBus
from .memories import HostPort

__all__ = ["MOST_BURSTS", "ExternalPort"]

MOST_BURSTS = 5
"""Bursts on their way at once: enough to hide how long a memory takes to answer, and that they are counted late."""


class ExternalPort(wiring.Component):
    """Shares an :class:`ExternalBus`. While the host waits or spikes are moved, the stream's next bursts do.

    Members
    -------
    bus : ``Out(ExternalBus(depth))``
    host : ``In(HostPort(BURST_BITS, depth))``, done : ``Out(1)``
        ``read`` or ``write`` holds until ``done``: the word is there, or taken.
    request : ``In(stream.Signature(address))``
        Bursts that are read for the stream.
    beat_valid, beat : ``Out``
        Their beats.
    resting : ``Out(1)``
        No beats are still to come, other than the host's.
    moving : ``In(1)``, move : ``In(stream.Signature(...))``, move_data : ``In(BURST_BITS)``
        While spikes are moved, bursts that are read or written for them.
    pausing : ``In(1)``, still : ``Out(1)``
        Nothing is to come for the stream. So it is: all has come that it asked for, and it asks for no more while
        ``pausing``.
    arrived : ``Out(1)``, word : ``Out(BURST_BITS)``
        One of them is there (one cycle).
    """

    def __init__(self, depth: int):
        super().__init__({
            "bus": Out(ExternalBus(depth)),
            "host": In(HostPort(BURST_BITS, depth)),
            "done": Out(1),
            "request": In(stream.Signature(ceil_log2(depth))),
            "beat_valid": Out(1),
            "beat": Out(BEAT_BITS),
            "resting": Out(1),
            "moving": In(1),
            "pausing": In(1),
            "still": Out(1),
            "move": In(stream.Signature(data.StructLayout({"write": 1, "address": ceil_log2(depth)}))),
            "move_data": In(BURST_BITS),
            "arrived": Out(1),
            "word": Out(BURST_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        bus, host, request, word = self.bus, self.host, self.bus.request, self.word
        # Host and mover wait anyway: who asks is seen a cycle later, and may be far away.
        asked, moving, room, rested = Signal(), Signal(), Signal(), Signal()
        # Whether a request was taken is known late, and counted a cycle later.
        taken, counting, pending = Signal(), Signal(), Signal(range(MOST_BURSTS * BURST_BEATS + 1))
        rest = Signal()
        # The stream's next burst waits here: who makes it need not know when it is taken.
        held, address = Signal(), Signal.like(self.request.payload)
        m.d.sync += [
            asked.eq(host.read | host.write),
            moving.eq(self.moving | self.pausing),
            room.eq(pending <= (MOST_BURSTS - 3) * BURST_BEATS),  # two may be taken before this is seen
            rested.eq(pending == 0),
            counting.eq(taken),
        ]
        m.d.comb += [
            bus.write_data.eq(Mux(self.moving, self.move_data, host.write_data)),
            self.beat.eq(bus.beat),
            self.resting.eq(rest & ~held),
            rest.eq((pending == 0) & ~counting),
            self.request.ready.eq(~held),
            host.read_data.eq(word),
        ]
        beats = Signal(range(BURST_BEATS))
        m.d.sync += self.arrived.eq(0)
        with m.If(self.request.valid & ~held):
            m.d.sync += [held.eq(1), address.eq(self.request.payload)]

        coming = Signal(range(BURST_BEATS + 1))
        m.d.comb += coming.eq(Mux(counting, BURST_BEATS, 0))
        with m.FSM():
            with m.State("STREAM"):
                own = ~asked & ~moving & room
                m.d.comb += [
                    request.p.address.eq(address),
                    request.valid.eq(held & own),
                    taken.eq(request.valid & request.ready),
                    self.beat_valid.eq(bus.beat_valid),
                ]
                m.d.sync += [pending.eq(pending + coming - bus.beat_valid), beats.eq(BURST_BEATS - 1)]
                with m.If(taken):
                    m.d.sync += held.eq(0)
                with m.If(rested & rest):
                    with m.If(asked):
                        m.next = "HOST"
                    with m.Elif(moving):
                        m.next = "MOVE"

            with m.State("MOVE"):
                m.d.comb += [
                    self.still.eq(moving),
                    request.payload.eq(self.move.payload),
                    request.valid.eq(self.move.valid & room),
                    self.move.ready.eq(request.ready & room),
                    taken.eq(request.valid & request.ready & ~request.p.write),
                ]
                m.d.sync += pending.eq(pending + coming - bus.beat_valid)
                with m.If(bus.beat_valid):
                    m.d.sync += [word.eq(Cat(word[BEAT_BITS:], bus.beat)), beats.eq(beats - 1)]
                    m.d.sync += self.arrived.eq(beats == 0)
                # What a STOP left on its way still comes.
                with m.If(~self.moving & ~self.pausing & rested & rest):
                    m.next = "STREAM"

            with m.State("HOST"):
                m.d.comb += [
                    request.p.address.eq(host.address), request.p.write.eq(host.write), request.valid.eq(1),
                ]
                m.d.sync += beats.eq(BURST_BEATS - 1)
                with m.If(request.ready):
                    m.d.comb += self.done.eq(host.write)
                    m.next = "READ"
                    with m.If(host.write):
                        m.next = "REST"

            with m.State("READ"), m.If(bus.beat_valid):
                m.d.sync += [word.eq(Cat(word[BEAT_BITS:], bus.beat)), beats.eq(beats - 1)]
                with m.If(beats == 0):
                    m.next = "DONE"

            with m.State("DONE"):
                m.d.comb += self.done.eq(1)
                m.next = "REST"

            with m.State("REST"):  # what asked sees that it is done
                m.next = "STREAM"
        return m
