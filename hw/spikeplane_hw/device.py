"""The device: the core behind its host link."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .config import CoreConfig
from .core import Core
from .external_bus import ExternalBus
from .link import Link

__all__ = ["Device"]


class Device(wiring.Component):
    """What a board puts behind its serial port, and what the simulated board simulates.

    Members
    -------
    rx : ``In(stream.Signature(8))``
        Bytes from the host; a byte that is not taken in time may be dropped, the host repeats.
    tx : ``Out(stream.Signature(8))``
        Bytes to the host.
    busy : ``Out(1)``
        The core is running or clearing its input map.
    idle : ``Out(1)``
        No request is being executed or answered.
    external : ``Out(ExternalBus(config.external_depth))``
        Only of a core with memory outside the chip.
    """

    rx: stream.Interface
    tx: stream.Interface
    busy: Signal
    idle: Signal

    def __init__(self, config: CoreConfig):
        self.config = config
        super().__init__({
            "rx": In(stream.Signature(8)),
            "tx": Out(stream.Signature(8)),
            "busy": Out(1),
            "idle": Out(1),
            **({"external": Out(ExternalBus(config.external_depth))} if config.external_depth else {}),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = Link(self.config)
        m.submodules.core = core = Core(self.config)
        connect(m, flipped(self.rx), link.rx)
        connect(m, link.tx, flipped(self.tx))
        connect(m, link.bus, core.bus)
        connect(m, link.events, core.events)
        if self.config.external_depth:
            connect(m, core.external, flipped(self.external))
        m.d.comb += [self.busy.eq(core.bus.busy), self.idle.eq(link.idle)]
        return m
