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
    external_done : ``In(1)``
        Only with memory outside the chip, whose port keeps ``read`` or ``write`` until this cycle: it took what is
        written, or has the word.
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
            **({"external_done": In(1)} if Space.EXTERNAL in self.spaces else {}),
        })

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        busy = Signal()
        m.d.comb += bus.busy.eq(self.busy)
        m.d.sync += busy.eq(self.busy)
        reading, writing = Signal(HOST_READ_LATENCY + 2), Signal(2)
        m.d.sync += [reading.eq(Cat(bus.read, reading)), writing.eq(Cat(bus.write, writing))]
        m.d.comb += [bus.read_valid.eq(reading[-1]), bus.written.eq(writing[-1])]
        if Space.EXTERNAL in self.spaces:
            self.elaborate_external(m, busy, reading, writing)

        words = {}
        for space, memory in self.spaces.items():
            port = getattr(self, space.name.lower())
            words[space] = port.read_data
            m.d.comb += port.address.eq(bus.address)
            if space is Space.EXTERNAL:
                m.d.comb += port.write_data.eq(written_word(bus.write_data, memory))
                continue
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

    def elaborate_external(self, m: Module, busy, reading, writing):
        """Add accesses that last until memory outside the chip is done with them."""
        bus, port = self.bus, self.external
        selected, answered = Signal(), Signal()
        m.d.comb += selected.eq(bus.space == Space.EXTERNAL)
        m.d.sync += answered.eq(self.external_done & port.read)
        with m.If(selected):
            m.d.sync += [reading.eq(0), writing.eq(0)]
            m.d.comb += [bus.read_valid.eq(answered), bus.written.eq(self.external_done & port.write)]
            # While the core is busy, words are unspecified and nothing is written.
            with m.If(busy & (bus.read | bus.write)):
                m.d.sync += [answered.eq(bus.read), writing.eq(Cat(bus.write, bus.write))]
            with m.If(writing[-1]):
                m.d.comb += bus.written.eq(1)
        with m.If(self.external_done):
            m.d.sync += [port.read.eq(0), port.write.eq(0)]
        with m.If(selected & ~busy):
            with m.If(bus.read):
                m.d.sync += port.read.eq(1)
            with m.If(bus.write):
                m.d.sync += port.write.eq(1)
