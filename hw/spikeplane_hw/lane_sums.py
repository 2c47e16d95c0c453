"""What lanes make of a beat: the rows that it reads are counted and accumulated."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data
from amaranth.utils import exact_log2

from .accumulator import next_sum
from .config import CoreConfig
from .popcount import Ones, count_for_adder, popcount
from .synthesis import COPY

__all__ = ["LaneSums"]

LANES_PER_COPY = 16
"""Lanes that share a copy of the control signals."""


class LaneSums:
    """The way of a beat through the lanes, for :class:`.Lanes`, of whose beats each has one."""

    def __init__(self, m: Module, config: CoreConfig, beat, *, latency: int, suffix: str, host):
        """Add what waits for the rows. ``host`` is the port that reads weights as if they were a beat's, or None."""
        self.config, self.beat, self.suffix, self.host = config, beat, suffix, host
        self.control = control = self.signal(data.StructLayout(
            {"double": 1, "clear": 1, "reference": config.reference_width, "end": 1}
        ), "control")
        m.d.comb += [
            *(control[name].eq(beat[name]) for name in ("double", "reference", "end")),
            # What the host reads is added to nothing.
            control.clear.eq(beat.clear if host is None else beat.clear | host.read),
        ]
        self.controls = [control]
        for cycle in range(1, latency):
            following = self.signal(control.shape(), f"control_{cycle}")
            m.d.sync += following.eq(self.controls[-1])
            self.controls.append(following)

        # Cycle 0: a host read is a beat of one bank without control.
        active = self.signal(config.banks, "active")
        host_bank = None if host is None else host.address[:exact_log2(config.banks)]
        m.d.comb += active.eq(beat.active if host is None else Mux(host.read, 1 << host_bank, beat.active))
        self.active_1 = self.signal(config.banks, "active_1")
        self.active_2 = self.signal(config.banks, "active_2")
        self.counted = self.signal(config.banks, "counted")  # in the cycle in which rows are
        m.d.sync += [self.active_1.eq(active), self.active_2.eq(self.active_1)]
        self.rows = [self.signal(config.lanes, f"row_{e}", reset_less=True) for e in range(config.banks)]

    def signal(self, shape, name: str, **options) -> Signal:
        """Return a signal of this way, besides those of others."""
        return Signal(shape, name=name + self.suffix, **options)

    def address(self, m: Module, e: int, start: int, slot) -> Signal:
        """Return the address of bank ``e`` in cycle 1, for the lanes from ``start`` on."""
        address_1 = self.signal(self.config.weight_address_width, f"address_{e}_{start}", attrs=COPY, reset_less=True)
        m.d.sync += address_1.eq(slot)
        return address_1

    def take(self, m: Module, e: int, start: int, lanes: slice, row):
        """Take what bank ``e`` reads for some lanes in cycle 2. An idle bank's row is cleared."""
        idle_2 = self.signal(1, f"idle_2_{e}_{start}", attrs=COPY)
        m.d.sync += idle_2.eq(~self.active_1[e])
        m.d[self.config.wire_domain] += self.rows[e][lanes].eq(Mux(idle_2, 0, row))

    def accumulate(self, m: Module, platform, *, sums, reference_sum, done, rotate):
        """Add up all rows; drive the snapshot ``sums`` and ``reference_sum``, and ``done``."""
        config, controls = self.config, self.controls
        # Cycle 3, or 2 if wires have no registers: active weights are counted, a column of the rows for each lane.
        last = 2 + config.wire_registers
        m.d[config.wire_domain] += self.counted.eq(self.active_2)
        columns = [Cat(row[lane] for row in self.rows) for lane in range(config.lanes)]
        columns.append(self.counted & controls[last].reference.replicate(config.banks // config.reference_width))
        # The cycle after: counts are accumulated; the last sum of a segment goes to the snapshot as well,
        # from here or a cycle later. From here, it need not be in the accumulator afterwards: the next
        # beat's `clear` resets the register then.
        alone = config.doubling_cycles  # only the accumulator reads the adder
        snapshots = [
            self.signal(config.accumulator_width, f"snapshot_{lane}", reset_less=True) for lane in range(len(columns))
        ]
        m.d.comb += Cat(*sums, reference_sum).eq(Cat(snapshots))
        for lane, column in enumerate(columns):
            if lane % LANES_PER_COPY == 0:
                # Thousands of bits hang on these signals; copies keep their wires short.
                control_4 = self.signal(self.control.shape(), f"control_4_{lane}", attrs=COPY)
                clear_3 = self.signal(1, f"clear_3_{lane}", attrs=COPY)
                m.d.sync += [control_4.eq(controls[last]), clear_3.eq(controls[last - 1].clear)]
                end = controls[last + 2].end if alone else control_4.end
            name = ("reference" if lane == config.lanes else f"lane_{lane}") + self.suffix
            ones = Ones.of(popcount(m, column)) if alone else count_for_adder(m, column)
            ones_4 = ones.registered(m, name)
            accumulator = Signal(config.accumulator_width, name=f"accumulator_{name}", reset_less=True)
            total = next_sum(m, platform, accumulator, ones_4, control_4.double, exclusive=alone)
            if alone:
                m.d.sync += accumulator.eq(Mux(control_4.clear, ones_4.number, total))
            else:
                m.d.sync += accumulator.eq(Mux(clear_3, 0, total))
            if config.rotating_snapshot and lane != config.lanes:
                with m.If(rotate):
                    m.d.sync += snapshots[lane].eq(snapshots[(lane + 1) % config.lanes])
            with m.If(end):
                m.d.sync += snapshots[lane].eq(accumulator if alone else total)
            if lane != config.lanes and self.host is not None:
                # The only active bank's bit is the lowest bit of the count.
                m.d.comb += self.host.read_data[lane].eq(ones_4.units[0] if alone else total[0])
        m.d.sync += done.eq(controls[-1].end)
