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

__all__ = ["pack_states"]

HALF_WIDTH = STATE_WIDTH // 2
"""The widest codes that are packed: no code lies in both halves of a word."""


def place_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of where in a half of a word the codes of a chunk are."""
    levels = exact_log2(config.most_packed)
    return data.StructLayout({
        "pack": range(levels + 1),
        "first": levels - 1,  # field
        "last": levels - 1,
    })


def place(config: CoreConfig, chunk, pack) -> tuple:
    """Return where the codes of chunk ``chunk`` of its group are: first and last field of a word."""
    levels = exact_log2(config.most_packed)
    starts = [Cat(Const(0, levels - shared), chunk[:shared]) for shared in range(levels + 1)]
    first = Array(starts)[pack]
    return first, first | (Const(config.most_packed - 1) >> pack)


def choose(parts, index):
    """Return the part with this index; an index of no bits stands for the only one."""
    return Array(parts)[index] if len(parts) > 1 else parts[0]


def read_code(config: CoreConfig, half, wide, place):
    """Return the code that is at ``place`` in a half of a unit's part of a word, sign-extended.

    ``wide`` is the upper half of ``half``, or 0 for codes that are narrower. Nothing but zeros is returned if
    both are 0.
    """
    fields = config.most_packed // 2
    width = HALF_WIDTH // fields
    levels = exact_log2(config.most_packed)
    sign = choose([half.word_select(field, width)[-1] for field in range(fields)], place.last)
    bits = [choose([half.word_select(field, width) for field in range(fields)], place.first)]
    for level in range(1, levels):
        # As many bits again: of the word if codes are that wide, else all are the sign.
        extended = (sign & (place.pack > levels - level)).replicate(width)
        if level == levels - 1:
            bits.append(wide | extended)
        else:
            upper = [half.word_select(part, 2 * width)[width:] for part in range(fields >> level)]
            bits.append(Mux(place.pack > levels - level, extended, choose(upper, place.first[level:])))
        width *= 2
    return Cat(*bits, sign.replicate(HALF_WIDTH))


def repeat_code(config: CoreConfig, code, pack):
    """Return ``code`` as often as it fits in half a word, its bits above that width dropped."""
    levels = exact_log2(config.most_packed)
    width = STATE_WIDTH // config.most_packed
    repeated = code[:width]
    for level in range(1, levels):
        repeated = Cat(repeated, Mux(pack > levels - level, repeated, code[width : 2 * width]))
        width *= 2
    return repeated


def pack_states(m: Module, config: CoreConfig, pack, chunk, units, words) -> list:
    """Take the units' states from words that wait for a cycle; return the words gathered in cycle 11.

    So they are written 8 cycles after they are read: all of a word's codes have been read then.
    ``pack`` is the layer's, ``chunk`` what is in each cycle of the update, ``words`` the units' parts
    of the word that is read. Fields that are not taken yet are 0.
    """
    first_bit = ceil_log2(config.updates)
    most = config.most_packed
    width = STATE_WIDTH // most
    gathered = []
    for k, (neuron, word) in enumerate(zip(units, words, strict=True)):
        if k % UNITS_PER_COPY == 0:
            def copy(shape, name, suffix=f"_{k}"):
                return Signal(shape, name=name + suffix, attrs=COPY)

            loose_4, narrow_4, upper_4 = copy(1, "loose_4"), copy(1, "narrow_4"), copy(1, "upper_4")
            packed_5, place_4, place_5 = copy(1, "packed_5"), *(
                copy(place_layout(config), f"place_{cycle}") for cycle in (4, 5)
            )
            fresh_10, taken_11, pack_11 = copy(1, "fresh_10"), copy(most, "taken_11"), copy(len(pack), "pack_11")
            first, last = place(config, chunk[3].lane[first_bit:], pack)
            next_first, _ = place(config, chunk[9].lane[first_bit:], pack)
            put_first, put_last = place(config, chunk[10].lane[first_bit:], pack)
            taken = Cat((put_first <= field) & (put_last >= field) for field in range(most))
            packed = Signal(name=f"packed_3_{k}")
            m.d.comb += packed.eq(chunk[3].valid & (pack != 0))
            m.d.sync += [
                loose_4.eq(~packed),
                narrow_4.eq(~packed | (pack > 1)),
                upper_4.eq(first[-1]),
                place_4.pack.eq(pack),
                place_4.first.eq(first[:-1]),
                place_4.last.eq(last[: len(first) - 1]),
                place_5.eq(place_4),
                packed_5.eq(~loose_4),
                fresh_10.eq(next_first == 0),
                # The upper half of what is not packed is not repeated.
                taken_11.eq(Cat(taken[: most // 2], taken[most // 2 :] & (pack != 0).replicate(most // 2))),
                pack_11.eq(pack),
            ]
        half_4 = Mux(upper_4, word[HALF_WIDTH:], word[:HALF_WIDTH])
        half_5 = Signal(HALF_WIDTH, name=f"half_5_{k}", reset_less=True)
        wide_5 = Signal(HALF_WIDTH // 2, name=f"wide_5_{k}", reset_less=True)
        before = Signal(STATE_WIDTH, name=f"gathered_{k}", reset_less=True)
        word_11 = Signal(STATE_WIDTH, name=f"word_11_{k}")
        repeated = repeat_code(config, neuron.state_11, pack_11)
        mask = Cat(bit.replicate(width) for bit in taken_11)
        m.d.comb += [
            # Of a code and a word, one is 0.
            neuron.state_5.eq(
                read_code(config, half_5, wide_5, place_5) | (word & ~packed_5.replicate(STATE_WIDTH))
            ),
            word_11.eq(
                before | (Cat(repeated, repeated) & mask)
                | Cat(Const(0, HALF_WIDTH), neuron.state_11[HALF_WIDTH:])
            ),
        ]
        m.d.sync += [
            half_5.eq(Mux(loose_4, 0, half_4)),
            wide_5.eq(Mux(narrow_4, 0, half_4[HALF_WIDTH // 2 :])),
            before.eq(Mux(fresh_10, 0, word_11)),
        ]
        gathered.append(word_11)
    return gathered
