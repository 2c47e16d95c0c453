"""Row fetch: a row of a receptive field is a contiguous run of slots, read a word a cycle."""

from itertools import pairwise

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from .banks import pass_info_layout, word_layout
from .config import CoreConfig
from .memories import spike_read_latency
from .spans import own_slots, shared_word_layout, span_fields, span_layout

__all__ = ["Fetch", "row_layout"]


def row_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of a row request: ``count`` slots of the spike memory from ``slot`` on."""
    return data.StructLayout({
        "slot": config.slot_width,
        "count": config.slot_width,  # 0: nothing to read, only the end of a pass
        "weight": config.weight_address_width,  # weight slot of the first slot
        "last": 1,                   # last row of a pass
        "banks": config.mask_width,  # banks that read
        "info": pass_info_layout(config),
        **span_fields(config),
    })


class Fetch(wiring.Component):
    """Turns row requests into masked words. Throughput one word a cycle, also between rows.

    Members
    -------
    rows : ``In(stream.Signature(row_layout(config)))``
        Row requests; at least the last one of every pass, in order.
    address, data
        Read port of the spike memory; ``data`` follows ``spike_read_latency`` cycles after ``address``.
    words : ``Out(stream.Signature(word_layout(config), always_ready=True))``
        As soon as the data. With several clusters they have a :func:`.shared_word_layout`.
    passes : ``Out(stream.Signature(pass_info_layout(config)))``
        One entry for each pass, ahead of its words.
    room : ``In(1)``
        From :class:`Banks`: another word may be started.
    idle : ``Out(1)``
        Nothing in flight.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        words = word_layout(config) if config.clusters == 1 else shared_word_layout(config)
        super().__init__({
            "rows": In(stream.Signature(row_layout(config))),
            "address": Out(ceil_log2(config.spike_depth)),
            "data": In(config.word_width),
            "words": Out(stream.Signature(words, always_ready=True)),
            "passes": Out(stream.Signature(pass_info_layout(config))),
            "room": In(1),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        slots = config.word_slots
        offset_width = ceil_log2(slots)

        # The row being read: `offset` is its first slot in the current word.
        busy = Signal()
        word = Signal(ceil_log2(config.spike_depth))
        offset = Signal(offset_width)
        end = Signal(config.slot_width + 1)  # slots from the word's first to the row's end
        weight = Signal(config.weight_address_width)
        last = Signal()
        banks = Signal(config.mask_width)

        issue = Signal()
        row_done = Signal()
        m.d.comb += [
            issue.eq(busy & self.room),
            # end <= slots, a power of two.
            row_done.eq(
                ~end[offset_width + 1 :].any() & (~end[offset_width] | ~end[:offset_width].any())
            ),
            self.address.eq(word),
        ]
        with m.If(issue):
            m.d.sync += [
                word.eq(word + 1),
                offset.eq(0),
                end.eq(end - slots),
                weight.eq(weight + slots),
                busy.eq(~row_done),
            ]

        # A pass is announced with its first row.
        announced = Signal()
        row = self.rows.p
        take = Signal()
        m.d.comb += [
            self.passes.p.eq(row.info),
            self.passes.valid.eq(self.rows.valid & ~announced),
            take.eq((~busy | (issue & row_done)) & (announced | self.passes.ready)),
            self.rows.ready.eq(take),
        ]
        with m.If(self.passes.valid & self.passes.ready):
            m.d.sync += announced.eq(1)
        with m.If(self.rows.valid & take):
            m.d.sync += [
                busy.eq(1),
                word.eq(row.slot[offset_width:]),
                offset.eq(row.slot[:offset_width]),
                end.eq(row.slot[:offset_width] + row.count),
                # Mask bit 0 stands for the slot `offset` before the row; addresses wrap.
                weight.eq(row.weight - row.slot[:offset_width]),
                last.eq(row.last),
                banks.eq(row.banks),
                announced.eq(~row.last),
            ]

        # Later the word arrives, and is masked.
        all_slots = Const((1 << slots) - 1, slots)
        from_offset = (all_slots << offset)[:slots]
        to_end = ~(all_slots << end[: offset_width + 1])[:slots]
        reading = Signal(data.StructLayout({
            "valid": 1, "slots": slots, "weight": config.weight_address_width, "last": 1,
            "banks": config.mask_width,
        }))
        m.d.comb += [
            reading.valid.eq(issue),
            reading.slots.eq(from_offset & Mux(row_done, to_end, all_slots)),
            reading.weight.eq(weight),
            reading.last.eq(last & row_done),
            reading.banks.eq(banks),
        ]
        in_flight = []
        for cycle in range(1, spike_read_latency(config) + 1):
            following = Signal.like(reading, name=f"reading_{cycle}")
            m.d.sync += following.eq(reading)
            in_flight.append(following.valid)
            reading = following
        m.d.comb += self.words.valid.eq(reading.valid)
        if config.clusters > 1:
            self.elaborate_spans(m, take, issue, weight)
        else:
            m.d.comb += self.words.p.weight.eq(reading.weight)
        m.d.comb += self.words.p.last.eq(reading.last)
        for e in range(config.banks):
            m.d.comb += self.words.p.masks[e].eq(
                Cat(self.data[j * config.banks + e] for j in range(slots)) & reading.slots
                & (reading.banks[e].replicate(slots) if config.mask_width else all_slots)
            )
        m.d.comb += self.idle.eq(~(busy | Cat(in_flight).any() | self.rows.valid))
        return m

    def elaborate_spans(self, m: Module, take, issue, weight):
        """Add what says which slots of a word each cluster reads, in the cycle in which the word is there."""
        config, row, latency = self.config, self.rows.p, spike_read_latency(self.config)
        offset = row.slot[:exact_log2(config.word_slots)]
        span = Signal(span_layout(config))  # from the word's first slot on
        pixels = [Signal.like(row.info.pixels, name=f"pixels_{cycle}") for cycle in range(latency + 1)]
        m.d.sync += [after.eq(before) for before, after in pairwise(pixels)]
        with m.If(issue):
            m.d.sync += [span.left.eq(span.left - config.word_slots), span.right.eq(span.right - config.word_slots)]
        with m.If(self.rows.valid & take):
            m.d.sync += [
                span.left.eq(row.left + offset), span.right.eq(row.right + offset), span.stride.eq(row.stride),
                pixels[0].eq(row.info.pixels),
            ]
        slots, weights = own_slots(m, config, span, weight, cycles=latency)
        word = self.words.p
        m.d.comb += [Cat(word.own).eq(Cat(slots)), Cat(word.weights).eq(Cat(weights)), word.pixels.eq(pixels[-1])]
