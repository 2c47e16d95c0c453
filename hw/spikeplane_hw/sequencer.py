"""The sequencer: walks through the layers of a program, once for each outer step of a run."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from .config import CoreConfig
from .descriptor import PROGRAM_WIDTH, descriptor_words, layer_layout, map_rows, program_depth, term_layout
from .memory_map import COUNTER_WIDTH, Counter

__all__ = ["COUNTER_CYCLES", "Sequencer"]

COUNTER_CYCLES = 3
"""Cycles to store one counter."""


class Sequencer(wiring.Component):
    """Loads the descriptors of a layer and its terms, clears its output's row flags, starts the walk, stores counters.

    Members
    -------
    run, resume : ``In(1)``
        Run the program; with ``resume`` as if the run before went on: states, logits and counters
        are kept.
    busy : ``Out(1)``
        A run is under way.
    layers, outer_steps : ``In``
        How many layers the program has, and how often a run walks through them.
    program_address, program_data
        Read port of the program memory, one cycle latency.
    layer : ``Out(layer_layout(config))``
        The current layer.
    term : ``Out(term_layout(config))``
        Its last term; while terms are loaded each of them.
    term_index, term_store : ``Out``
        To :class:`Walker`: ``term`` is there, and so is its place.
    restart, place, walked, advance : ``Out(1)``
        To :class:`MapPlaces`.
    placed, output_flags : ``In``
        From there.
    start, initial : ``Out(1)``
        To :class:`Walker`.
    drained : ``In(1)``
        Nothing of the layer is in flight any more.
    flag_clear, flag_address : ``Out``
        Clear a row flag.
    events, longest, longest_valid, saturations, spikes : ``In``
        What to count, see :class:`Counter`.
    counter_address, counter_read, counter_write, counter_data
        Ports of the counter memory; reads have one cycle latency.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        flag_width = ceil_log2(config.row_flag_count)
        super().__init__({
            "run": In(1),
            "resume": In(1),
            "busy": Out(1),
            "layers": In(ceil_log2(config.layer_count + 1)),
            "outer_steps": In(config.step_width),
            "program_address": Out(ceil_log2(program_depth(config))),
            "program_data": In(PROGRAM_WIDTH),
            "layer": Out(layer_layout(config)),
            "term": Out(term_layout(config)),
            "term_index": Out(ceil_log2(config.term_count)),
            "term_store": Out(1),
            "start": Out(1),
            "initial": Out(1),
            "restart": Out(1),
            "place": Out(1),
            "walked": Out(1),
            "advance": Out(1),
            "placed": In(1),
            "output_flags": In(flag_width),
            "drained": In(1),
            "flag_clear": Out(1),
            "flag_address": Out(flag_width),
            "events": In(range(config.banks + 1)),
            "longest": In(config.weight_address_width + 1),
            "longest_valid": In(1),
            "saturations": In(range(config.updates + 1)),
            "spikes": In(range(config.updates + 1)),
            "counter_address": Out(ceil_log2(config.layer_count * len(Counter))),
            "counter_read": In(COUNTER_WIDTH),
            "counter_write": Out(1),
            "counter_data": Out(COUNTER_WIDTH),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        d = self.layer
        shifted, words = {}, {}
        for name, target in (("layer", d), ("term", self.term)):
            words[name] = descriptor_words(target.shape())
            shifted[name] = Signal(words[name] * PROGRAM_WIDTH, name=f"shifted_{name}")
            m.d.comb += target.eq(shifted[name][: len(target.as_value())])

        layer = Signal.like(self.layers)
        outer = Signal.like(self.outer_steps)
        resumed = Signal()
        word = Signal(range(max(words.values()) + 1))
        m.d.comb += self.initial.eq((outer == 0) & ~resumed)

        # Counts are added to the counter memory in turn all the time, so that few bits hold those
        # in between. Adding the last ones of a layer is counted beforehand.
        window = COUNTER_CYCLES * len(Counter)
        counting = Signal()
        events_limit = config.banks * window
        idle = Signal(signed(len(self.longest) + exact_log2(config.banks) + 1))
        m.d.sync += idle.eq(
            Mux(self.longest_valid, self.longest << exact_log2(config.banks), 0) - self.events
        )
        limits = {
            Counter.CYCLES: range(2 * window + 1),
            Counter.EVENTS: range(events_limit + 1),
            # A pass that ends began before; all others within the window.
            Counter.IDLE: range(-events_limit, (config.banks << len(self.longest)) + events_limit),
            Counter.SATURATIONS: range(config.updates * window + 1),
            Counter.SPIKES: range(config.updates * window + 1),
        }
        increments = {
            Counter.CYCLES: counting,
            Counter.EVENTS: self.events,
            Counter.IDLE: idle,
            Counter.SATURATIONS: self.saturations,
            Counter.SPIKES: self.spikes,
        }
        totals = {
            counter: Signal(
                limits[counter], name=counter.name.lower(),
                init=window if counter is Counter.CYCLES else 0,
            )
            for counter in Counter
        }
        counter_index = Signal(range(len(Counter)))
        counter_base = Signal.like(self.counter_address)
        counter_first = Signal()  # of the first turn: what runs and steps before counted is dropped
        phase = Signal(range(COUNTER_CYCLES))
        before = Signal(COUNTER_WIDTH)
        picked = Signal(signed(max(len(total) for total in totals.values()) + 1))
        stored = Signal()  # a counter is written in this cycle
        turn = Signal()  # that was the last of a turn
        m.d.comb += [
            self.counter_address.eq(counter_base + counter_index),
            self.counter_data.eq(before + picked),
            self.counter_write.eq(stored & self.busy),
            stored.eq(phase == COUNTER_CYCLES - 1),
            turn.eq(stored & (counter_index == len(Counter) - 1)),
        ]
        m.d.sync += [
            phase.eq(Mux(stored, 0, phase + 1)),
            before.eq(Mux(counter_first, 0, self.counter_read)),
        ]
        with m.If(stored):
            m.d.sync += counter_index.eq(Mux(turn, 0, counter_index + 1))
        with m.If(turn):
            m.d.sync += counter_first.eq(0)
        for counter, total in totals.items():
            m.d.sync += total.eq(total + increments[counter])
            with m.If((counter_index == counter.value) & (phase == COUNTER_CYCLES - 2)):
                m.d.sync += [picked.eq(total), total.eq(increments[counter])]

        step = Signal.like(d.steps)
        row = Signal.like(d.output_rows)
        last_counter = Signal(range(len(Counter)))

        def load(name: str, following: str):
            """Shift a descriptor in; the word addressed in one cycle is shifted in in the next."""
            m.d.comb += counting.eq(1)
            m.d.sync += [
                word.eq(word + 1),
                self.program_address.eq(self.program_address + (word != words[name])),
            ]
            with m.If(word != 0):
                m.d.sync += shifted[name].eq(Cat(shifted[name][PROGRAM_WIDTH:], self.program_data))
            with m.If(word == words[name]):
                m.d.sync += word.eq(0)
                m.next = following

        m.d.comb += self.busy.eq(1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                m.d.sync += [
                    layer.eq(0),
                    outer.eq(0),
                    word.eq(0),
                    self.program_address.eq(0),
                    counter_base.eq(0),
                    counter_index.eq(0),
                    counter_first.eq(~self.resume),
                    phase.eq(0),
                ]
                m.d.comb += self.restart.eq(self.run)
                with m.If(self.run):
                    m.d.sync += resumed.eq(self.resume)
                    m.next = "LOAD"

            with m.State("LOAD"):
                m.d.sync += [step.eq(0), row.eq(0), self.term_index.eq(0)]
                load("layer", "TERM")

            with m.State("TERM"):
                load("term", "PLACE")

            with m.State("PLACE"):
                m.d.comb += [counting.eq(1), self.place.eq(1)]
                m.next = "PLACED"

            with m.State("PLACED"):
                m.d.comb += [counting.eq(1), self.term_store.eq(self.placed)]
                m.d.sync += self.flag_address.eq(d.output_flags + self.output_flags)
                with m.If(self.placed):
                    m.d.sync += self.term_index.eq(self.term_index + 1)
                    m.next = "TERM"
                    with m.If(self.term_index == d.terms):
                        m.next = "START"
                        with m.If(~d.logits & (~d.store if config.term_count > 1 else 1)):
                            m.next = "CLEAR"

            with m.State("CLEAR"):
                m.d.comb += [counting.eq(1), self.flag_clear.eq(1)]
                m.d.sync += [self.flag_address.eq(self.flag_address + 1), row.eq(row + 1)]
                with m.If((row + 1)[: len(row)] == map_rows(config, d)):
                    m.d.sync += [row.eq(0), step.eq(step + 1)]
                    with m.If((step + 1)[: len(step)] == d.steps):
                        m.next = "START"

            with m.State("START"):
                m.d.comb += [counting.eq(1), self.start.eq(1)]
                m.next = "WALK"

            with m.State("WALK"):
                m.d.comb += counting.eq(1)
                with m.If(self.drained):
                    m.d.comb += self.walked.eq(1)
                    m.next = "SETTLE"

            with m.State("SETTLE"):
                # Every counter is added once more, beginning with the next one.
                m.d.comb += counting.eq(1)
                m.d.sync += last_counter.eq(counter_index)
                with m.If(stored):
                    m.next = "STORE"

            with m.State("STORE"), m.If(stored & (counter_index == last_counter)):
                m.d.sync += [
                    totals[Counter.CYCLES].eq(window),
                    counter_index.eq(0),
                    counter_first.eq(self.initial),
                    counter_base.eq(counter_base + len(Counter)),
                ]
                m.d.sync += layer.eq(layer + 1)
                m.next = "LOAD"
                with m.If((layer + 1)[: len(layer)] == self.layers):
                    m.d.comb += self.advance.eq(1)
                    m.d.sync += [
                        layer.eq(0),
                        outer.eq(outer + 1),
                        self.program_address.eq(0),
                        counter_base.eq(0),
                        counter_first.eq(0),
                    ]
                    with m.If((outer + 1)[: len(outer)] == self.outer_steps):
                        m.next = "IDLE"
        return m
