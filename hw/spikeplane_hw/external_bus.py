"""The bus between a core and memory outside the chip: bursts are read and written, one request after the other."""

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import BURST_BITS

__all__ = ["BEAT_BITS", "BURST_BEATS", "ExternalBus"]

BEAT_BITS = 16
"""Bits that come in a cycle."""
BURST_BEATS = BURST_BITS // BEAT_BITS


class ExternalBus(wiring.Signature):
    """Access to memory of ``depth`` bursts of BURST_BITS, seen from the core.

    1. A request is taken in the cycle ``request`` has ``valid`` and ``ready``; of one that writes, ``write_data``
       is what the burst is to hold, lowest bits first.
    2. What is read comes in the order of the requests, BURST_BEATS beats each, one in every cycle ``beat_valid``
       is high, lowest bits first; it cannot be held back.
    3. A burst that is read after it was written has what was written.
    """

    def __init__(self, depth: int):
        self.depth = depth
        super().__init__({
            "request": Out(stream.Signature(data.StructLayout({"write": 1, "address": ceil_log2(depth)}))),
            "write_data": Out(BURST_BITS),
            "beat_valid": In(1),
            "beat": In(BEAT_BITS),
        })
