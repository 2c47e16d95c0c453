"""A model of an SDR SDRAM chip that checks how it is used: for simulations, never for a board."""

from amaranth import Array, Cat, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .external_bus import BEAT_BITS, BURST_BEATS
from .sdram_chip import SdramChip, SdramCommand, SdramPins

__all__ = ["LARGE_ARRAY", "SdramModel", "Violation"]

LARGE_ARRAY = "sdram_array"
"""Verilog module that holds the words of a large chip, beside the simulated board's."""
POSTPONED = 8
"""Refreshes that may be late together."""


class Violation(enum.Enum, shape=5):
    """What a controller did wrong first."""

    NONE = 0
    START = 1
    """A command before the chip had been powered for long enough, or READ or WRITE before MODE."""
    ROW_TO_COLUMN = 2
    PRECHARGE = 3
    ROW_OPEN = 4
    ROW_CYCLE = 5
    REFRESH = 6
    WRITE_RECOVERY = 7
    MODE = 8
    REFRESH_INTERVAL = 9
    """More than POSTPONED refreshes were late."""
    CLOSED = 10
    """READ or WRITE of a bank without an open row."""
    OPEN = 11
    """ACTIVATE of an open bank; REFRESH or MODE while one is open."""
    BURST = 12
    """A burst was cut by the next READ or WRITE, or by PRECHARGE."""
    BUS = 13
    """Both sides drove the data pins, or neither did where a beat was due."""
    SETTING = 14
    """MODE set something else than this chip's CAS latency and bursts."""
    AUTO = 15
    """Address bit 10 of READ or WRITE: rows that close themselves are not modelled."""


