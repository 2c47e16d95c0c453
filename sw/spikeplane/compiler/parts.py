"""Parts: a layer that is more than a core holds at once runs in several layers of the program.

A part makes some rows of a layer's sums, some of its time steps, or takes some planes of a classifier's weights. It
brings in what it reads of maps that lie outside the chip, and takes out what it makes.
"""

import enum
import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.neuron import STATE_WIDTH

from ..network.lowered import CoreLayer, CoreTerm, TermKind
from ..network.maps import MapFormat, Maps
from ..network.weights import WeightKind
from .spike_map import SpikeMap

__all__ = ["Split", "SplitKind", "finer_split", "head_split", "held_rows", "in_piece", "plane_part", "read_rows",
           "unsplit_reason"]


class SplitKind(enum.Enum):
    """Of what each part of a layer has its own."""

    ROWS = "rows"
    """Of sums: bands of the map that it makes."""
    STEPS = "steps"
    """Of time, where nothing is kept from one to the next."""
    PLANES = "planes"
    """Of a classifier's weights, the lowest one first: each part adds to the logits."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """How a layer is split into parts."""

    kind: SplitKind
    borders: tuple[int, ...]
    """The first row, step or plane of each part, and the end of the last one."""

    @property
    def ranges(self) -> list[range]:
        """Of each part its rows, steps or planes."""
        return [range(first, end) for first, end in pairwise(self.borders)]


def read_rows(rows: range, height: int, kernel: int, stride: int, padding: int) -> tuple[range, int]:
    """Return the rows of a map of ``height`` that windows of sums ``rows`` read, and how many of padding lie above."""
    top = rows.start * stride - padding
    end = min(height, (rows.stop - 1) * stride - padding + kernel)
    return range(max(0, top), end), max(0, -top)


def held_rows(layer: CoreLayer, rows: range, name: str, height: int) -> range:
    """Return the rows of a map that the terms of a layer read for its sums ``rows``."""
    found = [
        read_rows(rows, height, term.kernel[0], term.stride, term.padding)[0]
        for term in layer.terms if term.source == name
    ]
    return range(min(each.start for each in found), max(each.stop for each in found))


def in_piece(piece: SpikeMap, held: range, rows: range, config: CoreConfig) -> SpikeMap:
    """Return rows of a map of which a piece of the spike memory holds ``held``.

    The piece begins with the word outside the chip in which the first row begins.
    """
    first = held.start * piece.row_slots % config.word_slots
    whole = replace(piece, base=piece.base + first - held.start * piece.row_slots)
    return replace(whole.rows_of(rows), flagged=piece.flagged, flags=piece.flags)


def plane_part(layer: CoreLayer, planes: range) -> CoreLayer:
    """Return the classifier that adds what some planes of a classifier's weights make of the sums."""
    (term,) = layer.terms
    assert term.weight is not None
    codes = term.weight_kind.codes(term.weight.astype(np.int64), term.weight_bits)
    part, bits = codes >> planes.start & ((1 << len(planes)) - 1), len(planes)
    kind = term.weight_kind
    if kind is WeightKind.TWOS and planes.stop < term.weight_bits:
        kind = WeightKind.UNIT  # The sign is in the highest plane.
    weight = {
        WeightKind.ODD: 2 * part - ((1 << bits) - 1), WeightKind.TWOS: part - (1 << (bits - 1)), WeightKind.UNIT: part,
    }[kind]
    own = replace(term, weight=weight, weight_bits=bits, weight_kind=kind)
    return replace(layer, terms=(own,), exponent=layer.exponent + planes.start)


def head_split(layer: CoreLayer, pixel_slots: int, config: CoreConfig, *, ring: int | None) -> Split | None:
    """Return how a classifier is split whose sums, or whose weights, are more than a core takes at once, if it helps.

    ``pixel_slots`` are those of the map that it reads, ``ring`` those into which weights stream; None: they do not.
    Parts have as many planes as they can.
    """
    if layer.neuron is not None or len(layer.terms) != 1 or config.term_count == 1:
        return None
    (term,) = layer.terms
    if term.kind is not TermKind.WINDOW or term.weight is None or term.weight_bits == 1 or len(term.taps) > 1:
        return None
    inputs, largest = term.weight[0].size, (1 << config.accumulator_width) - 1
    plane = math.prod(term.kernel) * pixel_slots // term.groups
    most = term.weight_bits
    if ring is not None:
        most = min(most, (ring - 1) // plane)
    codes = term.weight_kind.codes(term.weight.astype(np.int64), term.weight_bits).sum((1, 2, 3))
    if max(int(codes.max()), term.weight_kind.reference(term.weight_bits) * inputs) > largest:
        most = min(most, (largest // inputs + 1).bit_length() - 1)
    if not 0 < most < term.weight_bits or layer.exponent + term.weight_bits > STATE_WIDTH:
        return None
    return Split(kind=SplitKind.PLANES, borders=(*range(0, term.weight_bits, most), term.weight_bits))


def unsplit_reason(layer: CoreLayer, kind: SplitKind, maps: Maps) -> str:
    """Return why the rows or steps of a layer can't be split; "" if they can."""
    if layer.stores:
        return "it stores a stream"
    for term in layer.terms:
        if term.kind not in (TermKind.WINDOW, TermKind.SHORTCUT):
            return f"it has a {term.kind.value}"
    if kind is SplitKind.STEPS:
        if layer.neuron is not None and layer.neuron.state_bits:
            return "its potentials are kept from step to step"
        if any(len(term.taps) > 1 for term in layer.terms):
            return "its taps look back at steps before"
        if any(maps[term.source].replayed for term in layer.terms):
            return "it reads an image, which is the same in all steps"
    return ""


def finer_split(
    layer: CoreLayer, before: Split | None, maps: Maps, made: SpikeMap | None, steps: int, config: CoreConfig
) -> Split | None:
    """Return the next split of a layer into more parts; None: there is none.

    Steps are split before rows: that takes the fewest moves. ``made`` is the map that the layer makes if its parts
    are stored outside the chip, where each must begin with a whole word.
    """
    kind = SplitKind.STEPS if before is None else before.kind
    if kind is SplitKind.STEPS:
        count = 1 if before is None else len(before.ranges)
        if not unsplit_reason(layer, kind, maps) and count < steps:
            return _split(kind, steps, 1, count)
        before = None
    if unsplit_reason(layer, SplitKind.ROWS, maps):
        return None
    height = _sum_rows(layer, maps)
    pool = layer.pool[0]
    unit = 1 if made is None else config.word_slots // math.gcd(made.row_slots, config.word_slots)
    found = _split(SplitKind.ROWS, height // pool, unit, 1 if before is None else len(before.ranges))
    if found is None:
        return None
    # Rows beyond the last whole window of a pool are those of the last part.
    return replace(found, borders=(*(border * pool for border in found.borders[:-1]), height))


def _split(kind: SplitKind, size: int, unit: int, count: int) -> Split | None:
    """Return ``size`` in more parts than ``count``, as few and as equal as can be, all but the last of whole units."""
    units = -(-size // unit)
    for parts in range(count + 1, units + 1):
        each = -(-units // parts) * unit
        if -(-size // each) > count:
            return Split(kind=kind, borders=(*range(0, size, each), size))
    return None


def _sum_rows(layer: CoreLayer, maps: Maps) -> int:
    term: CoreTerm = layer.terms[0]
    form: MapFormat = maps[term.source]
    return term.walk.output(form.height, form.width)[0]
