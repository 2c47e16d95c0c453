"""The register bank; register writes start runs and the clearing of the input map, and stop both."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import CoreConfig
from .identity import interface_hash
from .memory_map import (
    EVENT_COUNT_WIDTH,
    IDENTITY,
    RUN_COUNT_WIDTH,
    Control,
    Register,
)
from .weight_stream import stream_width

__all__ = ["STOP_CYCLES", "Registers"]

STOP_CYCLES = 8
"""Cycles that a STOP holds the core in reset: what is on its way to a memory arrives in fewer."""


class Registers(wiring.Component):
    """Holds what the host sets and shows what the core reports, see :class:`Register`.

    Members
    -------
    address, write, write_data, read_data
        Host access; ``read_data`` follows ``address`` by one cycle.
    run, resume : ``Out(1)``
        The host asks for a run (one cycle).
    busy : ``In(1)``
        A run is under way.
    events_idle : ``In(1)``
        No event is waiting or being written: a run starts only then.
    stopping : ``Out(1)``
        The host asks to stop: all that runs programs is to be held in reset.
    clearing : ``Out(1)``
        The input map is being cleared: each cycle word ``clear_word`` and row flag ``clear_flag``.
    clear_counts : ``Out(1)``
        Reset the event counts.
    outer_steps, input_base, input_width, input_height, input_steps : ``Out``
        What the host has set.
    accepted, rejected : ``In(EVENT_COUNT_WIDTH)``
        Event counts.
    stream_slots, stream_half, stream_restart : ``Out``
        Only with memory outside the chip, to :class:`WeightStream`; a STOP begins the stream anew as well.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        super().__init__({
            "address": In(Register),
            "write": In(1),
            "write_data": In(32),
            "read_data": Out(32),
            "run": Out(1),
            "resume": Out(1),
            "busy": In(1),
            "events_idle": In(1),
            "stopping": Out(1),
            "clearing": Out(1),
            "clear_word": Out(ceil_log2(config.spike_depth)),
            "clear_flag": Out(ceil_log2(config.row_flag_count)),
            "clear_counts": Out(1),
            "outer_steps": Out(config.step_width),
            "input_base": Out(config.slot_width),
            "input_width": Out(config.side_width),
            "input_height": Out(config.side_width),
            "input_steps": Out(config.step_width),
            "accepted": In(EVENT_COUNT_WIDTH),
            "rejected": In(EVENT_COUNT_WIDTH),
            **({
                "stream_slots": Out(stream_width(config)), "stream_half": Out(1), "stream_restart": Out(1),
            } if config.external_depth else {}),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        input_words = Signal(ceil_log2(config.spike_depth + 1))
        runs = Signal(RUN_COUNT_WIDTH)
        wanted = Signal()  # a run was asked for and has not begun
        clear_left = Signal.like(input_words)
        flags_left = Signal(ceil_log2(config.row_flag_count + 1))
        steps_left = Signal.like(self.input_steps)  # whose flags are to be added to `flags_left`
        started = Signal()
        # Both a cycle late, since what decides them is far away: the host's next write takes longer to come.
        running, occupied = Signal(), Signal()
        m.d.sync += [running.eq(self.busy), occupied.eq(self.busy | wanted | self.clearing | self.stopping)]

        settable = {
            Register.OUTER_STEPS: self.outer_steps,
            Register.INPUT_BASE: self.input_base,
            Register.INPUT_WORDS: input_words,
            Register.INPUT_WIDTH: self.input_width,
            Register.INPUT_HEIGHT: self.input_height,
            Register.INPUT_STEPS: self.input_steps,
        }
        if config.external_depth:
            streams = {Register.STREAM_SLOTS: self.stream_slots, Register.STREAM_HALF: self.stream_half}
            settable |= streams
            written = Signal()
            m.d.sync += written.eq(self.write & ~running & Cat(self.address == each for each in streams).any())
            m.d.comb += self.stream_restart.eq(written | self.stopping)
        values = {
            Register.IDENTITY: IDENTITY,
            Register.CONFIGURATION: config.hash,
            Register.REGISTER_MAP: interface_hash(config),
            Register.STATUS: (runs << 1) | self.busy | wanted | self.clearing | self.stopping,
            Register.EVENTS_ACCEPTED: self.accepted,
            Register.EVENTS_REJECTED: self.rejected,
        }
        with m.Switch(self.address):
            for register, value in values.items():
                with m.Case(register):
                    m.d.sync += self.read_data.eq(value)
            with m.Default():
                m.d.sync += self.read_data.eq(0)
        with m.If(self.write & ~running), m.Switch(self.address):
            for register, signal in settable.items():
                with m.Case(register):
                    m.d.sync += signal.eq(self.write_data)

        # A run waits for the events before it; nothing but STOP interrupts a run or the clearing of the map.
        control = Signal(Control)
        asked = Signal()
        clear = Signal()
        stop = Signal()
        stop_left = Signal(range(STOP_CYCLES))
        given = Signal(Control)
        m.d.comb += given.eq(Mux(self.write & (self.address == Register.CONTROL), self.write_data, 0))
        m.d.sync += control.eq(Mux(stop, 0, given))
        m.d.comb += [
            stop.eq((given & Control.STOP).as_value().any()),
            asked.eq(~occupied),
            self.run.eq(wanted & self.events_idle),
            clear.eq(asked & (control & Control.CLEAR).as_value().any()),
        ]
        m.d.sync += [
            self.clear_counts.eq(clear),
            self.clearing.eq(clear | (clear_left > 1) | (steps_left != 0) | (flags_left > 1)),
        ]
        with m.If(asked & (control & Control.RUN).as_value().any()):
            m.d.sync += [
                wanted.eq(1),
                self.resume.eq((control & Control.RESUME).as_value().any()),
            ]
        with m.If(self.run):
            m.d.sync += wanted.eq(0)
        m.d.sync += started.eq(self.busy)
        with m.If(started & ~self.busy & ~self.stopping):
            m.d.sync += runs.eq(runs + 1)

        # One word and one row flag a cycle; the last ones are repeated until both are through.
        with m.If(clear):
            m.d.sync += [clear_left.eq(input_words), steps_left.eq(self.input_steps)]
        with m.If(clear_left != 0):
            m.d.sync += clear_left.eq(clear_left - 1)
        with m.If(steps_left != 0):
            m.d.sync += [steps_left.eq(steps_left - 1), flags_left.eq(flags_left + self.input_height)]
        with m.Elif(flags_left != 0):
            m.d.sync += flags_left.eq(flags_left - 1)
        m.d.sync += self.stopping.eq(stop | (stop_left != 0))
        with m.If(stop):
            m.d.sync += stop_left.eq(STOP_CYCLES - 1)
        with m.Elif(stop_left != 0):
            m.d.sync += stop_left.eq(stop_left - 1)
        with m.If(self.stopping):
            m.d.sync += [wanted.eq(0), clear_left.eq(0), steps_left.eq(0), flags_left.eq(0)]
        first_word = self.input_base[ceil_log2(config.word_slots) :]
        m.d.comb += [
            self.clear_word.eq(first_word + clear_left - (clear_left != 0)),
            self.clear_flag.eq(flags_left - (flags_left != 0)),
        ]
        return m
