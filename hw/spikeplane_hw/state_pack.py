"""Packed states: quantized potentials of neighbouring chunks share a word of the state memory.

A unit's part of a word holds ``1 << pack`` codes of ``STATE_WIDTH >> pack`` bits, the first chunk's
lowest. The narrowest codes that are packed, STATE_WIDTH / ``most_packed`` bits wide, divide it into
*fields*: a wider code takes several. Chunks of a channel group follow each other cycle by cycle, so
a word is read as often as it has codes, and then written as often, each time with one code more.
"""

from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data
from amaranth.utils import ceil_log2, exact_log2

from .config import CoreConfig
from .neuron import STATE_WIDTH
from .neuron_unit import UNITS_PER_COPY
from .synthesis import COPY

__all__ = [
    "gather_code", "gather_layout", "gather_place", "pack_states", "read_code", "read_layout", "read_place",
]


def read_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of where in a word the codes of a chunk are read."""
    levels = exact_log2(config.most_packed)
    return data.StructLayout({
        "pack": range(levels + 1),
        "first": levels,  # field
        "last": levels,
    })


def read_place(config: CoreConfig, chunk, pack) -> dict:
    """Return the fields of :func:`read_layout` for the codes of chunk ``chunk`` of its group."""
    levels = exact_log2(config.most_packed)
    starts = [Cat(Const(0, levels - shared), chunk[:shared]) for shared in range(levels + 1)]
    first = Array(starts)[pack]
    return {"pack": pack, "first": first, "last": first | (Const(config.most_packed - 1) >> pack)}


def read_code(config: CoreConfig, word, place):
    """Return the code, signed, that is at ``place`` in a unit's part of a word."""
    most = config.most_packed
    levels = exact_log2(most)
    width = STATE_WIDTH // most
    sign = Array(word.word_select(field, width)[-1] for field in range(most))[place.last]
    bits = [Array(word.word_select(field, width) for field in range(most))[place.first]]
    for level in range(1, levels + 1):
        # As many bits again: of the word if codes are that wide, else all are the sign.
        upper = [word.word_select(part, 2 * width)[width:] for part in range(most >> level)]
        chosen = Array(upper)[place.first[level:]] if len(upper) > 1 else upper[0]
        bits.append(Mux(place.pack > levels - level, sign.replicate(width), chosen))
        width *= 2
    return Cat(bits).as_signed()


def gather_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of where in a word the codes of a chunk are put."""
    return data.StructLayout({
        "pack": range(exact_log2(config.most_packed) + 1),
        "taken": config.most_packed,  # its fields
    })


def gather_place(config: CoreConfig, chunk, pack) -> dict:
    """Return the fields of :func:`gather_layout` for the codes of chunk ``chunk`` of its group."""
    place = read_place(config, chunk, pack)
    taken = [
        (place["first"] <= field) & (place["last"] >= field) for field in range(config.most_packed)
    ]
    return {"pack": pack, "taken": Cat(taken)}


def gather_code(config: CoreConfig, code, gathered, place):
    """Return a unit's part of a word: ``code`` at ``place``, all else as in ``gathered``."""
    most = config.most_packed
    width = STATE_WIDTH // most
    fields = []
    for field in range(most):
        parts = [
            code.word_select(field % (most >> pack), width) for pack in range(exact_log2(most) + 1)
        ]
        fields.append(
            Mux(place.taken[field], Array(parts)[place.pack], gathered.word_select(field, width))
        )
    return Cat(fields)


def pack_states(m: Module, config: CoreConfig, pack, chunk, units, words) -> list:
    """Take the units' states from words that wait for a cycle; return the words gathered in cycle 11.

    So they are written 8 cycles after they are read: all of a word's codes have been read then.
    ``pack`` is the layer's, ``chunk`` what is in each cycle of the update, ``words`` the units' parts
    of the word that is read.
    """
    first_bit = ceil_log2(config.updates)
    gathered = []
    for k, (neuron, word) in enumerate(zip(units, words, strict=True)):
        if k % UNITS_PER_COPY == 0:
            packed_5 = Signal(name=f"packed_5_{k}", attrs=COPY)
            place_5 = Signal(read_layout(config), name=f"place_5_{k}", attrs=COPY)
            place_11 = Signal(gather_layout(config), name=f"place_11_{k}", attrs=COPY)
            read = read_place(config, chunk[4].lane[first_bit:], pack)
            gather = gather_place(config, chunk[10].lane[first_bit:], pack)
            m.d.sync += [
                # The host reads whole words.
                packed_5.eq(chunk[4].valid & (pack != 0)),
                *(place_5[name].eq(value) for name, value in read.items()),
                *(place_11[name].eq(value) for name, value in gather.items()),
            ]
        word_5 = Signal(STATE_WIDTH, name=f"word_5_{k}")
        word_11 = Signal(STATE_WIDTH, name=f"word_11_{k}")
        before = Signal(STATE_WIDTH, name=f"gathered_{k}")
        m.d.comb += [
            neuron.state_5.eq(Mux(packed_5, read_code(config, word_5, place_5), word.as_signed())),
            word_11.eq(gather_code(config, neuron.state_11, before, place_11)),
        ]
        m.d.sync += [word_5.eq(word), before.eq(word_11)]
        gathered.append(word_11)
    return gathered
