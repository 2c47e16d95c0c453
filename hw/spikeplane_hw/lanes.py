"""The lanes: one-bit weights of up to E active inputs a cycle are counted and accumulated."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import CoreConfig
from .memories import HostPort, read_mostly_ram
from .operand import operand_write
from .synthesis import COPY

__all__ = ["Lanes", "beat_layout", "lanes_latency", "popcount"]


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


def popcount(m: Module, bits):
    """Return the number of ones in ``bits``, a power of two of them; intermediate values go to ``m``.

    It is made of gates instead of adders, since short sums are smaller without a carry chain: four
    bits are counted by three LUT4, eight by eleven.
    """
    if len(bits) == 1:
        return bits
    count = Signal(range(len(bits) + 1), name="ones")
    if len(bits) == 2:
        m.d.comb += count.eq(Cat(bits[0] ^ bits[1], bits[0] & bits[1]))
        return count
    if len(bits) == 4:
        a, b, c, d = bits
        m.d.comb += count.eq(Cat(
            a ^ b ^ c ^ d,
            (a & b) ^ (c & d) ^ ((a ^ b) & (c ^ d)),
            a & b & c & d,
        ))
        return count
    half = len(bits) // 2
    carry = Const(0)
    for i, (x, y) in enumerate(zip(popcount(m, bits[:half]), popcount(m, bits[half:]), strict=True)):
        following = Signal(name="carry")
        m.d.comb += [
            count[i].eq(x ^ y ^ carry),
            following.eq((x & y) | (carry & (x ^ y))),
        ]
        carry = following
    m.d.comb += count[-1].eq(carry)
    return count


def lanes_latency(config: CoreConfig) -> int:
    """Return the cycles from a beat with ``end`` to ``done``."""
    # Sums of a frugal core go to the snapshot from the accumulators, a cycle after they are there:
    # an adder then has no other reader than its accumulator, and the two share a logic cell.
    return 5 + config.frugal


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
        Only if ``config.frugal``: the snapshot's lanes move down by one, lane 0 becomes the last.
    weights : ``In(HostPort(lanes, weight_depth * banks))``
        Host access; word ``slot * banks + bank``.
    operand : ``In(operand_write(config))``
        Only if the configuration has several terms: write some lanes' weights of a bank, while nothing else
        reads or writes any.
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
            control[name].eq(self.beat[name]) for name in ("double", "clear", "reference", "end")
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
        active_3 = Signal.like(active)
        write_1 = Signal(config.banks)
        write_data_1 = Signal(config.lanes)
        m.d.sync += [
            active_1.eq(active),
            active_2.eq(active_1),
            active_3.eq(active_2),
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
        if config.frugal and config.term_count == 1:
            m.d.comb += write_data_1.eq(data_0)  # what the host writes is still there in cycle 1
        else:
            m.d.sync += write_data_1.eq(data_0)

        # Cycle 1: weight SRAMs are addressed, each group of lanes by registers of its own.
        # Cycle 2: they answer. An idle bank's row is cleared, whatever its SRAM holds.
        rows = [Signal(config.lanes, name=f"row_{e}", reset_less=True) for e in range(config.banks)]
        for start in range(0, config.lanes, LANES_PER_MEMORY):
            lanes = slice(start, min(start + LANES_PER_MEMORY, config.lanes))
            enable_1 = blocks_1
            if config.term_count > 1:
                enable_1 = blocks_1[lanes.start // config.banks:lanes.stop // config.banks]
            for e in range(config.banks):
                m.submodules[f"weights_{e}_{start}"] = ram = read_mostly_ram(
                    lanes.stop - start, config.weight_depth, platform,
                    granularity=config.banks if config.term_count > 1 else None,
                )
                address_1 = Signal(
                    config.weight_address_width, name=f"address_{e}_{start}", attrs=COPY
                )
                m.d.sync += address_1.eq(
                    Mux(writing | host.read, slot, self.beat.address[e])
                )
                m.d.comb += [
                    ram.ports.read_address.eq(address_1),
                    ram.ports.read_enable.eq(active_1[e]),
                    ram.ports.write_address.eq(address_1),
                    ram.ports.write_enable.eq(Mux(write_1[e], enable_1, 0)),
                    ram.ports.write_data.eq(write_data_1[lanes]),
                ]
                m.d.sync += rows[e][lanes].eq(Mux(active_2[e], ram.ports.read_data, 0))

        # Cycle 3: active weights are counted, a column of the rows for each lane.
        columns = [Cat(row[lane] for row in rows) for lane in range(config.lanes)]
        columns.append(active_3 & controls[3].reference.replicate(config.banks // config.reference_width))
        # Cycle 4: counts are accumulated; the last sum of a segment goes to the snapshot as well,
        # from here or in cycle 5.
        for lane, column in enumerate(columns):
            if lane % LANES_PER_COPY == 0:
                # Thousands of bits hang on these signals; copies keep their wires short.
                control_4 = Signal.like(control, name=f"control_4_{lane}", attrs=COPY)
                m.d.sync += control_4.eq(controls[3])
                end = controls[5].end if config.frugal else control_4.end
            if lane == config.lanes:
                name, snapshot = "reference", self.reference_sum
            else:
                name, snapshot = f"lane_{lane}", self.sums[lane]
            count = Signal(range(config.banks + 1), name=f"count_{name}", reset_less=True)
            accumulator = Signal(
                config.accumulator_width, name=f"accumulator_{name}", reset_less=True
            )
            total = Signal.like(accumulator, name=f"total_{name}")
            m.d.sync += [count.eq(popcount(m, column)), accumulator.eq(total)]
            if config.frugal:
                # Nothing is added while doubling, so both take one logic cell a bit: the carry
                # chain may run on the wire that selects, its sum is not used then.
                fill = control_4.double.replicate(config.accumulator_width - len(count))
                m.d.comb += total.eq(
                    Mux(control_4.double, accumulator << 1, accumulator + Cat(count, fill))
                )
                with m.If(control_4.clear):
                    m.d.comb += total.eq(count)
                if lane != config.lanes:
                    with m.If(self.rotate):
                        m.d.sync += snapshot.eq(self.sums[(lane + 1) % config.lanes])
                with m.If(end):
                    m.d.sync += snapshot.eq(accumulator)
            else:
                base = Signal.like(accumulator, name=f"base_{name}")
                m.d.comb += [
                    base.eq(Mux(control_4.double, accumulator << 1, accumulator)
                            & ~control_4.clear.replicate(config.accumulator_width)),
                    total.eq(base + count),
                ]
                with m.If(end):
                    m.d.sync += snapshot.eq(total)
            if lane != config.lanes:
                # The only active bank's bit is the lowest bit of the count.
                m.d.comb += host.read_data[lane].eq(count[0])
        m.d.sync += self.done.eq(controls[self.latency - 1].end)
        return m
