"""Controller of SDR SDRAM: initialization, refresh, and bursts of an open row one behind the other."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from .config import BURST_BITS
from .external_bus import BEAT_BITS, BURST_BEATS, ExternalBus
from .sdram_chip import SdramChip, SdramCommand, SdramPins

__all__ = ["Sdram"]

START_REFRESHES = 8
"""REFRESH commands of the initialization."""
ALL_BANKS = 1 << 10
"""Address of a PRECHARGE of all banks."""


class Sdram(wiring.Component):
    """Serves an :class:`ExternalBus` from a chip.

    One row is open at a time, and stays so until another one is asked for or a refresh is due: bursts of a row
    follow each other without a gap. Commands leave through registers; ``pins.read_data`` is there ``CL`` cycles
    after the command's cycle on the pins, or ``input_latency`` more.

    Members
    -------
    bus : ``In(ExternalBus(depth))``
        By default all that the chip holds. Nothing is taken before the chip is initialized.
    pins : ``Out(SdramPins(chip))``
    """

    def __init__(self, chip: SdramChip, clock: float, *, depth: int | None = None, input_latency: int = 0):
        depth = chip.depth if depth is None else depth
        if depth > chip.depth:
            raise ValueError(f"{chip.name}: {depth} bursts of {BURST_BITS} bits were asked for, it holds {chip.depth}")
        self.chip = chip
        self.times = chip.times(clock)
        self.input_latency = input_latency
        super().__init__({"bus": In(ExternalBus(depth)), "pins": Out(SdramPins(chip))})

    def elaborate(self, platform):
        m = Module()
        chip, times, pins, request = self.chip, self.times, self.pins, self.bus.request

        # A request waits in registers, and whether it is for the open row is looked up a cycle ahead: bursts are
        # so long that this takes none of their time.
        held, write, write_data = Signal(), Signal(), Signal.like(self.bus.write_data)
        address = Signal(ceil_log2(chip.depth))
        m.d.comb += request.ready.eq(~held)
        with m.If(request.valid & request.ready):
            m.d.sync += [
                held.eq(1), write.eq(request.p.write), address.eq(request.p.address),
                write_data.eq(self.bus.write_data),
            ]

        # Where a burst is: neighbouring ones lie in a row, neighbouring rows in different banks.
        column_bits = chip.column_bits - exact_log2(BURST_BEATS)
        column = Cat(Const(0, exact_log2(BURST_BEATS)), address[:column_bits])
        bank = address[column_bits:column_bits + chip.bank_bits]
        row = address[column_bits + chip.bank_bits:]
        open_row, open_bank, is_open = Signal(chip.row_bits), Signal(chip.bank_bits), Signal()
        looked, hit = Signal(), Signal()
        m.d.sync += hit.eq(is_open & (row == open_row) & (bank == open_bank))

        # Cycles until a command of its kind may follow; a command stands in the first of them.
        # A row that is closed no earlier than this may be opened again as soon as it is closed.
        row_open = max(times.row_open, times.row_cycle - times.precharge)
        gap = Signal(range(max(times.refresh, times.precharge, times.mode, BURST_BEATS)))
        close = Signal(range(row_open + BURST_BEATS + times.write_recovery))
        turn = Signal(range(BURST_BEATS + chip.cas_latency + 2))
        start, started = Signal(range(times.start + 1), init=times.start), Signal()
        m.d.sync += started.eq(start == 0)
        for left in (gap, close, turn, start):
            with m.If(left != 0):
                m.d.sync += left.eq(left - 1)

        interval = Signal(range(times.refresh_interval))
        due = Signal()
        m.d.sync += interval.eq(interval - 1)
        with m.If(interval == 0):
            m.d.sync += [interval.eq(times.refresh_interval - 1), due.eq(1)]

        # What is decided stops in registers on its way to the pins: they are far, and so are the beats that follow it.
        command, issued = Signal(SdramCommand), Signal(SdramCommand)
        on_bank, on_address = Signal.like(pins.bank), Signal.like(pins.address)
        m.d.sync += [
            looked.eq(held & (command == SdramCommand.NOP)),
            issued.eq(command),
            on_bank.eq(bank),
            on_address.eq(Mux(command == SdramCommand.ACTIVATE, row, column)),
            pins.command.eq(issued),
            pins.bank.eq(on_bank),
            pins.address.eq(on_address),
        ]

        def issue(what: SdramCommand, following: int):
            """Issue a command; none follows for ``following`` cycles."""
            m.d.comb += command.eq(what)
            m.d.sync += gap.eq(following - 1)

        refreshes = Signal(range(START_REFRESHES + 1), init=START_REFRESHES)
        with m.If(gap == 0), m.FSM():
            with m.State("START"), m.If(started):
                issue(SdramCommand.PRECHARGE, times.precharge)
                m.d.sync += on_address.eq(ALL_BANKS)
                m.next = "REFRESH"

            with m.State("READY"):
                asked = held & looked
                with m.If(asked & hit & ~due & ~(write & (turn != 0))):
                    m.d.sync += held.eq(0)
                    with m.If(write):
                        issue(SdramCommand.WRITE, BURST_BEATS)
                        m.d.sync += close.eq(BURST_BEATS - 1 + times.write_recovery - 1)
                    with m.Else():
                        issue(SdramCommand.READ, BURST_BEATS)
                        # The chip lets go of the data pins a cycle before they are driven.
                        m.d.sync += turn.eq(BURST_BEATS + chip.cas_latency)
                with m.Elif(is_open & (due | (asked & ~hit)) & (close == 0)):
                    issue(SdramCommand.PRECHARGE, times.precharge)
                    m.d.sync += [is_open.eq(0), on_address.eq(ALL_BANKS)]
                    with m.If(due):
                        m.next = "REFRESH"
                with m.Elif(~is_open & due):
                    m.next = "REFRESH"
                with m.Elif(~is_open & asked):
                    issue(SdramCommand.ACTIVATE, times.row_to_column)
                    m.d.sync += [is_open.eq(1), open_row.eq(row), open_bank.eq(bank), close.eq(row_open - 1)]

            with m.State("REFRESH"):
                issue(SdramCommand.REFRESH, times.refresh)
                m.d.sync += due.eq(0)
                m.next = "READY"
                with m.If(refreshes != 0):
                    m.d.sync += refreshes.eq(refreshes - 1)
                    m.next = "REFRESH"
                    with m.If(refreshes == 1):
                        m.next = "MODE"

            with m.State("MODE"):
                issue(SdramCommand.MODE, times.mode)
                m.d.sync += [on_address.eq(chip.mode), on_bank.eq(0)]
                m.next = "READY"

        # What is written goes out beat by beat from the command on.
        words = Signal(len(self.bus.write_data) - BEAT_BITS)
        beats = Signal(range(BURST_BEATS))
        m.d.sync += [
            pins.write.eq(beats != 0), pins.write_data.eq(words[:BEAT_BITS]), words.eq(words[BEAT_BITS:]),
        ]
        with m.If(beats != 0):
            m.d.sync += beats.eq(beats - 1)
        with m.If(issued == SdramCommand.WRITE):
            m.d.sync += [
                beats.eq(BURST_BEATS - 1), pins.write.eq(1), pins.write_data.eq(write_data[:BEAT_BITS]),
                words.eq(write_data[BEAT_BITS:]),
            ]

        # What is read comes as many beats long, a fixed time after the command.
        reading = Signal(range(BURST_BEATS))
        with m.If(reading != 0):
            m.d.sync += reading.eq(reading - 1)
        with m.If(command == SdramCommand.READ):
            m.d.sync += reading.eq(BURST_BEATS - 1)
        coming = Signal(3 + chip.cas_latency + self.input_latency)
        m.d.sync += coming.eq(Cat((command == SdramCommand.READ) | (reading != 0), coming))
        m.d.sync += self.bus.beat.eq(pins.read_data)
        m.d.comb += self.bus.beat_valid.eq(coming[-1])
        return m
