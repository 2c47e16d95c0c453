"""A serial port: bytes in and out, 8 data bits, no parity, one stop bit."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["Uart", "divisor"]

BAUD_ERROR = 0.025
"""Largest deviation from the baud rate: a frame of 10 bits then stays within half a bit, with the
same error at the other end."""
SMALLEST_DIVISOR = 4


def divisor(clock: float, baud: int) -> int:
    """Return how many cycles of ``clock``, Hz, a bit takes at ``baud`` bits per second."""
    cycles = round(clock / baud)
    if cycles < SMALLEST_DIVISOR:
        raise ValueError(
            f"baud must be at most {int(clock / SMALLEST_DIVISOR)} with a clock of {clock:.0f} Hz, "
            f"not {baud!r}"
        )
    error = abs(clock / cycles / baud - 1)
    if error > BAUD_ERROR:
        raise ValueError(
            f"baud must be within {BAUD_ERROR:.1%} of a fraction of {clock:.0f} Hz, not {baud!r}: "
            f"{cycles} cycles are {error:.1%} off"
        )
    return cycles


class Uart(wiring.Component):
    """Serial port with one byte of buffer in each direction.

    Members
    -------
    rx_line, tx_line : ``In(1)``, ``Out(1)``
        The wires; ``rx_line`` may be asynchronous.
    rx : ``Out(stream.Signature(8))``
        Bytes received. A byte that is not taken before the next one is complete holds; the next one
        is dropped. A byte without a stop bit is dropped.
    tx : ``In(stream.Signature(8))``
        Bytes to send.
    """

    def __init__(self, divisor: int):
        if divisor < SMALLEST_DIVISOR:
            raise ValueError(f"divisor must be at least {SMALLEST_DIVISOR}, not {divisor!r}")
        self.divisor = divisor
        super().__init__({
            "rx_line": In(1, init=1),
            "tx_line": Out(1, init=1),
            "rx": Out(stream.Signature(8)),
            "tx": In(stream.Signature(8)),
        })

    def elaborate(self, platform):
        m = Module()
        self.elaborate_receiver(m)
        self.elaborate_transmitter(m)
        return m

    def elaborate_receiver(self, m: Module):
        """Add the receiver: bits are sampled in their middle."""
        line = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx_line, line, init=1)
        timer = Signal(range(self.divisor))
        bits = Signal(range(10))
        shifted = Signal(9)
        with m.If(self.rx.ready):
            m.d.sync += self.rx.valid.eq(0)
        with m.FSM():
            with m.State("WAIT"):
                m.d.sync += [timer.eq(self.divisor // 2 - 1), bits.eq(0)]
                with m.If(~line):
                    m.next = "START"
            with m.State("START"):
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 0):
                    m.d.sync += timer.eq(self.divisor - 1)
                    m.next = "WAIT"
                    with m.If(~line):
                        m.next = "RECEIVE"
            with m.State("RECEIVE"):
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 0):
                    m.d.sync += [
                        timer.eq(self.divisor - 1),
                        bits.eq(bits + 1),
                        shifted.eq(Cat(shifted[1:], line)),
                    ]
                    with m.If(bits == 8):
                        with m.If(line & (~self.rx.valid | self.rx.ready)):
                            m.d.sync += [self.rx.p.eq(shifted[1:]), self.rx.valid.eq(1)]
                        m.next = "IDLE"
            with m.State("IDLE"), m.If(line):  # a line held low is not a start bit
                m.next = "WAIT"

    def elaborate_transmitter(self, m: Module):
        """Add the transmitter."""
        timer = Signal(range(self.divisor))
        bits = Signal(range(11))
        shifted = Signal(9, init=0x1FF)
        m.d.comb += [self.tx.ready.eq(bits == 0), self.tx_line.eq(shifted[0])]
        with m.If(bits != 0):
            m.d.sync += timer.eq(timer - 1)
            with m.If(timer == 0):
                m.d.sync += [
                    timer.eq(self.divisor - 1), bits.eq(bits - 1), shifted.eq(Cat(shifted[1:], 1)),
                ]
        with m.Elif(self.tx.valid):
            m.d.sync += [
                shifted.eq(Cat(Const(0, 1), self.tx.p)), bits.eq(10), timer.eq(self.divisor - 1),
            ]
