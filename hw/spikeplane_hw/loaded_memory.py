"""Memories that the host fills and the core reads: its program, and what the passes of a layer are."""

from amaranth import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from . import memory_map
from .memories import HostPort
from .synthesis import COLLISIONS_UNDEFINED

__all__ = ["LoadedMemory"]


class LoadedMemory(wiring.Component):
    """A memory of one space.

    Members
    -------
    busy : ``In(1)``
        The core reads, else the host.
    address, data
        Read port of the core, one cycle latency.
    host : ``In(HostPort(width, depth))``
    """

    def __init__(self, space: memory_map.Memory):
        self.space = space
        super().__init__({
            "busy": In(1),
            "address": In(ceil_log2(space.depth)),
            "data": Out(space.width),
            "host": In(HostPort(space.width, space.depth)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self.space.width, depth=self.space.depth, init=[], attrs=COLLISIONS_UNDEFINED
        )
        read, write = memory.read_port(), memory.write_port()
        m.d.comb += [
            read.addr.eq(Mux(self.busy, self.address, self.host.address)),
            self.data.eq(read.data),
            self.host.read_data.eq(read.data),
            write.addr.eq(self.host.address),
            write.data.eq(self.host.write_data),
            write.en.eq(self.host.write),
        ]
        return m
