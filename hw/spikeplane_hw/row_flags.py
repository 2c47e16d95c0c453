"""The row flags: which rows of the maps hold a spike."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import CoreConfig
from .synthesis import COLLISIONS_UNDEFINED

__all__ = ["RowFlags", "flag_write"]


def flag_write(config: CoreConfig) -> wiring.Signature:
    """Return the signature of a flag that is set or cleared in a cycle with ``enable``, seen from who does it."""
    return wiring.Signature({"enable": Out(1), "address": Out(ceil_log2(config.row_flag_count))})


class RowFlags(wiring.Component):
    """A memory of a bit for each row, written a cycle after it is told to.

    Members
    -------
    busy : ``In(1)``
        A run is under way: ``spikes`` sets flags, else ``events`` does.
    clear, clear_layer : ``In(flag_write(config))``
        With the input map, and before a layer; the first goes before the second, and both before others.
    spikes, events : ``In(flag_write(config))``
        Set.
    address, enable, data
        Read port, one cycle latency.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        super().__init__({
            "busy": In(1),
            **{name: In(flag_write(config)) for name in ("clear", "clear_layer", "spikes", "events")},
            "address": In(ceil_log2(config.row_flag_count)),
            "enable": In(1),
            "data": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=1, depth=self.config.row_flag_count, init=[], attrs=COLLISIONS_UNDEFINED
        )
        read, write = memory.read_port(), memory.write_port()
        m.d.comb += [read.addr.eq(self.address), read.en.eq(self.enable), self.data.eq(read.data)]
        sets = Signal()
        enable, address = Signal(), Signal.like(self.address)
        with m.If(self.clear.enable):
            m.d.comb += [address.eq(self.clear.address), enable.eq(1)]
        with m.Elif(self.clear_layer.enable):
            m.d.comb += [address.eq(self.clear_layer.address), enable.eq(1)]
        with m.Elif(self.busy):
            m.d.comb += [address.eq(self.spikes.address), enable.eq(self.spikes.enable), sets.eq(1)]
        with m.Else():
            m.d.comb += [address.eq(self.events.address), enable.eq(self.events.enable), sets.eq(1)]
        m.d.sync += [write.addr.eq(address), write.en.eq(enable), write.data.eq(sets)]
        return m
