"""SLIP (RFC 1055): delimits frames in a byte stream, so that a receiver finds the next one."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["END", "ESC", "ESC_END", "ESC_ESC", "SlipDecoder", "SlipEncoder", "item_layout"]

END = 0xC0
"""Ends a frame; any number of them may stand between frames."""
ESC = 0xDB
ESC_END = 0xDC
"""After ESC: a data byte END."""
ESC_ESC = 0xDD
"""After ESC: a data byte ESC. Any other byte after ESC, END apart, stands for itself."""


def item_layout() -> data.StructLayout:
    """Layout of a byte of a frame, or of the frame's end (``data`` is then meaningless)."""
    return data.StructLayout({"data": 8, "end": 1})


class SlipDecoder(wiring.Component):
    """Undoes the byte stuffing. No latency, throughput 1 byte a cycle.

    Members
    -------
    i : ``In(stream.Signature(8))``
    o : ``Out(stream.Signature(item_layout()))``
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(8)),
            "o": Out(stream.Signature(item_layout())),
        })

    def elaborate(self, platform):
        m = Module()
        escaped = Signal()
        escape = Signal()
        m.d.comb += [
            escape.eq(~escaped & (self.i.payload == ESC)),
            self.o.p.end.eq(self.i.payload == END),
            self.o.p.data.eq(self.i.payload),
            self.o.valid.eq(self.i.valid & ~escape),
            self.i.ready.eq(escape | self.o.ready),
        ]
        with m.If(escaped & (self.i.payload == ESC_END)):
            m.d.comb += self.o.p.data.eq(END)
        with m.If(escaped & (self.i.payload == ESC_ESC)):
            m.d.comb += self.o.p.data.eq(ESC)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += escaped.eq(escape)
        return m


class SlipEncoder(wiring.Component):
    """Stuffs the bytes of frames. No latency, throughput 1 byte a cycle, 2 cycles if stuffed.

    Members
    -------
    i : ``In(stream.Signature(item_layout()))``
    o : ``Out(stream.Signature(8))``
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(item_layout())),
            "o": Out(stream.Signature(8)),
        })

    def elaborate(self, platform):
        m = Module()
        item = self.i.p
        escaped = Signal()  # ESC is out, its second byte is next
        special = Signal()
        m.d.comb += [
            special.eq(~item.end & ((item.data == END) | (item.data == ESC))),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready & (escaped | ~special)),
            self.o.payload.eq(Mux(item.end, END, item.data)),
        ]
        with m.If(special):
            m.d.comb += self.o.payload.eq(
                Mux(escaped, Mux(item.data == END, ESC_END, ESC_ESC), ESC)
            )
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += escaped.eq(special & ~escaped)
        return m
