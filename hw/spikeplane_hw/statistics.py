"""Statistics: what each layer did, counted by the core itself."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from .config import CoreConfig
from .memory_map import COUNTER_WIDTH, Counter, Space, memory_map
from .sequencer import FETCH_CYCLES
from .synthesis import COLLISIONS_UNDEFINED

__all__ = ["COUNTER_CYCLES", "Statistics"]

COUNTER_CYCLES = 3
"""Cycles to store one counter."""


class Statistics(wiring.Component):
    """Counts for the layer at hand, in a memory with the counters of all layers.

    Counts are added to the memory in turn all the time, so that few bits hold those in between.

    Members
    -------
    busy, resume, initial, advance, collected : ``In(1)``
        Of :class:`Sequencer`; the last one only where batches are built.
    counting : ``In(1)``
        A cycle of the layer, besides the first ones of it that read what it is.
    settle : ``In(1)``
        The layer is over, add its last counts; high until ``settled``.
    settled : ``Out(1)``
        They are in the memory; the next layer may begin.
    events, longest, longest_valid, saturations, spikes : ``In``
        What to count, see :class:`Counter`.
    address, data
        Read port for the host, one cycle latency; only while not ``busy``.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        self.depth = memory_map(config)[Space.COUNTERS].depth
        super().__init__({
            "busy": In(1),
            "resume": In(1),
            "initial": In(1),
            "advance": In(1),
            **({"collected": In(1)} if config.most_samples > 1 else {}),
            "counting": In(1),
            "settle": In(1),
            "settled": Out(1),
            "events": In(range(config.clusters * config.banks + 1)),
            "longest": In(config.weight_address_width + 1 + exact_log2(config.clusters)),
            "longest_valid": In(1),
            "saturations": In(range(config.updates + 1)),
            "spikes": In(range(config.updates + 1)),
            "address": In(ceil_log2(self.depth)),
            "data": Out(COUNTER_WIDTH),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.memory = memory = Memory(
            shape=COUNTER_WIDTH, depth=self.depth + 1, init=[], attrs=COLLISIONS_UNDEFINED
        )
        read, write = memory.read_port(), memory.write_port()

        # Adding the last counts of a layer takes as many cycles as the window, counted beforehand.
        window = COUNTER_CYCLES * len(Counter)
        events_limit = config.clusters * config.banks * window
        idle = Signal(signed(len(self.longest) + exact_log2(config.banks) + 1))
        m.d.sync += idle.eq(
            Mux(self.longest_valid, self.longest << exact_log2(config.banks), 0) - self.events
        )
        limits = {
            Counter.CYCLES: range(2 * window + FETCH_CYCLES + 1),
            Counter.EVENTS: range(events_limit + 1),
            # A pass that ends began before; all others within the window.
            Counter.IDLE: range(-events_limit, (config.banks << len(self.longest)) + events_limit),
            Counter.SATURATIONS: range(config.updates * window + 1),
            Counter.SPIKES: range(config.updates * window + 1),
        }
        last = Signal(range(len(Counter)))  # the counter that is added last
        finishing = Signal()
        increments = {
            Counter.CYCLES: self.counting | (self.settle & ~finishing),
            Counter.EVENTS: self.events,
            Counter.IDLE: idle,
            Counter.SATURATIONS: self.saturations,
            Counter.SPIKES: self.spikes,
        }
        totals = {
            counter: Signal(
                limits[counter], name=counter.name.lower(),
                init=window + FETCH_CYCLES if counter is Counter.CYCLES else 0,
            )
            for counter in Counter
        }
        index = Signal(range(len(Counter)))
        base = Signal(range(self.depth))
        first = Signal()  # of the first turn: what runs and steps before counted is dropped
        phase = Signal(range(COUNTER_CYCLES))
        before = Signal(COUNTER_WIDTH, reset_less=True)
        picked = Signal(signed(max(len(total) for total in totals.values()) + 1))
        stored = Signal()  # a counter is written in this cycle
        turn = Signal()  # that was the last of a turn
        counted = Signal()  # a layer's counters are at hand
        m.d.comb += [
            write.addr.eq(base + index),
            write.data.eq(before + picked),
            write.en.eq(stored),
            counted.eq(self.counting | self.settle),
            # The word after the counters is always 0.
            read.addr.eq(Mux(self.busy, Mux(first, self.depth, write.addr), self.address)),
            self.data.eq(read.data),
            stored.eq(phase == COUNTER_CYCLES - 1),
            turn.eq(stored & (index == len(Counter) - 1)),
            self.settled.eq(finishing & stored & (index == last)),
        ]
        m.d.sync += phase.eq(Mux(stored | ~counted, 0, phase + 1))
        m.d[config.wire_domain] += before.eq(read.data)
        with m.If(stored):
            m.d.sync += index.eq(Mux(turn, 0, index + 1))
        with m.If(turn):
            m.d.sync += first.eq(0)
        for counter, total in totals.items():
            m.d.sync += total.eq(total + increments[counter])
            with m.If((index == counter.value) & (phase == COUNTER_CYCLES - 2)):
                m.d.sync += [picked.eq(total), total.eq(increments[counter])]

        with m.If(self.settle & ~finishing):
            # Every counter is added once more, beginning with the next one.
            m.d.sync += [last.eq(index), finishing.eq(stored)]
        with m.If(self.settled):
            m.d.sync += [
                finishing.eq(0),
                totals[Counter.CYCLES].eq(window + FETCH_CYCLES),
                index.eq(0),
                first.eq(self.initial),
                base.eq(base + len(Counter)),
            ]
        if config.most_samples > 1:
            with m.If(self.collected & ~counted):
                m.d.sync += first.eq(1)  # of these layers no sample before counted
        with m.If(self.advance):
            m.d.sync += [base.eq(0), first.eq(0)]
        with m.If(~self.busy):
            m.d.sync += [base.eq(0), index.eq(0), first.eq(~self.resume)]
        return m
