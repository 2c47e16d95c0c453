"""Operands of products: a spike map is copied into the weight banks, as {0,1} weights."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import CoreConfig
from .descriptor import load_layout
from .memories import spike_read_latency

__all__ = ["CopiedBlock", "Operand", "copied_blocks", "load_cycles", "operand_write"]

PLACE_CYCLES = 2
"""Cycles to add up an address."""


@dataclass(frozen=True)
class CopiedBlock:
    """E slots of a map, E bits each, that become E bits of each bank in one weight slot."""

    slots: tuple[int, ...]
    """Where they are read, modulo the width of a slot address."""
    weight: int
    """Weight slot."""
    block: int
    """The first of its lanes is ``block * banks``."""


def copied_blocks(config: CoreConfig, load: Mapping[str, int], offset: int) -> Iterator[CopiedBlock]:
    """Yield the blocks of a load in order: by channel group, step, weight slot, block of lanes.

    With ``transposed``, bank k gets the k-th slot read, whose channels are lanes; without, it gets channel k
    of all slots read, whose pixels are lanes. ``offset`` is the place of the map, see :class:`InputPlace`.
    """
    weight, banks = load["weight_base"], config.banks
    for group in range(load["groups"]):
        for step in range(load["steps"]):
            first = load["input_base"] + offset + group * load["input_group"] + step * load["input_step"]
            for slot in range(load["weight_slots"]):
                for block in range(load["blocks"]):
                    pixels, channel = (slot, block) if load["transposed"] else (block, slot)
                    yield CopiedBlock(tuple(
                        (first + channel + (pixels * banks + k) * load["input_pixel"]) % (1 << config.slot_width)
                        for k in range(banks)
                    ), weight, block)
                weight += 1


def load_cycles(config: CoreConfig, load: Mapping[str, int]) -> int:
    """Return the cycles from the start of a load until it is idle."""
    blocks = load["groups"] * load["steps"] * load["weight_slots"] * load["blocks"]
    # The last block is written while nothing is read.
    return (blocks + 1) * config.banks + PLACE_CYCLES + spike_read_latency(config) + 3


def operand_write(config: CoreConfig) -> wiring.Signature:
    """Return the signature of a write: in a cycle with ``enable`` a row of E bits goes to E lanes of a bank."""
    return wiring.Signature({
        "enable": Out(1),
        "slot": Out(config.weight_address_width),
        "bank": Out(range(config.banks)),
        "block": Out(range(config.lanes // config.banks)),
        "row": Out(config.banks),
    })


class Operand(wiring.Component):
    """Copies a map: a slot is read and E bits of a bank are written a cycle.

    Members
    -------
    load : ``In(load_layout(config))``
        Static from ``start`` until ``idle``.
    offset : ``In(slot_width)``
        Place of the map, from :class:`MapPlaces`; static as ``load``.
    start : ``In(1)``
        Copy the map.
    address, data
        Read port of the spike memory; ``data`` follows ``spike_read_latency`` cycles after ``address``.
    write : ``Out(operand_write(config))``
        To the weight banks.
    idle : ``Out(1)``
        Nothing is under way.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        super().__init__({
            "load": In(load_layout(config)),
            "offset": In(config.slot_width),
            "start": In(1),
            "address": Out(ceil_log2(config.spike_depth)),
            "data": In(config.word_width),
            "write": Out(operand_write(config)),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        offset_width = ceil_log2(config.word_slots)
        running, reads, begins, slot = self.elaborate_places(m)

        # Until the word is there its slot in it waits, and whether it begins a block.
        m.d.comb += self.address.eq(slot[offset_width:])
        waiting = [Cat(reads, begins, slot[:offset_width])]
        for cycle in range(spike_read_latency(config)):
            following = Signal(2 + offset_width, name=f"waiting_{cycle}")
            m.d.sync += following.eq(waiting[-1])
            waiting.append(following)
        read = Signal(2)
        row = Signal(config.banks)
        words = [self.data.word_select(index, config.banks) for index in range(config.word_slots)]
        m.d.sync += [read.eq(waiting[-1][:2]), row.eq(Array(words)[waiting[-1][2:]])]

        write = self.elaborate_turning(m, read[0], read[1], row)
        pending = Cat(running, *(each[0] for each in waiting), read[0], write)
        m.d.comb += self.idle.eq(~self.start & ~pending.any())
        return m

    def elaborate_places(self, m: Module):
        """Add the loops over slots to be read.

        Return whether any are on their way, whether one is read, whether it begins a block, and the slot.
        """
        config, load = self.config, self.load
        shape = config.slot_width
        running = Signal()
        over = Signal()  # the last block is read: as many cycles follow
        k = Signal(range(config.banks))
        left = {name: Signal.like(load[name], name=f"left_{name}")
                for name in ("blocks", "weight_slots", "steps", "groups")}
        pixels = Signal(shape)  # slots of the pixels before this one
        block_pixels = Signal(shape)  # those before this slot's first one
        channel = Signal(max(len(load.weight_slots), len(load.blocks)))  # slot of the pixel
        step_first, group_first = Signal(shape), Signal(shape)
        last = {name: value == 1 for name, value in left.items()}
        next_pixels = Signal(shape)
        m.d.comb += next_pixels.eq(pixels + load.input_pixel)

        with m.If(self.start):
            first = load.input_base + self.offset
            m.d.sync += [
                running.eq(1), over.eq(0), k.eq(0), pixels.eq(0), block_pixels.eq(0), channel.eq(0),
                step_first.eq(first), group_first.eq(first), *(value.eq(load[name]) for name, value in left.items()),
            ]
        with m.Elif(running):
            m.d.sync += [k.eq(k + 1), pixels.eq(next_pixels)]
            with m.If(k == config.banks - 1):
                m.d.sync += [k.eq(0), left["blocks"].eq(left["blocks"] - 1)]
                with m.If(load.transposed):
                    m.d.sync += [channel.eq(channel + 1), pixels.eq(block_pixels)]
                with m.If(last["blocks"]):
                    m.d.sync += [
                        left["blocks"].eq(load.blocks),
                        left["weight_slots"].eq(left["weight_slots"] - 1),
                        channel.eq(Mux(load.transposed, 0, channel + 1)),
                        pixels.eq(Mux(load.transposed, next_pixels, 0)),
                        block_pixels.eq(next_pixels),
                    ]
                    with m.If(last["weight_slots"]):
                        m.d.sync += [
                            left["weight_slots"].eq(load.weight_slots),
                            left["steps"].eq(left["steps"] - 1),
                            channel.eq(0), pixels.eq(0), block_pixels.eq(0),
                            step_first.eq(step_first + load.input_step),
                        ]
                        with m.If(last["steps"]):
                            m.d.sync += [
                                left["steps"].eq(load.steps),
                                left["groups"].eq(left["groups"] - 1),
                                step_first.eq(group_first + load.input_group),
                                group_first.eq(group_first + load.input_group),
                                over.eq(last["groups"]),
                            ]
                with m.If(over):
                    m.d.sync += running.eq(0)

        # An address takes a cycle for each of its two sums.
        near, slot, pixels_1 = Signal(shape), Signal(shape), Signal(shape)
        going = [Cat(running, k == 0)]
        for cycle in range(PLACE_CYCLES):
            following = Signal(2, name=f"going_{cycle}")
            m.d.sync += following.eq(going[-1])
            going.append(following)
        m.d.sync += [near.eq(step_first + channel), pixels_1.eq(pixels), slot.eq(near + pixels_1)]
        return Cat(each[0] for each in going).any(), going[-1][0], going[-1][1], slot

    def elaborate_turning(self, m: Module, valid, begins, row):
        """Add the way from rows that are read to rows that are written; return whether one is written.

        Rows are shifted into a square of bits while those of the block before are shifted out at the other
        side. If the way is another one for each block, they come out turned.
        """
        config, load, write = self.config, self.load, self.write
        banks = config.banks
        square = [Signal(banks, name=f"square_{index}") for index in range(banks)]
        sideways, was_sideways = Signal(), Signal()
        seen, was_full = Signal(), Signal()
        full = Signal()  # what comes out is a block
        m.d.comb += [
            sideways.eq(was_sideways ^ (begins & ~load.transposed)),
            full.eq(Mux(begins, seen, was_full)),
        ]
        with m.If(self.start):
            m.d.sync += [seen.eq(0), was_full.eq(0)]
        with m.Elif(valid):
            m.d.sync += [was_sideways.eq(sideways), was_full.eq(full), seen.eq(1)]
            for index, bits in enumerate(square):
                above = square[index + 1] if index + 1 < banks else row
                m.d.sync += bits.eq(Mux(sideways, Cat(bits[1:], row[index]), above))

        block_left = Signal.like(load.blocks)
        m.d.sync += [
            write.enable.eq(valid & full),
            write.row.eq(Mux(sideways, Cat(bits[0] for bits in square), square[0])),
        ]
        with m.If(self.start):
            m.d.sync += [
                write.slot.eq(load.weight_base), write.bank.eq(0), write.block.eq(0), block_left.eq(load.blocks),
            ]
        with m.Elif(write.enable):
            m.d.sync += write.bank.eq(write.bank + 1)
            with m.If(write.bank == banks - 1):
                m.d.sync += [write.bank.eq(0), write.block.eq(write.block + 1), block_left.eq(block_left - 1)]
                with m.If(block_left == 1):
                    m.d.sync += [write.block.eq(0), block_left.eq(load.blocks), write.slot.eq(write.slot + 1)]
        return write.enable
