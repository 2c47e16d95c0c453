"""The lanes: one-bit weights of up to E active inputs a cycle are counted and accumulated."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .accumulator import next_sum
from .config import CoreConfig
from .memories import HostPort, read_mostly_ram
from .operand import operand_write
from .popcount import Ones, count_for_adder, popcount
from .synthesis import COPY
from .weight_stream import stream_write

__all__ = ["Lanes", "beat_layout", "lanes_latency"]

LANES_PER_COPY = 16
"""Lanes that share a copy of the control signals."""
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
        Only with memory outside the chip: write a bank's part of a slot that no beat reads meanwhile.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        self.latency = lanes_latency(config)
        super().__init__({
            "beat": In(beat_layout(config)),
            "done": Out(1),
            "sums": Out(data.ArrayLayout(config.accumulator_width, config.lanes)),
            "reference_sum": Out(config.accumulator_width),
            "rotate": In(1),
            "weights": In(HostPort(config.lanes, config.weight_depth * config.banks)),
            **({"operand": In(operand_write(config))} if config.term_count > 1 else {}),
            **({"stream": In(stream_write(config))} if config.external_depth else {}),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        host = self.weights
        bank_width = ceil_log2(config.banks)
        host_bank = host.address[:bank_width]
        host_slot = host.address[bank_width:]

        control = Signal(data.StructLayout(
            {"double": 1, "clear": 1, "reference": config.reference_width, "end": 1}
        ))
        m.d.comb += [
            *(control[name].eq(self.beat[name]) for name in ("double", "reference", "end")),
            # What the host reads is added to nothing.
            control.clear.eq(self.beat.clear | host.read),
        ]
        controls = [control]
        for cycle in range(1, self.latency):
            following = Signal.like(control, name=f"control_{cycle}")
            m.d.sync += following.eq(controls[-1])
            controls.append(following)

        # Cycle 0: a host read is a beat of one bank without control.
        active = Signal(config.banks)
        m.d.comb += active.eq(Mux(host.read, 1 << host_bank, self.beat.active))
        active_1 = Signal.like(active)
        active_2 = Signal.like(active)
        counted = Signal.like(active)  # in the cycle in which rows are
        write_1 = Signal(config.banks)
        write_data_1 = Signal(config.lanes, reset_less=True)
        m.d.sync += [
            active_1.eq(active),
            active_2.eq(active_1),
            write_1.eq(Mux(host.write, 1 << host_bank, 0)),
        ]
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
        rows = [Signal(config.lanes, name=f"row_{e}", reset_less=True) for e in range(config.banks)]
        for start in range(0, config.lanes, LANES_PER_MEMORY):
            lanes = slice(start, min(start + LANES_PER_MEMORY, config.lanes))
            enable_1 = blocks_1
            if config.term_count > 1:
                enable_1 = blocks_1[lanes.start // config.banks:lanes.stop // config.banks]
            if config.external_depth:
                # While the stream writes a slot, others are read.
                written_1 = Signal(config.weight_address_width, name=f"written_{start}", attrs=COPY, reset_less=True)
                m.d.sync += written_1.eq(Mux(self.stream.enable, self.stream.slot, slot))
            for e in range(config.banks):
                m.submodules[f"weights_{e}_{start}"] = ram = read_mostly_ram(
                    lanes.stop - start, config.weight_depth, platform,
                    granularity=config.banks if config.term_count > 1 else None,
                )
                address_1 = Signal(
                    config.weight_address_width, name=f"address_{e}_{start}", attrs=COPY, reset_less=True
                )
                m.d.sync += address_1.eq(
                    Mux(writing | host.read, slot, self.beat.address[e])
                )
                m.d.comb += [
                    ram.ports.read_address.eq(address_1),
                    ram.ports.read_enable.eq(active_1[e]),
                    ram.ports.write_address.eq(written_1 if config.external_depth else address_1),
                    ram.ports.write_enable.eq(Mux(write_1[e], enable_1, 0)),
                    ram.ports.write_data.eq(write_data_1[lanes]),
                ]
                idle_2 = Signal(name=f"idle_2_{e}_{start}", attrs=COPY)
                m.d.sync += idle_2.eq(~active_1[e])
                m.d[config.wire_domain] += rows[e][lanes].eq(Mux(idle_2, 0, ram.ports.read_data))

        # Cycle 3, or 2 if wires have no registers: active weights are counted, a column of the rows for each lane.
        last = 2 + config.wire_registers
        m.d[config.wire_domain] += counted.eq(active_2)
        columns = [Cat(row[lane] for row in rows) for lane in range(config.lanes)]
        columns.append(counted & controls[last].reference.replicate(config.banks // config.reference_width))
        # The cycle after: counts are accumulated; the last sum of a segment goes to the snapshot as well,
        # from here or a cycle later. From here, it need not be in the accumulator afterwards: the next
        # beat's `clear` resets the register then.
        alone = config.doubling_cycles  # only the accumulator reads the adder
        snapshots = [
            Signal(config.accumulator_width, name=f"snapshot_{lane}", reset_less=True)
            for lane in range(len(columns))
        ]
        m.d.comb += Cat(*self.sums, self.reference_sum).eq(Cat(snapshots))
        for lane, column in enumerate(columns):
            if lane % LANES_PER_COPY == 0:
                # Thousands of bits hang on these signals; copies keep their wires short.
                control_4 = Signal.like(control, name=f"control_4_{lane}", attrs=COPY)
                clear_3 = Signal(name=f"clear_3_{lane}", attrs=COPY)
                m.d.sync += [control_4.eq(controls[last]), clear_3.eq(controls[last - 1].clear)]
                end = controls[last + 2].end if alone else control_4.end
            name = "reference" if lane == config.lanes else f"lane_{lane}"
            ones = Ones.of(popcount(m, column)) if alone else count_for_adder(m, column)
            ones_4 = ones.registered(m, name)
            accumulator = Signal(config.accumulator_width, name=f"accumulator_{name}", reset_less=True)
            total = next_sum(m, platform, accumulator, ones_4, control_4.double, exclusive=alone)
            if alone:
                m.d.sync += accumulator.eq(Mux(control_4.clear, ones_4.number, total))
            else:
                m.d.sync += accumulator.eq(Mux(clear_3, 0, total))
            if config.rotating_snapshot and lane != config.lanes:
                with m.If(self.rotate):
                    m.d.sync += snapshots[lane].eq(snapshots[(lane + 1) % config.lanes])
            with m.If(end):
                m.d.sync += snapshots[lane].eq(accumulator if alone else total)
            if lane != config.lanes:
                # The only active bank's bit is the lowest bit of the count.
                m.d.comb += host.read_data[lane].eq(ones_4.units[0] if alone else total[0])
        m.d.sync += self.done.eq(controls[self.latency - 1].end)
        return m
