"""Moves: words of spikes, or of potentials, are stored outside the chip, and loaded again."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from .config import CoreConfig
from .descriptor import move_layout, sample_bursts
from .external_bus import BURST_BEATS
from .memories import spike_read_latency

__all__ = ["Mover", "move_cycles"]

MOVE_LATENCY = 14
"""Cycles of a move besides those of its bursts: until what streams is there, and the memory answers."""


def move_cycles(words: int, beats_a_cycle: float) -> float:
    """Return the cycles from the start of a move of so many words until it is idle."""
    return words * BURST_BEATS / beats_a_cycle + MOVE_LATENCY


class Mover(wiring.Component):
    """Copies words of the spike memory, or of the state memory, to bursts or from them, one after the other.

    Parameters come from there as well.

    Members
    -------
    move : ``In(move_layout(config))``
        Static from ``start`` until ``idle``.
    sample : ``In``
        Of a batch, the one that runs; static as ``move``.
    start : ``In(1)``
        Begin.
    first_piece, next_piece : ``In(1)``
        Only if the configuration has several terms: a layer begins; its moves for a piece are over, and those for the
        next one follow. All pieces have as many words as the move at hand.
    idle : ``Out(1)``
        Nothing is under way.
    moving : ``Out(1)``
        Memory outside the chip is needed.
    word : ``Out``
        Word that is read, or written.
    write : ``Out(1)``
        Write the burst that has arrived.
    states, parameters : ``Out(1)``
        Only if the configuration has several terms: the state memory is meant, or the parameter memory.
    request : ``Out(stream)``, arrived : ``In(1)``
        To :class:`ExternalPort`. What a burst is to hold is the memory's output, ``spike_read_latency`` cycles
        after ``word``.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        super().__init__({
            "move": In(move_layout(config)),
            "sample": In(exact_log2(config.most_samples)),
            "start": In(1),
            "idle": Out(1),
            "moving": Out(1),
            "word": Out(move_layout(config)["word"].width),
            "write": Out(1),
            **({
                "states": Out(1), "parameters": Out(1), "first_piece": In(1), "next_piece": In(1),
            } if config.term_count > 1 else {}),
            "request": Out(stream.Signature(data.StructLayout({
                "write": 1, "address": ceil_log2(config.external_depth),
            }))),
            "arrived": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        config, move, request = self.config, self.move, self.request
        left, coming = Signal.like(move.words), Signal.like(move.words)  # less one: to be asked for, to arrive
        asking = Signal()
        latency = spike_read_latency(config)
        reading = Signal(range(latency + 1))  # cycles until the word is there that is to be stored
        of_sample = Cat(Const(0, exact_log2(sample_bursts(config))), Mux(move.sampled, self.sample, 0))
        m.d.comb += [
            self.idle.eq(~self.start & ~self.moving),
            request.p.write.eq(move.store),
            request.valid.eq(asking & (reading == 0)),
            self.write.eq(self.moving & ~move.store & self.arrived),
        ]
        first_burst = move.burst | of_sample
        if config.term_count > 1:
            before = Signal.like(move.burst)  # bursts of the layer's pieces before this one
            m.d.comb += [
                self.states.eq(self.moving & move.states), self.parameters.eq(self.moving & move.parameters),
            ]
            with m.If(self.next_piece):
                m.d.sync += before.eq(before + move.words + 1)
            with m.If(self.first_piece):
                m.d.sync += before.eq(0)
            first_burst = Mux(move.piece, move.burst + before, first_burst)
        with m.If(reading != 0):
            m.d.sync += reading.eq(reading - 1)
        with m.If(request.valid & request.ready):
            m.d.sync += [request.p.address.eq(request.p.address + 1), left.eq(left - 1), asking.eq(left != 0)]
            with m.If(move.store):
                m.d.sync += [self.word.eq(self.word + 1), reading.eq(latency), self.moving.eq(left != 0)]
        with m.If(self.write):
            m.d.sync += [self.word.eq(self.word + 1), coming.eq(coming - 1), self.moving.eq(coming != 0)]
        with m.If(self.start):
            m.d.sync += [
                self.moving.eq(1), asking.eq(1), left.eq(move.words), coming.eq(move.words), self.word.eq(move.word),
                request.p.address.eq(first_burst), reading.eq(Mux(move.store, latency, 0)),
            ]
        return m
