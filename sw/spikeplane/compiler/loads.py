"""Loads: how the operand of a product comes into the weight banks."""

from spikeplane_hw.config import CoreConfig
from spikeplane_hw.descriptor import Job

from .placed import PlacedLayer, PlacedTerm
from .spike_map import SpikeMap
from .weight_places import identity_slots

__all__ = ["load_fields", "operand_group"]


def operand_group(operand: SpikeMap, groups: int, config: CoreConfig, *, transposed: bool) -> int:
    """Return the slots from one channel group's part of an operand to the next one's."""
    if groups > 1:
        return operand.channels // groups // config.banks
    # All read the same channels of the source; only the lanes are others.
    return identity_slots(config) if transposed else config.lanes * operand.pixel_slots


def load_fields(placed: PlacedTerm, layer: PlacedLayer, steps: int, config: CoreConfig) -> dict[str, int]:
    """Return the descriptor of the load of a product's operand."""
    term, operand = placed.term, placed.operand
    assert operand is not None
    fields = {
        "job": Job.LOAD.value,
        "input_base": operand.base,
        "input_step": operand.step_slots,
        "input_rows": operand.height,
        "streamed": 0,
        "input_ring": placed.operand_ring - 1,
        "transposed": term.transposed,
        "input_pixel": operand.pixel_slots,
        "input_group": operand_group(operand, term.groups, config, transposed=term.transposed),
        "groups": placed.groups,
        "steps": steps,
        "weight_base": placed.weight_base,
        "weight_slots": placed.weight_step,
        "blocks": -(-min(layer.group_lanes, layer.layer.channels) // config.banks),
        "unused": 0,
    }
    return {name: int(value) for name, value in fields.items()}
