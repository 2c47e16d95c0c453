"""Bank queues: each bank pops one active input a cycle, and all wait for each other after a pass."""

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .bank import Bank
from .config import CoreConfig
from .lanes import beat_layout
from .memories import spike_read_latency
from .weight_stream import halves_ring, held_banks, in_ring

__all__ = ["Banks", "pass_info_layout", "word_layout"]


def word_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of a spike-memory word on its way to the banks."""
    return data.StructLayout({
        "masks": data.ArrayLayout(config.word_slots, config.banks),  # active inputs of each bank
        "weight": config.weight_address_width,  # weight slot of mask bit 0, modulo the bank's depth
        "last": 1,  # last word of a pass
    })


def pass_info_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of what the lanes must know of a pass."""
    return data.StructLayout({
        "reference": config.reference_width,  # active inputs of a bank, or of all, count in the reference sum
        "double": 1,     # double the accumulators afterwards
        "end": 1,        # last pass of a segment
        **({"pixels": exact_log2(config.clusters)} if config.clusters > 1 else {}),  # clusters that read, less one
    })


class Banks(wiring.Component):
    """All banks, and what they wait for together.

    A bank runs ahead of the others up to the end of a pass. Between two passes no cycle is lost:
    the cycle in which the slowest bank pops its last event moves every bank on.

    Members
    -------
    words : ``In(stream.Signature(word_layout(config)))``
        Words; a bank whose mask is zero stores nothing, but for the last word of a pass.
    passes : ``In(stream.Signature(pass_info_layout(config)))``
        One entry for each pass, not later than its first word.
    free : ``In(1)``
        ``update`` is done with a snapshot: one more segment may end.
    hold : ``In(banks)``
        Only with several clusters and memory outside the chip: banks that pop nothing in this cycle.
    half : ``In(1)``
        Only where operands may lie beside weights that stream in: weight slots are modulo half of them.
    start : ``In(1)``
        A layer starts: clear the accumulators, which host reads of weights disturb.
    beat : ``Out(beat_layout(config))``
        To the lanes, see docs/core.md.
    events : ``Out(range(banks + 1))``
        Active inputs popped in this cycle.
    longest, longest_valid : ``Out``
        Longest queue of a pass, once for each pass.
    room : ``Out(1)``
        The queues take another word besides those already on their way.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        self.in_flight = spike_read_latency(config) + 1 + config.wire_registers
        """Words that may still come after ``room`` falls."""
        super().__init__({
            "words": In(stream.Signature(word_layout(config), always_ready=True)),
            "passes": In(stream.Signature(pass_info_layout(config))),
            "free": In(1),
            **({"hold": In(config.banks)} if held_banks(config) else {}),
            **({"half": In(1)} if halves_ring(config) else {}),
            "start": In(1),
            "beat": Out(beat_layout(config)),
            "events": Out(range(config.banks + 1)),
            "longest": Out(config.weight_address_width + 1),
            "longest_valid": Out(1),
            "room": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        # If accumulators double in cycles of their own, the queues are held in them.
        double = Signal()
        hold = double if config.doubling_cycles else Const(0)
        advance = Signal()
        finished = Signal(config.banks)
        rooms = Signal(config.banks)
        pops = Signal(config.banks)
        counts = []

        stage = Signal(beat_layout(config))
        words = Signal(word_layout(config))
        words_valid = Signal()
        m.d[config.wire_domain] += [words.eq(self.words.p), words_valid.eq(self.words.valid)]

        for e in range(config.banks):
            m.submodules[f"bank_{e}"] = bank = Bank(config)
            count = Signal(config.weight_address_width + 1, name=f"count_{e}")
            slot = Signal(config.weight_address_width, name=f"slot_{e}")
            m.d.comb += [
                bank.mask.eq(words.masks[e]),
                bank.weight.eq(words.weight),
                bank.last.eq(words.last),
                bank.valid.eq(words_valid),
                bank.hold.eq(hold | self.hold[e] if held_banks(config) else hold),
                bank.advance.eq(advance),
                rooms[e].eq(bank.level < config.queue_depth - self.in_flight),
                pops[e].eq(bank.pop),
                finished[e].eq(bank.finished),
                slot.eq(bank.base + bank.position),
                self.beat.address[e].eq(in_ring(slot, self.half) if halves_ring(config) else slot),
            ]
            # `count` is what the pass popped before this cycle.
            m.d.sync += count.eq(Mux(advance, 0, count + pops[e]))
            # What it popped in all, in the cycle after its end; a core with a slower clock has the time at once.
            popped = Signal.like(count, name=f"popped_{e}")
            m.d[config.wire_domain] += popped.eq(count + pops[e])
            counts.append(popped)

        m.d.sync += self.room.eq(rooms.all())

        # What decides is at hand in registers: an entry has come before its pass is popped.
        info = Signal(pass_info_layout(config))
        info_valid = Signal()
        m.d.comb += self.passes.ready.eq(~info_valid | advance)
        with m.If(self.passes.ready):
            m.d.sync += [info.eq(self.passes.p), info_valid.eq(self.passes.valid)]

        # One snapshot: taken when a segment's last beat leaves, given back by `free`.
        snapshot_free = Signal(init=1)
        m.d.comb += advance.eq(finished.all() & info_valid & (~info.end | snapshot_free | self.free))
        with m.If(advance & info.end):
            m.d.sync += snapshot_free.eq(0)
        with m.Elif(self.free):
            m.d.sync += snapshot_free.eq(1)

        # `double` and `clear` act before the first beat after a pass, active or not.
        clear = Signal()
        m.d.sync += [
            double.eq(advance & info.double & ~info.end),
            clear.eq((advance & info.end) | self.start),
            stage.active.eq(pops),
            stage.double.eq(double),
            stage.clear.eq(clear),
            stage.reference.eq(info.reference),
            stage.end.eq(advance & info.end),
        ]
        m.d.comb += [
            self.beat[name].eq(stage[name]) for name in ("active", "double", "clear", "reference", "end")
        ]
        m.d.sync += self.events.eq(sum(pops[e] for e in range(config.banks)))

        # Longest queue of each pass: a pipelined tree, since passes may end in every cycle.
        level = counts
        delayed = Signal()
        m.d[config.wire_domain] += delayed.eq(advance)
        while len(level) > 1:
            merged = [
                Signal(config.weight_address_width + 1, name=f"longest_{len(level)}_{i}")
                for i in range(len(level) // 2)
            ]
            for i, value in enumerate(merged):
                a, b = level[2 * i], level[2 * i + 1]
                m.d.sync += value.eq(Mux(a > b, a, b))
            following = Signal(name=f"longest_valid_{len(level)}")
            m.d.sync += following.eq(delayed)
            level, delayed = merged, following
        m.d.comb += [self.longest.eq(level[0]), self.longest_valid.eq(delayed)]
        return m
