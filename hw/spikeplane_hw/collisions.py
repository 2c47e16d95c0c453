"""Simulation of what block RAM leaves undefined: a word that is read while it is being written."""

from amaranth import Elaboratable, Module, Mux, Shape, Signal, Value
from amaranth.hdl import Fragment, MemoryInstance
from amaranth.lib.memory import Memory

from .synthesis import COLLISIONS_UNDEFINED

__all__ = ["collide"]


class CollidingMemories:
    """A platform: memories marked COLLISIONS_UNDEFINED give garbage where a read and a write collide.

    The garbage is the word before with all bits inverted, for as long as the read port holds it: neither the
    old word nor, in general, the new one.
    """

    def get_memory(self, memory: Memory):
        """Return the implementation of ``memory``; Amaranth calls this."""
        m = Module()
        instance = MemoryInstance(data=memory.data, attrs=memory.attrs, src_loc=memory.src_loc)
        writes = {
            port: instance.write_port(domain=port.domain, addr=port.addr, data=port.data, en=port.en)
            for port in memory.write_ports
        }
        undefined = memory.attrs.items() >= COLLISIONS_UNDEFINED.items()
        for index, port in enumerate(memory.read_ports):
            word = Signal(Shape.cast(memory.shape).width, name=f"word_{index}")
            instance.read_port(
                domain=port.domain, data=word, addr=port.addr, en=port.en,
                transparent_for=[writes[write] for write in port.transparent_for],
            )
            collided = Signal(name=f"collided_{index}")
            if undefined and port.domain != "comb":
                with m.If(port.en):
                    m.d[port.domain] += collided.eq(
                        sum((write.en.any() & (write.addr == port.addr) for write in writes), start=0) != 0
                    )
            m.d.comb += Value.cast(port.data).eq(Mux(collided, ~word, word))
        m.submodules.instance = instance
        return m


def collide(component: Elaboratable) -> Fragment:
    """Return the elaborated ``component``, its memories as in :class:`CollidingMemories`."""
    return Fragment.get(component, CollidingMemories())