class SdramModel(wiring.Component):
    """A chip behind its pins. What it holds at first is undefined: zeros here.

    ``rows`` of each bank are there, a power of two, by default all; beyond, addresses begin again. ``verilog``
    says that words are in the module LARGE_ARRAY, which no Python simulator knows.

    Members
    -------
    pins : ``In(SdramPins(chip))``
        ``read_data`` is garbage but for the beats of a READ.
    violation : ``Out(Violation)``
        The first one; it stays.
    """

    def __init__(self, chip: SdramChip, clock: float, *, rows: int | None = None, verilog: bool = False):
        self.chip = chip
        self.times = chip.times(clock)
        self.rows = rows or 1 << chip.row_bits
        self.verilog = verilog
        super().__init__({"pins": In(SdramPins(chip)), "violation": Out(Violation)})

    def elaborate(self, platform):
        m = Module()
        chip, times, pins = self.chip, self.times, self.pins
        command, banks = pins.command, 1 << chip.bank_bits
        all_banks = pins.address[10]
        writing, burst_bank = Signal(), Signal(chip.bank_bits)  # a beat is written; where the burst is
        broken: list[tuple[Violation, object]] = []

        # Cycles since what a command has to keep its distance from, up to those that matter.
        def since(event, longest: int):
            """Return the cycles since the last ``event``, at most ``longest``, which it is before the first one."""
            cycles = Signal(range(longest + 1), init=longest)
            with m.If(cycles != longest):
                m.d.sync += cycles.eq(cycles + 1)
            with m.If(event):
                m.d.sync += cycles.eq(1)
            return cycles

        power = Signal(range(times.start + 1))
        with m.If(power != times.start):
            m.d.sync += power.eq(power + 1)
        moded = Signal()
        some = command != SdramCommand.NOP
        column = (command == SdramCommand.READ) | (command == SdramCommand.WRITE)
        broken.append((Violation.START, some & (power != times.start)))
        broken.append((Violation.START, column & ~moded))

        is_open, rows = Signal(banks), Array(Signal(chip.row_bits, name=f"row_{bank}") for bank in range(banks))
        broken.append((Violation.CLOSED, column & ~is_open.bit_select(pins.bank, 1)))
        broken.append((Violation.OPEN, (command == SdramCommand.ACTIVATE) & is_open.bit_select(pins.bank, 1)))
        broken.append((Violation.OPEN, ((command == SdramCommand.REFRESH) | (command == SdramCommand.MODE))
                       & is_open.any()))
        broken.append((Violation.AUTO, column & all_banks))
        with m.Switch(command):
            with m.Case(SdramCommand.ACTIVATE):
                m.d.sync += [is_open.bit_select(pins.bank, 1).eq(1), rows[pins.bank].eq(pins.address)]
            with m.Case(SdramCommand.PRECHARGE):
                m.d.sync += is_open.bit_select(pins.bank, 1).eq(0)
                with m.If(all_banks):
                    m.d.sync += is_open.eq(0)
            with m.Case(SdramCommand.MODE):
                m.d.sync += moded.eq(1)
        broken.append((Violation.SETTING, (command == SdramCommand.MODE) & (pins.address != chip.mode)))

        closing = Signal(banks)
        m.d.comb += closing.eq((Const(1, banks) << pins.bank) | all_banks.replicate(banks))
        for bank in range(banks):
            here = pins.bank == bank
            activated = since((command == SdramCommand.ACTIVATE) & here, max(times.row_cycle, times.row_open))
            closed = since((command == SdramCommand.PRECHARGE) & closing[bank], times.precharge)
            recovered = since(writing & (burst_bank == bank), times.write_recovery)
            broken += [
                (Violation.ROW_TO_COLUMN, column & here & (activated < times.row_to_column)),
                (Violation.ROW_CYCLE, (command == SdramCommand.ACTIVATE) & here & (activated < times.row_cycle)),
                (Violation.ROW_OPEN, (command == SdramCommand.PRECHARGE) & closing[bank] & is_open[bank]
                 & (activated < times.row_open)),
                (Violation.WRITE_RECOVERY, (command == SdramCommand.PRECHARGE) & closing[bank]
                 & (recovered < times.write_recovery)),
                (Violation.PRECHARGE, (closed < times.precharge) & (
                    ((command == SdramCommand.ACTIVATE) & here) | (command == SdramCommand.REFRESH)
                    | (command == SdramCommand.MODE))),
            ]
        broken.append((Violation.REFRESH, some & (
            since(command == SdramCommand.REFRESH, times.refresh) < times.refresh)))
        broken.append((Violation.MODE, some & (since(command == SdramCommand.MODE, times.mode) < times.mode)))

        # Refreshes that are due and did not come; before MODE nothing is to be kept.
        interval, late = Signal(range(times.refresh_interval)), Signal(range(POSTPONED + 2))
        refreshed = command == SdramCommand.REFRESH
        with m.If(moded):
            due = interval == times.refresh_interval - 1
            m.d.sync += interval.eq(interval + 1)
            with m.If(due):
                m.d.sync += interval.eq(0)
            with m.If(due & ~refreshed):
                m.d.sync += late.eq(late + 1)
            with m.Elif(~due & refreshed & (late != 0)):
                m.d.sync += late.eq(late - 1)
        broken.append((Violation.REFRESH_INTERVAL, late > POSTPONED))

        broken += self.elaborate_bursts(m, column, rows, writing, burst_bank)
        with m.If(self.violation == Violation.NONE):
            for violation, seen in reversed(broken):
                with m.If(seen):
                    m.d.sync += self.violation.eq(violation)
        return m

    def elaborate_bursts(self, m: Module, column, rows, writing, burst_bank):
        """Add the beats of bursts, and say which are written where; return what may be wrong with them."""
        chip, pins = self.chip, self.pins
        left, is_write = Signal(range(BURST_BEATS)), Signal()  # beats after this one
        bank, row = Signal(chip.bank_bits), Signal(chip.row_bits)
        beat, place = Signal(range(BURST_BEATS)), Signal(chip.column_bits)
        now_place = Signal(chip.column_bits)
        m.d.comb += [
            burst_bank.eq(bank), now_place.eq(place + beat), writing.eq(is_write & (left != 0)),
        ]
        now_row = Signal(chip.row_bits)
        m.d.comb += now_row.eq(row)
        with m.If(left != 0):
            m.d.sync += [left.eq(left - 1), beat.eq(beat + 1)]
        with m.If(column):
            m.d.comb += [
                burst_bank.eq(pins.bank), now_place.eq(pins.address), now_row.eq(rows[pins.bank]),
                writing.eq(pins.command == SdramCommand.WRITE),
            ]
            m.d.sync += [
                left.eq(BURST_BEATS - 1), beat.eq(1), bank.eq(pins.bank), row.eq(rows[pins.bank]),
                place.eq(pins.address), is_write.eq(pins.command == SdramCommand.WRITE),
            ]
        address = Cat(now_place, burst_bank, now_row)[:(self.rows - 1).bit_length() + chip.bank_bits
                                                          + chip.column_bits]
        word = Signal(BEAT_BITS)
        if self.verilog:
            m.submodules.array = Instance(
                LARGE_ARRAY, p_WIDTH=BEAT_BITS, p_ADDRESS_BITS=len(address), i_clk=ClockSignal(), i_address=address,
                i_write=writing, i_write_data=pins.write_data, o_read_data=word,
            )
        else:
            m.submodules.array = array = Memory(shape=BEAT_BITS, depth=1 << len(address), init=[])
            write, read = array.write_port(), array.read_port()
            m.d.comb += [
                write.addr.eq(address), write.data.eq(pins.write_data), write.en.eq(writing),
                read.addr.eq(address), word.eq(read.data),
            ]

        # The array answers a cycle later, the chip CL cycles later; else its pins are garbage.
        words, driven = [word], Signal(chip.cas_latency)
        for stage in range(chip.cas_latency - 1):
            following = Signal(BEAT_BITS, name=f"word_{stage}")
            m.d.sync += following.eq(words[-1])
            words.append(following)
        reading = Signal()
        m.d.comb += reading.eq((pins.command == SdramCommand.READ) | ((left != 0) & ~is_write))
        m.d.sync += driven.eq(Cat(reading, driven))
        m.d.comb += pins.read_data.eq(words[-1] ^ ~driven[-1].replicate(BEAT_BITS))
        return [
            (Violation.BURST, column & (left != 0)),
            (Violation.BURST, (pins.command == SdramCommand.PRECHARGE) & (left != 0) & is_write),
            (Violation.BUS, pins.write & (driven.any() | reading)),
            (Violation.BUS, pins.write != writing),
        ]
