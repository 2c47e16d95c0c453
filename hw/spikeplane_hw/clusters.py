"""Clusters: queues and lanes for neighbouring output pixels, which get the same words and read the same weights."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .banks import Banks, pass_info_layout
from .config import CoreConfig
from .lanes import Lanes
from .memories import HostPort
from .operand import operand_write
from .queue import Queue
from .spans import shared_word_layout
from .weight_stream import halves_ring, stream_write

__all__ = ["PAIR", "Clusters"]

PAIR = 2
"""Clusters that share weight memories, as many as block RAM has ports."""


class Clusters(wiring.Component):
    """Banks and lanes of each cluster. They run ahead of each other as far as their queues and snapshots let them.

    Members
    -------
    words : ``In(stream.Signature(shared_word_layout(config)))``
    passes : ``In(stream.Signature(pass_info_layout(config)))``
        As of :class:`.Banks`, for all clusters that read them.
    free, done : ``In(clusters)``, ``Out(clusters)``
    start, room : ``In(1)``, ``Out(1)``
    sums, reference_sum : ``Out``
        Those of all clusters, the first one's first.
    events, longest, longest_valid : ``Out``
        Sums over the clusters, a cycle later than theirs.
    half : ``In(1)``
        As of :class:`.Banks`.
    weights, operand, stream
        As of :class:`.Lanes`: written to all of them, and read from the first.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        count = config.clusters
        super().__init__({
            "words": In(stream.Signature(shared_word_layout(config), always_ready=True)),
            "passes": In(stream.Signature(pass_info_layout(config))),
            "free": In(count),
            "done": Out(count),
            "start": In(1),
            "room": Out(1),
            "sums": Out(data.ArrayLayout(config.accumulator_width, count * config.lanes)),
            "reference_sum": Out(count * config.accumulator_width),
            "events": Out(range(count * config.banks + 1)),
            "longest": Out(config.weight_address_width + 1 + exact_log2(count)),
            "longest_valid": Out(1),
            "weights": In(HostPort(config.lanes, config.weight_depth * config.banks)),
            **({"operand": In(operand_write(config))} if config.term_count > 1 else {}),
            **({"half": In(1)} if halves_ring(config) else {}),
            **({"stream": In(stream_write(config))} if config.external_depth else {}),
        })

    def elaborate(self, platform):
        m = Module()
        config, word = self.config, self.words.p
        banks = [Banks(config) for _ in range(config.clusters)]
        queues = [Queue(pass_info_layout(config), config.queue_depth) for _ in banks]
        pairs = [Lanes(config, sharing=PAIR) for _ in range(config.clusters // PAIR)]
        for index, pair in enumerate(pairs):
            m.submodules[f"lanes_{index}"] = pair
            self.connect_weights(m, pair)
        for q, (each, queue) in enumerate(zip(banks, queues, strict=True)):
            m.submodules[f"banks_{q}"], m.submodules[f"passes_{q}"] = each, queue
            pair = pairs[q // PAIR]
            m.d.comb += [
                queue.i.p.eq(self.passes.p),
                queue.i.valid.eq(self.passes.valid & self.passes.ready & (self.passes.p.pixels >= q)),
                each.passes.p.eq(queue.o.p),
                each.passes.valid.eq(queue.o.valid),
                queue.o.ready.eq(each.passes.ready),
                each.words.valid.eq(self.words.valid & (word.pixels >= q)),
                each.words.p.weight.eq(word.weights[q]),
                each.words.p.last.eq(word.last),
                *(own.eq(mask & word.own[q]) for own, mask in zip(each.words.p.masks, word.masks, strict=True)),
                each.free.eq(self.free[q]),
                each.start.eq(self.start),
                pair.of_each("beat")[q % PAIR].eq(each.beat),
                self.done[q].eq(pair.of_each("done")[q % PAIR]),
            ]
        if config.external_depth:
            self.elaborate_stream(m, banks, pairs)
        m.d.comb += [
            self.passes.ready.eq(Cat(queue.i.ready for queue in queues).all()),
            self.room.eq(Cat(each.room for each in banks).all()),
            self.sums.eq(Cat(value for pair in pairs for value in pair.of_each("sums"))),
            self.reference_sum.eq(Cat(value for pair in pairs for value in pair.of_each("reference_sum"))),
            self.longest_valid.eq(1),
            self.weights.read_data.eq(pairs[0].weights.read_data),
        ]
        m.d.sync += [
            self.events.eq(sum(each.events for each in banks)),
            self.longest.eq(sum(Mux(each.longest_valid, each.longest, 0) for each in banks)),
        ]
        return m

    def elaborate_stream(self, m: Module, banks: list[Banks], pairs: list[Lanes]):
        """Write what streams in through the first port of each pair, whose cluster leaves that bank alone meanwhile.

        The hold comes from a register, and stops an event a cycle before it would be read: the write waits for both.
        """
        hold, write = Signal(self.config.banks), self.stream
        m.d.sync += hold.eq(Mux(write.enable, 1 << write.bank, 0))
        for cycle in range(2):
            later = stream_write(self.config).create(path=(f"stream_{cycle}",))
            m.d.sync += [getattr(later, name).eq(getattr(write, name)) for name in later.signature.members]
            write = later
        for pair in pairs:
            m.d.comb += [getattr(pair.stream, name).eq(getattr(write, name)) for name in write.signature.members]
        for q, each in enumerate(banks):
            m.d.comb += each.hold.eq(hold if q % PAIR == 0 else 0)
            if halves_ring(self.config):
                m.d.comb += each.half.eq(self.half)

    def connect_weights(self, m: Module, pair: Lanes):
        """Let a pair's weights be written as those of all others."""
        names = ["address", "read", "write", "write_data"]
        m.d.comb += [getattr(pair.weights, name).eq(getattr(self.weights, name)) for name in names]
        if self.config.term_count > 1:
            names = ["enable", "slot", "bank", "block", "row"]
            m.d.comb += [getattr(pair.operand, name).eq(getattr(self.operand, name)) for name in names]
