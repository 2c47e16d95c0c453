"""The sequencer: does the jobs of a program, once for each outer step of a run."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from .config import CoreConfig
from .descriptor import (
    PROGRAM_WIDTH,
    Job,
    collect_layout,
    descriptor_words,
    job_layout,
    layer_layout,
    load_layout,
    map_rows,
    move_layout,
    program_depth,
    term_layout,
    walk_layout,
)
from .state_memory import moves_states

__all__ = ["FETCH_CYCLES", "Sequencer"]

FETCH_CYCLES = 3
"""Cycles from a job's address to its first word: those before a layer count as its own."""


class Sequencer(wiring.Component):
    """Reads job after job. A walk clears its output's row flags before and settles its counters afterwards.

    Members
    -------
    run, resume : ``In(1)``
        Run the program; with ``resume`` as if the run before went on: states, logits and counters
        are kept.
    busy : ``Out(1)``
        A run is under way.
    outer_steps : ``In``
        How often a run goes through the jobs.
    program_address, program_data
        Read port of the program memory, one cycle latency.
    layer : ``Out(layer_layout(config))``
        The current layer.
    term : ``Out(term_layout(config))``
        Its last term; while terms are loaded each of them.
    term_index, term_store : ``Out``
        To :class:`Walker`: ``term`` is there, and so is its place.
    load, load_start : ``Out``
        To :class:`Operand`; only if the configuration has several terms.
    load_idle : ``In(1)``
        From there.
    move, move_start : ``Out``, move_idle : ``In(1)``
        To and from :class:`Mover`; only with memory outside the chip.
    first_piece, next_piece : ``Out(1)``
        To :class:`Mover`.
    pieces, resume_walk : ``Out(1)``, paused : ``In(1)``
        To and from :class:`Walker`, where streams can be stored outside the chip: the walk stops for moves, and nothing
        that came before is in flight any more; it is to go on.
    restart, place, walked, advance : ``Out(1)``
        To :class:`MapPlaces`.
    placed, output_flags : ``In``
        From there.
    start, initial : ``Out(1)``
        To :class:`Walker`.
    time : ``In``, collected : ``Out(1)``
        Only where batches are built: from :class:`MapPlaces`, and to :class:`Statistics`: what is done now is done
        for all samples at once.
    drained : ``In(1)``
        Nothing of the layer is in flight any more.
    flag_clear, flag_address : ``Out``
        Clear a row flag.
    counting, settle : ``Out(1)``
        To :class:`Statistics`: a layer is under way; it is over.
    settled : ``In(1)``
        What it counted is stored.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        flag_width = ceil_log2(config.row_flag_count)
        several = config.term_count > 1
        moves = {"move": Out(move_layout(config)), "move_start": Out(1), "move_idle": In(1)}
        if moves_states(config):
            moves |= {name: Out(1) for name in ("first_piece", "next_piece", "pieces", "resume_walk")}
            moves |= {"paused": In(1)}
        super().__init__({
            "run": In(1),
            "resume": In(1),
            "busy": Out(1),
            "outer_steps": In(config.step_width),
            "program_address": Out(ceil_log2(program_depth(config))),
            "program_data": In(PROGRAM_WIDTH),
            "layer": Out(layer_layout(config)),
            "term": Out(term_layout(config)),
            "term_index": Out(ceil_log2(config.term_count)),
            "term_store": Out(1),
            **({"load": Out(load_layout(config)), "load_start": Out(1), "load_idle": In(1)} if several else {}),
            **(moves if config.external_depth else {}),
            "start": Out(1),
            "initial": Out(1),
            **({"time": In(exact_log2(config.tap_count)), "collected": Out(1)} if config.most_samples > 1 else {}),
            "restart": Out(1),
            "place": Out(1),
            "walked": Out(1),
            "advance": Out(1),
            "placed": In(1),
            "output_flags": In(flag_width),
            "drained": In(1),
            "flag_clear": Out(1),
            "flag_address": Out(flag_width),
            "counting": Out(1),
            "settle": Out(1),
            "settled": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        several = config.term_count > 1
        d = self.layer
        words = {job: descriptor_words(job_layout(config, job)) for job in Job}
        shifted = {
            job: Signal(words[job] * PROGRAM_WIDTH, name=f"shifted_{job.name.lower()}") for job in (Job.LAYER, Job.TERM)
        }
        m.d.comb += [
            d.eq(shifted[Job.LAYER][: len(d.as_value())]),
            self.term.eq(shifted[Job.TERM][: len(self.term.as_value())]),
        ]
        if several:
            shifted[Job.LOAD] = shifted[Job.TERM]
            m.d.comb += self.load.eq(shifted[Job.TERM][: len(self.load.as_value())])
        if config.external_depth:
            # A register of its own: moves come while terms are needed.
            shifted[Job.MOVE] = Signal(words[Job.MOVE] * PROGRAM_WIDTH, name="shifted_move")
            m.d.comb += self.move.eq(shifted[Job.MOVE][: len(self.move.as_value())])

        outer = Signal.like(self.outer_steps)
        resumed = Signal()
        left = Signal(range(max(words.values())))  # words of the descriptor still to come
        m.d.comb += self.initial.eq((outer == 0) & ~resumed)

        step = Signal.like(d.steps)
        row = Signal.like(d.output_rows)
        job = Signal(Job)  # whose descriptor is being read
        opened = Signal()  # a layer is under way
        begun = Signal()  # its walk, which stopped for moves
        again = Signal.like(self.program_address)  # the job behind its last term, from which on jobs are done again
        m.d.comb += [self.busy.eq(1), self.counting.eq(opened)]

        # With several clusters the walker's memory of terms is far away: a term is stored a cycle later, which is still
        # before the next descriptor comes.
        far = config.clusters > 1
        stores = Signal(name="stores") if far else self.term_store
        next_term = self.term_index.eq(self.term_index + 1)
        if far:
            m.d.sync += self.term_store.eq(stores)
            with m.If(self.term_store):
                m.d.sync += next_term

        # What a job is decides a lot: a block RAM's output would be too late for all of it in one cycle.
        word = Signal(PROGRAM_WIDTH)
        m.d.sync += word.eq(self.program_data)

        def take(target):
            """Shift a word of a descriptor in: the one that was addressed two cycles before."""
            return target.eq(Cat(target[PROGRAM_WIDTH:], word))

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.busy.eq(0), self.restart.eq(self.run)]
                m.d.sync += [
                    outer.eq(0),
                    self.program_address.eq(0),
                    opened.eq(0),
                    begun.eq(0),
                ]
                if config.most_samples > 1:
                    m.d.sync += self.collected.eq(0)
                with m.If(self.run):
                    m.d.sync += resumed.eq(self.resume)
                    m.next = "NEXT"

            with m.State("NEXT"):
                m.d.sync += self.program_address.eq(self.program_address + 1)
                m.next = "FETCH"

            with m.State("FETCH"):
                m.d.sync += self.program_address.eq(self.program_address + 1)
                m.next = "JOB"

            with m.State("JOB"):
                first = Signal(Job)
                m.d.comb += first.eq(word)
                m.d.sync += [job.eq(first), step.eq(0), row.eq(0)]
                with m.Switch(first):
                    for each, target in shifted.items():
                        with m.Case(each):
                            m.d.sync += [
                                take(target), left.eq(words[each] - 1),
                                self.program_address.eq(self.program_address + (words[each] > 2)),
                            ]
                            m.next = "READ"
                    with m.Case(Job.WALK):
                        # It is one word, and the one behind it has been read.
                        m.d.sync += self.program_address.eq(self.program_address - 1)
                        m.next = "START"
                        with m.If(~d.logits & (~d.store if several else 1)):
                            m.next = "CLEAR"
                        if moves_states(config):
                            walk = data.View(walk_layout(config), word[: walk_layout(config).size])
                            m.d.sync += self.pieces.eq(walk.pieces)
                            with m.If(begun):
                                m.next = "RESUME"
                    if config.most_samples > 1:
                        with m.Case(Job.COLLECT):
                            m.next = "END"
                            with m.If(data.View(collect_layout(config), word[: collect_layout(config).size]).samples
                                      == self.time):
                                m.d.sync += [self.program_address.eq(self.program_address - 1), self.collected.eq(1)]
                                m.next = "NEXT"
                    with m.Default():
                        m.next = "END"
                with m.If(first == Job.LAYER):
                    m.d.sync += [self.term_index.eq(0), opened.eq(1)]
                    if moves_states(config):
                        m.d.comb += self.first_piece.eq(1)

            with m.State("READ"):
                m.d.sync += [
                    left.eq(left - 1),
                    self.program_address.eq(self.program_address + (left > 2)),
                ]
                with m.Switch(job):
                    for each in (Job.LAYER, *([Job.MOVE] if config.external_depth else [])):
                        with m.Case(each):
                            m.d.sync += take(shifted[each])
                    with m.Default():
                        m.d.sync += take(shifted[Job.TERM])
                with m.If(left == 1):
                    m.next = "PLACE"
                    with m.If(job == Job.LAYER):
                        m.next = "NEXT"
                    if config.external_depth:
                        with m.Elif(job == Job.MOVE):
                            m.next = "MOVE"

            if config.external_depth:
                with m.State("MOVE"):
                    m.d.comb += self.move_start.eq(1)
                    m.next = "MOVED"

                with m.State("MOVED"), m.If(self.move_idle):
                    m.next = "NEXT"
                    with m.If(self.move.last):
                        m.next = "SETTLE"
                        if moves_states(config):
                            with m.If(begun):
                                m.next = "REPEAT"

            if moves_states(config):
                with m.State("REPEAT"):
                    m.d.comb += self.next_piece.eq(1)
                    m.d.sync += self.program_address.eq(again)
                    m.next = "NEXT"

                with m.State("RESUME"):
                    m.d.comb += self.resume_walk.eq(1)
                    m.next = "WALK"

            with m.State("PLACE"):
                m.d.comb += self.place.eq(1)
                m.next = "PLACED"

            with m.State("PLACED"):
                m.d.sync += self.flag_address.eq(d.output_flags + self.output_flags)
                with m.If(self.placed):
                    m.next = "NEXT"
                    if several:
                        with m.If(job == Job.LOAD):
                            m.d.comb += self.load_start.eq(1)
                            m.next = "COPY"
                        with m.Else():
                            m.d.comb += stores.eq(1)
                    else:
                        m.d.comb += stores.eq(1)
                with m.If(stores):
                    m.d.sync += [*([] if far else [next_term]), again.eq(self.program_address)]

            if several:
                with m.State("COPY"), m.If(self.load_idle):
                    m.next = "NEXT"

            with m.State("CLEAR"):
                m.d.comb += self.flag_clear.eq(1)
                m.d.sync += [self.flag_address.eq(self.flag_address + 1), row.eq(row + 1)]
                with m.If((row + 1)[: len(row)] == map_rows(config, d)):
                    m.d.sync += [row.eq(0), step.eq(step + 1)]
                    with m.If((step + 1)[: len(step)] == d.steps):
                        m.next = "START"

            with m.State("START"):
                m.d.comb += self.start.eq(1)
                m.next = "WALK"

            with m.State("WALK"):
                with m.If(self.drained):
                    m.d.comb += self.walked.eq(1)
                    m.d.sync += begun.eq(0)
                    m.next = "SETTLE"
                    if config.external_depth:
                        with m.If(d.moved):
                            m.next = "NEXT"
                if moves_states(config):
                    with m.If(self.paused):
                        m.d.sync += begun.eq(1)
                        m.next = "REPEAT"
                        with m.If(d.moved):
                            m.next = "NEXT"

            with m.State("SETTLE"):
                m.d.comb += [self.counting.eq(0), self.settle.eq(1)]
                with m.If(self.settled):
                    m.d.sync += opened.eq(0)
                    m.next = "NEXT"

            with m.State("END"):
                m.d.comb += self.advance.eq(1)
                m.d.sync += [outer.eq(outer + 1), self.program_address.eq(0)]
                m.next = "NEXT"
                with m.If((outer + 1)[: len(outer)] == self.outer_steps):
                    m.next = "IDLE"
        return m
