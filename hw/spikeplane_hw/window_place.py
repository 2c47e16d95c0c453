"""Where the window of a term is in its map, as running sums from segment to segment."""

from amaranth import Module, Mux, signed
from amaranth.lib import data
from amaranth.utils import ceil_log2, exact_log2

from .config import CoreConfig

__all__ = ["move_window", "place_layout"]


def place_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of the place of a term's window, and of its weights."""
    several = config.term_count > 1
    return data.StructLayout({
        "column": signed(config.slot_width + 1),   # window's left edge, in slots
        "row_index": signed(config.side_width + 1),  # its top row
        "row_slot": config.slot_width,             # first slot of that row at step 0
        "step_slot": config.slot_width,            # slots from step 0 on
        "step_flag": ceil_log2(config.row_flag_count),  # flag of the map's first row
        "group_weight": config.weight_address_width,
        "step_weight": config.weight_address_width if several else 0,  # slots from step 0 on
        "group_slot": config.slot_width if several else 0,   # of a shortcut: first slot of the map
        "group_left": config.pixel_width if several else 0,  # slots of a pixel from there on
    })


def move_window(m: Module, config: CoreConfig, at, d, new):
    """Move the window of a term to where it is for this segment, from where it was for the one before."""
    several = config.term_count > 1
    first_slot = at.group_slot if several else d.input_base
    with m.If(new.as_value().any()):
        m.d.sync += [at.step_slot.eq(0), at.step_flag.eq(d.input_flags)]
        if several:
            m.d.sync += at.step_weight.eq(0)
    with m.Else():
        m.d.sync += [at.step_slot.eq(at.step_slot + d.input_step), at.step_flag.eq(at.step_flag + d.input_rows)]
        if several:
            m.d.sync += at.step_weight.eq(at.step_weight + d.weight_step)
    with m.If(new.column):
        stride = d.column_stride << exact_log2(config.clusters) if config.clusters > 1 else d.column_stride
        m.d.sync += at.column.eq(at.column + stride)
    with m.Elif(new.as_value().any()):
        m.d.sync += at.column.eq(-d.pad_slots)
    with m.If(new.row):
        m.d.sync += [at.row_index.eq(at.row_index + d.stride), at.row_slot.eq(at.row_slot + d.row_stride)]
    with m.If(new.group):
        m.d.sync += [
            at.row_index.eq(-d.pad_rows),
            at.row_slot.eq(first_slot),
            at.group_weight.eq(at.group_weight + d.weight_group),
        ]
        if several:
            over = at.group_left < d.input_group
            m.d.sync += [
                at.row_slot.eq(first_slot + d.input_group),
                at.group_slot.eq(first_slot + d.input_group),
                at.group_left.eq(Mux(over, 0, at.group_left - d.input_group)),
            ]
    with m.If(new.layer):
        m.d.sync += [
            at.row_index.eq(-d.pad_rows), at.row_slot.eq(d.input_base), at.group_weight.eq(d.weight_base),
        ]
        if several:
            m.d.sync += [at.group_slot.eq(d.input_base), at.group_left.eq(d.input_slots)]
