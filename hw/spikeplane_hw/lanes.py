"""The lanes: one-bit weights of up to E active inputs a cycle are counted and accumulated."""

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import CoreConfig
from .lane_sums import LaneSums
from .memories import HostPort, SharedRam, read_mostly_ram
from .operand import operand_write
from .synthesis import COPY
from .weight_stream import stream_write

__all__ = ["Lanes", "beat_layout", "lanes_latency"]

LANES_PER_MEMORY = 32
"""Lanes whose weights share memories and a copy of the addresses."""


def beat_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of what the banks give out in a cycle; docs/core.md has the meaning."""
    return data.StructLayout({
        "address": data.ArrayLayout(config.weight_address_width, config.banks),
        "active": config.banks,
        "double": 1,
        "clear": 1,
        "reference": config.reference_width,
        "end": 1,
    })


def lanes_latency(config: CoreConfig) -> int:
    """Return the cycles from a beat with ``end`` to ``done``."""
    # With cycles that only double, sums go to the snapshot from the accumulators, a cycle later:
    # an adder then has no other reader than its accumulator, and the two share a logic cell.
    return 4 + config.wire_registers + config.doubling_cycles


class Lanes(wiring.Component):
    """Weight memories and P accumulators. Throughput one beat a cycle.

    The sums of a segment are right if they are less than ``2**accumulator_width``.

    Members
    -------
    With ``sharing`` = 2 there are two beats, and of all that follows from a beat as many, with accumulators of their
    own and the same weights: the members of the second one end in ``_1``.

    beat : ``In(beat_layout(config))``
        Weight slots to add in this cycle.
    done : ``Out(1)``
        A snapshot is there for the first time: ``latency`` cycles after a beat with ``end``.
    sums : ``Out(ArrayLayout(accumulator_width, lanes))``
        The snapshot: unsigned sums of the last finished segment.
    reference_sum : ``Out(accumulator_width)``
        The snapshot's reference sum.
    rotate : ``In(1)``
        Only if ``config.rotating_snapshot``: the snapshot's lanes move down by one, lane 0 becomes the last.
    weights : ``In(HostPort(lanes, weight_depth * banks))``
        Host access; word ``slot * banks + bank``.
    operand : ``In(operand_write(config))``
        Only if the configuration has several terms: write some lanes' weights of a bank, while nothing else
        reads or writes any.
    stream : ``In(stream_write(config))``
        Only with memory outside the chip: write a bank's part of a slot that no beat reads meanwhile. Where two share
        the memories, the first one's beat does not read that bank in this cycle at all.
    """

    def __init__(self, config: CoreConfig, *, sharing: int = 1):
        self.config = config
        self.latency = lanes_latency(config)
        self.suffixes = ["", "_1"][:sharing]
        own = {
            "beat": In(beat_layout(config)),
            "done": Out(1),
            "sums": Out(data.ArrayLayout(config.accumulator_width, config.lanes)),
            "reference_sum": Out(config.accumulator_width),
        }
        super().__init__({
            **{name + suffix: member for suffix in self.suffixes for name, member in own.items()},
            "rotate": In(1),
            "weights": In(HostPort(config.lanes, config.weight_depth * config.banks)),
            **({"operand": In(operand_write(config))} if config.term_count > 1 else {}),
            **({"stream": In(stream_write(config))} if config.external_depth else {}),
        })

    def of_each(self, name: str) -> list:
        """Return the members of this name: of each beat one."""
        return [getattr(self, name + suffix) for suffix in self.suffixes]

    def elaborate(self, platform):
        m = Module()
        config = self.config
        host = self.weights
        bank_width = ceil_log2(config.banks)
        host_bank = host.address[:bank_width]
        host_slot = host.address[bank_width:]

        readers = [
            LaneSums(m, config, beat, latency=self.latency, suffix=suffix, host=None if suffix else host)
            for suffix, beat in zip(self.suffixes, self.of_each("beat"), strict=True)
        ]
        write_1 = Signal(config.banks)
        write_data_1 = Signal(config.lanes, reset_less=True)
        m.d.sync += write_1.eq(Mux(host.write, 1 << host_bank, 0))
        slot, data_0 = host_slot, host.write_data
        blocks_1 = Const(1)
        if config.term_count > 1:
            operand, blocks = self.operand, config.lanes // config.banks
            blocks_1 = Signal(blocks)
            with m.If(operand.enable):
                m.d.sync += write_1.eq(1 << operand.bank)
            m.d.sync += blocks_1.eq(Mux(operand.enable, 1 << operand.block, ~0))
            slot = Mux(operand.enable, operand.slot, host_slot)
            data_0 = Mux(operand.enable, operand.row.replicate(blocks), host.write_data)
        writing = host.write | operand.enable if config.term_count > 1 else host.write
        if config.external_depth:
            with m.If(self.stream.enable):
                m.d.sync += write_1.eq(1 << self.stream.bank)
            data_0 = Mux(self.stream.enable, self.stream.row, data_0)
            if config.term_count > 1:
                m.d.sync += blocks_1.eq(Mux(operand.enable & ~self.stream.enable, 1 << operand.block, ~0))
        # What the host writes is still there in cycle 1, but far away from many lanes.
        from_afar = config.term_count > 1 or config.external_depth
        m.d["sync" if from_afar else config.wire_domain] += write_data_1.eq(data_0)

        # Cycle 1: weight SRAMs are addressed, each group of lanes by registers of its own.
        # Cycle 2: they answer. An idle bank's row is cleared, whatever its SRAM holds.
        for start in range(0, config.lanes, LANES_PER_MEMORY):
            lanes = slice(start, min(start + LANES_PER_MEMORY, config.lanes))
            enable_1 = blocks_1
            if config.term_count > 1:
                enable_1 = blocks_1[lanes.start // config.banks:lanes.stop // config.banks]
            if config.external_depth and len(readers) == 1:
                # While the stream writes a slot, others are read.
                written_1 = Signal(config.weight_address_width, name=f"written_{start}", attrs=COPY, reset_less=True)
                m.d.sync += written_1.eq(Mux(self.stream.enable, self.stream.slot, slot))
            for e in range(config.banks):
                granularity = config.banks if config.term_count > 1 else None
                if len(readers) > 1:
                    ram = SharedRam(lanes.stop - start, config.weight_depth, granularity=granularity)
                else:
                    ram = read_mostly_ram(lanes.stop - start, config.weight_depth, platform, granularity=granularity)
                m.submodules[f"weights_{e}_{start}"] = ram
                first, *others = readers
                address = Mux(writing | host.read, slot, self.beat.address[e])
                if config.external_depth and others:
                    address = Mux(self.stream.enable & (self.stream.bank == e), self.stream.slot, address)
                address_1 = first.address(m, e, start, address)
                m.d.comb += [
                    ram.ports.read_address.eq(address_1),
                    ram.ports.read_enable.eq(first.active_1[e]),
                    ram.ports.write_address.eq(written_1 if config.external_depth and not others else address_1),
                    ram.ports.write_enable.eq(Mux(write_1[e], enable_1, 0)),
                    ram.ports.write_data.eq(write_data_1[lanes]),
                ]
                first.take(m, e, start, lanes, ram.ports.read_data)
                for other in others:
                    m.d.comb += [
                        ram.other.address.eq(other.address(m, e, start, other.beat.address[e])),
                        ram.other.enable.eq(other.active_1[e]),
                    ]
                    other.take(m, e, start, lanes, ram.other.data)

        for reader, *outputs in zip(
            readers, *(self.of_each(name) for name in ("sums", "reference_sum", "done")), strict=True,
        ):
            sums, reference_sum, done = outputs
            reader.accumulate(m, platform, sums=sums, reference_sum=reference_sum, done=done, rotate=self.rotate)
        return m
