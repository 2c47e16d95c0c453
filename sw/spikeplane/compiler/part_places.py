"""The parts of a placed layer: what each reads and makes of the maps, and the moves that bring it in and out."""

from dataclasses import replace

from spikeplane_hw.config import CoreConfig

from ..network.maps import Maps
from .moves import row_moves, step_moves
from .parts import SplitKind, held_rows, in_piece, read_rows
from .placed import PlacedLayer
from .stays import PlacedMaps, made_rows

__all__ = ["place_part"]


def place_part(whole: PlacedLayer, number: int, maps: PlacedMaps, formats: Maps, config: CoreConfig) -> PlacedLayer:
    """Return the part of a placed layer that makes some rows of its sums, or some of its time steps."""
    assert whole.split is not None
    layer, part, rows = whole.layer, whole.split.ranges[number], whole.split.kind is SplitKind.ROWS
    spilled, height = layer.name in maps.spilled, formats[layer.name].height if layer.name in formats else 0
    held = {name: held_rows(layer, part, name, formats[name].height) for name in whole.reloads} if rows else {}
    before, terms, after = [], [], []
    for name, piece in whole.reloads.items():
        place = maps.outside[name], maps.spilled[name]
        if rows:
            there = in_piece(piece, held[name], held[name], config)
            before += row_moves(there, held[name], *place, config, store=False)
        else:
            before += step_moves(piece, part, *place, config, store=False)
    for term in whole.terms:
        name, source, own = term.term.source, term.source, term.term
        if not rows:
            source = replace(source, steps=len(part)) if name in whole.reloads else source.steps_of(part)
            terms.append(replace(term, source=source, steps=part))
            continue
        read, above = read_rows(part, formats[name].height, own.kernel[0], own.stride, own.padding)
        source = in_piece(source, held[name], read, config) if name in held else source.rows_of(read)
        terms.append(replace(term, source=source, rows=read, pad_rows=above))
    target = whole.target
    if target is not None and rows:
        made = made_rows(layer, part, height)
        if spilled:
            target = in_piece(target, made, made, config)
            after = row_moves(target, made, maps.outside[layer.name], maps.spilled[layer.name], config, store=True)
        else:
            target = replace(target.rows_of(made), flagged=True, flags=target.flags)
    elif target is not None:
        target = replace(target, steps=len(part)) if spilled else target.steps_of(part)
        if spilled:
            after = step_moves(target, part, maps.outside[layer.name], maps.spilled[layer.name], config, store=True)
    states = part.start * whole.output_width * whole.groups * (config.chunks >> whole.state_pack)
    return replace(
        whole, number=number, terms=terms, target=target, before=before, after=after, loading=[],
        output_height=len(part) if rows else whole.output_height, steps=whole.steps if rows else len(part),
        state_base=whole.state_base + states * (rows and whole.stored),
    )
