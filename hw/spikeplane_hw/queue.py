"""A stream buffer with one layout on both ends."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from .synthesis import COLLISIONS_UNDEFINED

__all__ = ["Queue"]

BLOCK_RAM_DEPTH = 32
"""From this depth on, payloads are in block RAM: small parts have no other memory than registers."""


class Queue(wiring.Component):
    """First-in first-out buffer of ``depth`` payloads, a power of two, or 0: only wires.

    Throughput 1 payload a cycle. Latency 1 cycle, 2 cycles from BLOCK_RAM_DEPTH on.

    Members
    -------
    i : ``In(stream.Signature(layout))``
    o : ``Out(stream.Signature(layout))``
    level : ``Out(range(depth + 1))``
        At least the payloads held: ``depth`` less this are taken whatever happens at ``o``.
    """

    def __init__(self, layout, depth: int):
        self.depth = depth
        self.layout = layout
        super().__init__({
            "i": In(stream.Signature(layout)),
            "o": Out(stream.Signature(layout)),
            "level": Out(range(depth + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        if self.depth == 0:
            connect(m, flipped(self.i), flipped(self.o))
        elif self.depth == 1:
            self.elaborate_register(m)
        elif self.depth < BLOCK_RAM_DEPTH:
            self.elaborate_registers(m)
        else:
            self.elaborate_block_ram(m)
        return m

    def elaborate_register(self, m: Module):
        """Add a register that takes a payload in the cycle in which it gives one away."""
        m.d.comb += [self.i.ready.eq(~self.o.valid | self.o.ready), self.level.eq(self.o.valid)]
        with m.If(self.i.ready):
            m.d.sync += [self.o.payload.eq(self.i.payload), self.o.valid.eq(self.i.valid)]

    def elaborate_registers(self, m: Module):
        """Add a buffer whose payload at ``o`` is read without a clock."""
        m.submodules.fifo = fifo = SyncFIFO(width=self.layout.size, depth=self.depth)
        m.d.comb += [
            fifo.w_data.eq(self.i.payload),
            fifo.w_en.eq(self.i.valid),
            self.i.ready.eq(fifo.w_rdy),
            self.o.payload.eq(fifo.r_data),
            self.o.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(self.o.ready),
            self.level.eq(fifo.level),
        ]

    def elaborate_block_ram(self, m: Module):
        """Add a ring of one payload less than ``depth``, and that at ``o`` in the read register."""
        m.submodules.memory = memory = Memory(
            shape=self.layout.size, depth=self.depth, init=[], attrs=COLLISIONS_UNDEFINED
        )
        write, read = memory.write_port(), memory.read_port()
        # A payload is read a cycle after it was written at the earliest, so the two never collide.
        move = Signal()
        used = Signal(ceil_log2(self.depth))
        m.d.comb += [
            used.eq(write.addr - read.addr),
            self.level.eq(used + 1),
            self.i.ready.eq(~used.all()),
            write.en.eq(self.i.valid & self.i.ready),
            write.data.eq(self.i.payload),
            move.eq((used != 0) & (~self.o.valid | self.o.ready)),
            read.en.eq(move),
            self.o.payload.eq(read.data),
        ]
        m.d.sync += [
            write.addr.eq(write.addr + write.en),
            read.addr.eq(read.addr + move),
            self.o.valid.eq(move | (self.o.valid & ~self.o.ready)),
        ]
