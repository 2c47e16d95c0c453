"""Which part of a row each cluster reads: the windows of neighbouring output pixels, in words that all of them get."""

from amaranth import Const, Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.utils import exact_log2

from .config import CoreConfig

__all__ = ["own_slots", "shared_word_layout", "span_fields", "span_layout"]


def span_fields(config: CoreConfig) -> dict:
    """Return the fields that say where the windows are in a row; none with one cluster, whose window the row is."""
    if config.clusters == 1:
        return {}
    return {
        # Of the first pixel's window, from the row's first slot on; what lies outside the map is not in the row.
        "left": signed(config.slot_width + 1),
        "right": signed(config.slot_width + 1),  # first slot behind it
        "stride": config.slot_width,  # slots from one window to the next
    }


def span_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of :func:`span_fields`."""
    return data.StructLayout(span_fields(config))


def shared_word_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of a word of the spike memory on its way to all clusters."""
    return data.StructLayout({
        "masks": data.ArrayLayout(config.word_slots, config.banks),  # active inputs of each bank
        "own": data.ArrayLayout(config.word_slots, config.clusters),  # slots of each cluster's window
        "weights": data.ArrayLayout(config.weight_address_width, config.clusters),  # of mask bit 0, for each cluster
        "last": 1,  # last word of a pass
        "pixels": exact_log2(config.clusters),  # clusters that read it, less one
    })


def own_slots(m: Module, config: CoreConfig, span, weight, *, cycles: int) -> tuple[list, list]:
    """Return of each cluster the slots of a word that lie in its window, and the weight slot of the first slot.

    ``span`` is counted from the word's first slot on, whose ``weight`` slot is that for the first cluster. The result
    follows ``cycles`` cycles later.
    """
    def wait(value, name: str):
        """Return ``value`` a cycle later."""
        following = Signal.like(value, name=name, reset_less=True)
        m.d.sync += following.eq(value)
        return following

    doublings = exact_log2(config.clusters)
    place, stride = [span.left, span.right, weight], span.stride
    for cycle in range(cycles - doublings - 1):
        place = [wait(value, f"first_{cycle}_{index}") for index, value in enumerate(place)]
        stride = wait(stride, f"stride_wait_{cycle}")
    places = [place]
    for level in range(doublings):
        # Windows of the clusters from 1 << level on are that many strides behind those of the first ones.
        shift = (stride << level)[:config.slot_width]
        moved = [[left + shift, right + shift, weight - shift] for left, right, weight in places]
        places = [
            [
                wait(value[:len(like)].as_signed() if like.shape().signed else value[:len(like)], f"place_{level}_{q}")
                for value, like in zip(each, place, strict=True)
            ]
            for q, each in enumerate([*places, *moved])
        ]
        stride = wait(stride, f"stride_{level}")
    slots = [
        wait(below(config, right) & ~below(config, left), f"own_{q}") for q, (left, right, _) in enumerate(places)
    ]
    return slots, [wait(weight, f"own_weight_{q}") for q, (*_, weight) in enumerate(places)]


def below(config: CoreConfig, end):
    """Return the slots of a word that lie ahead of slot ``end``, which is signed and may lie outside."""
    width = exact_log2(config.word_slots)
    every = Const((1 << config.word_slots) - 1, config.word_slots)
    return Mux(end < 0, 0, Mux(end[width:-1].any(), every, ~(every << end[:width]))[:config.word_slots])
