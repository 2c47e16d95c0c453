"""A MockCore behind the device's serial port, and a host's serial port before it: bytes that are not taken are lost."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from mock_device import MockCore
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.link import Link
from spikeplane_hw.uart import Uart

__all__ = ["UartDevice"]

DIVISOR = 10
"""Cycles a bit: a board has twice as many or more."""


class UartDevice(wiring.Component):
    """Same members as spikeplane_hw.device.Device; bytes go over a line in both directions, at its speed."""

    def __init__(self, config: CoreConfig):
        self.config = config
        super().__init__({
            "rx": In(stream.Signature(8)), "tx": Out(stream.Signature(8)), "busy": Out(1), "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = Link(self.config)
        m.submodules.core = core = MockCore(self.config)
        m.submodules.host = host = Uart(DIVISOR)
        m.submodules.board = board = Uart(DIVISOR)
        connect(m, flipped(self.rx), host.tx)
        connect(m, host.rx, flipped(self.tx))
        connect(m, board.rx, link.rx)
        connect(m, link.tx, board.tx)
        connect(m, link.bus, core.bus)
        connect(m, link.events, core.events)
        m.d.comb += [host.rx_line.eq(board.tx_line), board.rx_line.eq(host.tx_line), self.busy.eq(core.bus.busy)]
        # At rest once nothing has moved for longer than a byte takes.
        left = Signal(range(16 * DIVISOR + 1))
        m.d.sync += left.eq(left - (left != 0))
        with m.If(self.rx.valid | ~host.tx.ready | ~board.tx.ready | board.rx.valid | ~link.idle):
            m.d.sync += left.eq(16 * DIVISOR)
        m.d.comb += self.idle.eq(left == 0)
        return m
