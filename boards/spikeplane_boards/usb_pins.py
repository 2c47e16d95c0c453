"""USB on a board's own pins: clocks, lines and the pull-up around the serial port over USB."""

from amaranth import ClockDomain, ClockSignal, Module, Signal
from amaranth.build import ResourceError
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer

from .families import ECP5, family_of
from .usb_serial import SAMPLES_A_BIT, UsbSerial

__all__ = ["BIT_RATE", "usb_port"]

BIT_RATE = 12e6
"""Bits a second at full speed."""
RATE_ERROR = 0.0025
"""Largest deviation of a device's bit rate."""


def usb_port(m: Module, platform, oscillator) -> UsbSerial:
    """Add a serial port over USB with its clocks and pins; return it.

    Raises ValueError if the board cannot have one.
    """
    board = type(platform).__name__
    if family_of(platform) is not ECP5:
        raise ValueError(f"usb: {board} must have an ECP5, whose PLL makes both clocks of USB")
    try:
        pins = platform.request("usb", dir="-")
    except ResourceError:
        raise ValueError(f"usb: {board} has no USB connector on the FPGA's own pins") from None
    if len(pins.pullup) != 1:
        raise ValueError(f"usb: {board} must have one pull-up, of D+, not {len(pins.pullup)}")
    add_clocks(m, platform, oscillator)
    m.submodules.usb = port = UsbSerial()
    m.submodules.usb_d_p = d_p = io.Buffer("io", pins.d_p)
    m.submodules.usb_d_n = d_n = io.Buffer("io", pins.d_n)
    m.submodules.usb_pullup = pullup = io.Buffer("o", pins.pullup)
    m.d.comb += [
        port.d_p_i.eq(d_p.i), d_p.o.eq(port.d_p_o), d_p.oe.eq(port.oe),
        port.d_n_i.eq(d_n.i), d_n.o.eq(port.d_n_o), d_n.oe.eq(port.oe),
        pullup.o.eq(port.pullup),
    ]
    return port


def add_clocks(m: Module, platform, oscillator) -> None:
    """Add the domains ``usb_io`` and ``usb``, which are in reset until their PLL is locked."""
    source = platform.default_clk_frequency
    pll = ECP5.pll.create(source, BIT_RATE * SAMPLES_A_BIT)
    error = abs(pll.output / (BIT_RATE * SAMPLES_A_BIT) - 1)
    if error > RATE_ERROR:
        raise ValueError(
            f"usb: the clock must be within {RATE_ERROR:.2%} of {BIT_RATE * SAMPLES_A_BIT / 1e6:g} MHz, which no PLL "
            f"makes of {source / 1e6:g} MHz: the nearest is {error:.2%} off"
        )
    usb_io_clock = Signal()
    usb_clock = Signal()
    locked = Signal()
    m.submodules.usb_pll = pll.instance(oscillator, usb_io_clock, locked, slower=usb_clock, ratio=SAMPLES_A_BIT)
    for name, clock, frequency in (
        ("usb_io", usb_io_clock, pll.output), ("usb", usb_clock, pll.output / SAMPLES_A_BIT)
    ):
        m.domains += ClockDomain(name)
        m.d.comb += ClockSignal(name).eq(clock)
        m.submodules += ResetSynchronizer(~locked, domain=name)
        platform.add_clock_constraint(clock, frequency)
