"""The checksum of frames, CRC-32 as in Ethernet, over bytes."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_ETHERNET
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .frame import CRC_BYTES

__all__ = ["Checksum"]


class Checksum(wiring.Component):
    """Sums a byte up in ``8 / bits`` cycles.

    Members
    -------
    start : ``In(1)``
        The next byte is the first one.
    data, valid : ``In``
        A byte; it holds until ``ready``.
    ready : ``Out(1)``
        The byte is taken in this cycle if ``valid``.
    sum : ``Out(8 * CRC_BYTES)``
        Of the bytes taken.
    match : ``Out(1)``
        The last bytes were the sum of those before.
    """

    def __init__(self, bits: int):
        self.bits = bits
        super().__init__({
            "start": In(1), "data": In(8), "valid": In(1), "ready": Out(1), "sum": Out(8 * CRC_BYTES), "match": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = CRC32_ETHERNET(data_width=self.bits).create()
        part = Signal(exact_log2(8 // self.bits))  # of the byte, lowest first
        m.d.comb += [
            crc.start.eq(self.start),
            crc.data.eq(self.data.word_select(part, self.bits)),
            crc.valid.eq(self.valid),
            self.ready.eq(part == 8 // self.bits - 1),
            self.sum.eq(crc.crc),
            self.match.eq(crc.match_detected),
        ]
        with m.If(self.valid):
            m.d.sync += part.eq(part + 1)
        return m
