"""SDR SDRAM as its data sheet describes it: sizes, commands, and how far apart commands must be."""

import math
from dataclasses import dataclass

from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from .config import BURST_BITS
from .external_bus import BEAT_BITS, BURST_BEATS

__all__ = ["ULX3S_SDRAM", "SdramChip", "SdramCommand", "SdramPins", "SdramTimes"]

NANOSECOND = 1e-9


class SdramCommand(enum.Enum, shape=3):
    """What RAS, CAS and WE say together, bits 2, 1 and 0, a one where the pin is active, that is low."""

    NOP = 0b000
    WRITE = 0b011
    READ = 0b010
    ACTIVATE = 0b100
    PRECHARGE = 0b101
    REFRESH = 0b110
    MODE = 0b111


@dataclass(frozen=True, kw_only=True)
class SdramTimes:
    """Cycles from one command to another one, at some clock."""

    row_to_column: int
    """tRCD: ACTIVATE to READ or WRITE."""
    precharge: int
    """tRP: PRECHARGE to ACTIVATE, REFRESH or MODE."""
    row_open: int
    """tRAS: ACTIVATE to PRECHARGE of the same bank."""
    row_cycle: int
    """tRC: ACTIVATE to ACTIVATE of the same bank."""
    refresh: int
    """tRFC: REFRESH to any other command."""
    write_recovery: int
    """tWR: last written beat to PRECHARGE."""
    mode: int
    """tMRD: MODE to any other command."""
    refresh_interval: int
    """Cycles in which one REFRESH is due: tREF by the number of rows."""
    start: int
    """From power to the first command."""


@dataclass(frozen=True, kw_only=True)
class SdramChip:
    """A chip of 16 data bits; times in nanoseconds unless they say otherwise."""

    name: str
    bank_bits: int = 2
    row_bits: int = 13
    column_bits: int = 9
    cas_latency: int = 3
    """CL: cycles from READ to its first beat."""
    row_to_column: float
    precharge: float
    row_open: float
    row_cycle: float
    refresh: float
    write_recovery: float
    mode_cycles: int = 2
    retention: float = 64e6
    """tREF: every row is refreshed once in this time."""
    start: float = 200e3
    shortest_cycle: float
    """tCK at ``cas_latency``."""

    @property
    def depth(self) -> int:
        """Bursts that it holds."""
        return (BEAT_BITS << self.bank_bits + self.row_bits + self.column_bits) // BURST_BITS

    @property
    def mode(self) -> int:
        """What MODE has on the address pins: CL, bursts of BURST_BEATS in order, written as they are read."""
        return self.cas_latency << 4 | (BURST_BEATS.bit_length() - 1)

    def times(self, clock: float) -> SdramTimes:
        """Return all times in cycles of ``clock``, Hz; a ValueError if the chip is slower than that."""
        if 1 / clock < self.shortest_cycle * NANOSECOND:
            raise ValueError(f"{self.name}: a clock of {clock / 1e6:g} MHz was asked for, with a CAS latency of "
                             f"{self.cas_latency} it takes {1e3 / self.shortest_cycle:g} MHz at most")

        def cycles(nanoseconds: float) -> int:
            return math.ceil(round(nanoseconds * NANOSECOND * clock, 6))

        return SdramTimes(
            row_to_column=cycles(self.row_to_column), precharge=cycles(self.precharge),
            row_open=cycles(self.row_open), row_cycle=cycles(self.row_cycle), refresh=cycles(self.refresh),
            write_recovery=max(2, cycles(self.write_recovery)), mode=self.mode_cycles, start=cycles(self.start),
            refresh_interval=int(self.retention / (1 << self.row_bits) * NANOSECOND * clock),
        )


ULX3S_SDRAM = SdramChip(
    # Of every time the longest of the chips that were soldered on: IS42S16160G-7, MT48LC16M16A2-75, W9825G6KH-6,
    # AS4C16M16SA-6.
    name="SDRAM of 32 MB on the ULX3S",
    row_to_column=20, precharge=20, row_open=45, row_cycle=66, refresh=66, write_recovery=15, shortest_cycle=7.5,
)


class SdramPins(wiring.Signature):
    """Pins of a chip, seen from its controller: a one is what is active, whatever the level at the pin is."""

    def __init__(self, chip: SdramChip):
        super().__init__({
            "command": Out(SdramCommand),
            "bank": Out(chip.bank_bits),
            "address": Out(chip.row_bits),
            "write": Out(1),           # the controller drives the data pins
            "write_data": Out(BEAT_BITS),
            "read_data": In(BEAT_BITS),
        })
