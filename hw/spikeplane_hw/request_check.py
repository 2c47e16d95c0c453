"""Which requests of the host are executed, and why others are refused."""

from amaranth import Module, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .config import CoreConfig
from .descriptor import event_layout
from .frame import Command, Status, request_layout
from .host_bus import HostBus
from .memory_map import Space, memory_map

__all__ = ["RequestCheck", "transfer_bytes"]


def transfer_bytes(config: CoreConfig) -> int:
    """Return the bytes of the longest word or event on the link."""
    return max(event_layout().size // 8, *(space.word_bytes for space in memory_map(config).values()))


class RequestCheck(wiring.Component):
    """Looks at a request whose header is there.

    Members
    -------
    request : ``In(request_layout())``
    busy : ``In(1)``
        Of the host bus.
    last_byte : ``Out(range(transfer_bytes(config)))``
        The last byte of a word or event of the request, in the same cycle.
    refused : ``Out(Status)``
        OK, or why the request is not executed; a cycle after the request is there.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        super().__init__({
            "request": In(request_layout()),
            "busy": In(1),
            "last_byte": Out(range(transfer_bytes(config))),
            "refused": Out(Status),
        })

    def elaborate(self, platform):
        m = Module()
        request = self.request
        spaces = memory_map(self.config)
        is_events = request.command == Command.EVENTS
        is_write = request.command == Command.WRITE
        is_read = request.command == Command.READ

        # What the space of the request is like.
        depth = Signal(range(max(space.depth for space in spaces.values()) + 1))
        read_only = Signal()
        with m.Switch(request.space):
            for space, memory in spaces.items():
                with m.Case(space):
                    m.d.comb += [
                        self.last_byte.eq(memory.word_bytes - 1),
                        depth.eq(memory.depth),
                        read_only.eq(not memory.writable),
                    ]
        with m.If(is_events):
            m.d.comb += self.last_byte.eq(event_layout().size // 8 - 1)

        width = Shape.cast(HostBus(self.config).members["address"].shape).width
        beyond = Signal()
        m.d[self.config.wire_domain] += beyond.eq(
            request.address[width:].any() | (request.address[:width] + request.count > depth)
        )
        with m.If(~(is_events | is_write | is_read)):
            m.d.comb += self.refused.eq(Status.BAD_COMMAND)
        with m.Elif(~is_events & beyond):
            m.d.comb += self.refused.eq(Status.BAD_ADDRESS)
        with m.Elif(is_write & read_only):
            m.d.comb += self.refused.eq(Status.READ_ONLY)
        with m.Elif(self.busy & (is_events | (request.space != Space.REGISTERS))):
            m.d.comb += self.refused.eq(Status.BUSY)
        return m
