"""Host access to all memories of a core, each through a port of its own."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .config import CoreConfig
from .host_bus import HostBus, written_word
from .memories import HOST_READ_LATENCY, HostPort
from .memory_map import Space, memory_map

__all__ = ["HostAccess"]

EARLY = (Space.PROGRAM, Space.PASSES, Space.COUNTERS)
"""Memories whose words come straight from block RAM."""
NEAR = (Space.REGISTERS, Space.SPIKES, *EARLY)
"""Spaces whose words are there early, and are chosen from a cycle before the others."""


class HostAccess(wiring.Component):
    """Takes accesses on the host bus to the ports of their spaces, as :class:`HostBus` promises.

    Members
    -------
    bus : ``In(HostBus(config))``
        Its ``busy`` is ``busy``.
    busy : ``In(1)``
    registers, program ... : ``Out(HostPort(...))``
        A port for each space that has words, by its name; a read lasts until it is answered. Only REGISTERS is
        written while the core is busy.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        self.spaces = {space: memory for space, memory in memory_map(config).items() if memory.depth}
        super().__init__({
            "bus": In(HostBus(config)),
            "busy": In(1),
            **{
                space.name.lower(): Out(HostPort(memory.width, memory.depth, writable=memory.writable))
                for space, memory in self.spaces.items()
            },
        })

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        busy = Signal()
        m.d.comb += bus.busy.eq(self.busy)
        m.d.sync += busy.eq(self.busy)
        reading = Signal(HOST_READ_LATENCY + 2)
        m.d.sync += reading.eq(Cat(bus.read, reading))
        m.d.comb += bus.read_valid.eq(reading[-1])

        words = {}
        for space, memory in self.spaces.items():
            port = getattr(self, space.name.lower())
            words[space] = port.read_data
            m.d.comb += port.address.eq(bus.address)
            # A register for each memory, which lies where it may.
            m.d.sync += port.read.eq((bus.read | reading[:-1].any()) & ~busy & (bus.space == space))
            if memory.writable:
                allowed = ~busy | (space is Space.REGISTERS)
                m.d.comb += port.write_data.eq(written_word(bus.write_data, memory))
                m.d.sync += port.write.eq(bus.write & (bus.space == space) & allowed)
            if space in EARLY:
                words[space] = Signal(memory.width, name=f"local_{space.name.lower()}")
                m.d[self.config.wire_domain] += words[space].eq(port.read_data)

        near = Signal(max(len(word) for space, word in words.items() if space in NEAR))
        with m.Switch(bus.space):
            for space, word in words.items():
                if space in NEAR:
                    with m.Case(space):
                        m.d.sync += near.eq(word)
        with m.Switch(bus.space):
            for space, word in words.items():
                if space not in NEAR:
                    with m.Case(space):
                        m.d.sync += bus.read_data.eq(word)
            with m.Default():
                m.d.sync += bus.read_data.eq(near)
        return m
