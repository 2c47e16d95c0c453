"""What a board is: its platform, configuration and clock, and the design that goes onto it."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth import ClockDomain, ClockSignal, Elaboratable, Module, ResetSignal, Signal
from amaranth.build import Platform
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.device import Device
from spikeplane_hw.sdram import Sdram
from spikeplane_hw.sdram_chip import SdramChip
from spikeplane_hw.uart import Uart, divisor

from .families import family_of
from .sdram_phy import INPUT_LATENCY, SdramPhy
from .usb_pins import usb_port

__all__ = ["Board", "Top"]

START_DELAY = 20e-6
"""Seconds in reset after the clock is stable: iCE40 block RAM reads as zeros in the first 3 us."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """A supported board."""

    name: str
    title: str
    platform: Callable[[], Platform]
    """Creates the platform from amaranth-boards."""
    config: CoreConfig
    clock: float
    """Frequency of the core, Hz, made by the PLL of the board's oscillator."""
    baud: int
    usb: bool = False
    """Whether the host is at a USB connector on the FPGA's own pins, not at the serial port."""
    memory: SdramChip | None = None
    """Its SDRAM, which a configuration with memory outside the chip needs."""
    programmer: str
    """Name of the board in openFPGALoader."""
    synthesis: str
    """Options of the synthesis command."""
    placing: str = ""
    """Options of placing and routing."""
    seed: int = 1
    """Where placing starts."""

    def __post_init__(self):
        divisor(self.clock, self.baud)
        if self.config.external_depth and self.memory is None:
            raise ValueError(f"{self.name}: {self.config.name} has memory outside the chip, the board names none")


class Top(Elaboratable):
    """A device behind a serial port, or one over USB, with the board's PLLs and reset.

    ``device`` is any component with the byte streams of :class:`Device`.
    """

    def __init__(self, board: Board, device: wiring.Component | None = None):
        self.board = board
        self.device = device or Device(board.config)

    def elaborate(self, platform):
        m = Module()
        oscillator = family_of(platform).add_oscillator(m, platform)
        clock = self.elaborate_clock(m, platform, oscillator)
        m.submodules.device = device = self.device
        if "external" in device.signature.members:
            m.submodules.sdram = sdram = Sdram(
                self.board.memory, clock, depth=self.board.config.external_depth, input_latency=INPUT_LATENCY
            )
            m.submodules.phy = phy = SdramPhy(self.board.memory)
            wiring.connect(m, device.external, sdram.bus)
            wiring.connect(m, sdram.pins, phy.pins)
        port = usb_port(m, platform, oscillator) if self.board.usb else self.serial_port(m, platform, clock)
        wiring.connect(m, port.rx, device.rx)
        wiring.connect(m, device.tx, port.tx)
        return m

    def serial_port(self, m: Module, platform, clock: float) -> Uart:
        """Add the serial port and its pins; return it."""
        m.submodules.uart = uart = Uart(divisor(clock, self.board.baud))
        pins = platform.request("uart", dir="-")
        m.submodules.rx_buffer = rx_buffer = io.Buffer("i", pins.rx)
        m.submodules.tx_buffer = tx_buffer = io.Buffer("o", pins.tx)
        m.d.comb += [uart.rx_line.eq(rx_buffer.i), tx_buffer.o.eq(uart.tx_line)]
        return uart

    def elaborate_clock(self, m: Module, platform, oscillator) -> float:
        """Add PLL, clock and reset; return the clock's frequency."""
        clock = Signal()
        locked = Signal()
        pll = family_of(platform).pll.create(platform.default_clk_frequency, self.board.clock)
        m.submodules.pll = pll.instance(oscillator, clock, locked)
        platform.add_clock_constraint(clock, pll.output)

        # `start` is the core's clock without its reset.
        m.domains.start = ClockDomain(reset_less=True, local=True)
        m.domains.sync = ClockDomain()
        locked_in_start = Signal()
        m.submodules.locked = FFSynchronizer(locked, locked_in_start, o_domain="start")
        delay = Signal(range(int(START_DELAY * pll.output) + 1))
        started = Signal()
        m.d.comb += [
            ClockSignal("start").eq(clock),
            ClockSignal("sync").eq(clock),
            ResetSignal("sync").eq(~started),
        ]
        with m.If(~locked_in_start):
            m.d.start += [delay.eq(delay.init), started.eq(0)]
        with m.Elif(delay == int(START_DELAY * pll.output)):
            m.d.start += started.eq(1)
        with m.Else():
            m.d.start += delay.eq(delay + 1)
        return pll.output
