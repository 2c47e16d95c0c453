"""Do host and core mean the same? A hash of every layout and number that both take for granted."""

import hashlib
from collections.abc import Iterator

from amaranth import Shape
from amaranth.lib import data, enum

from . import frame, memory_map, neuron
from .config import CoreConfig
from .descriptor import (
    PROGRAM_WIDTH,
    Job,
    collect_layout,
    event_layout,
    layer_layout,
    load_layout,
    move_layout,
    pass_layout,
    term_layout,
)
from .neuron_unit import parameter_layout

__all__ = ["interface_hash", "shared"]

NUMBERS = (
    (frame, ("PAYLOAD_LIMIT", "CRC_BYTES")),
    (memory_map, ("IDENTITY", "LOGIT_WIDTH", "COUNTER_WIDTH", "RUN_COUNT_WIDTH", "EVENT_COUNT_WIDTH")),
    (neuron, ("FRACTION_BITS", "STATE_WIDTH", "MULTIPLIER_WIDTH", "OFFSET_WIDTH", "SHIFTS", "DECODE_SHIFT",
              "TABLE_INDEX_WIDTH", "TABLE_INDEX_SHIFT", "TABLE_CODE_WIDTH")),
)
ENUMERATIONS = (frame.Command, frame.Status, memory_map.Space, memory_map.Register, memory_map.Control,
                memory_map.Counter, neuron.Reset, Job)


def describe_layout(layout: data.Layout) -> Iterator[tuple]:
    """Yield name, first bit, width and sign of each field."""
    for name, field in layout:
        shape = Shape.cast(field.shape)
        yield name, field.offset, shape.width, shape.signed


def describe_enumeration(enumeration: type[enum.Enum]) -> Iterator[tuple]:
    """Yield name and value of each member."""
    for name, member in enumeration.__members__.items():
        yield name, member.value


def shared(config: CoreConfig) -> dict[str, list[tuple]]:
    """Return by name what driver, compiler and gateware of a core with this configuration share."""
    layouts = {
        "layer": layer_layout(config),
        "term": term_layout(config),
        "load": load_layout(config),
        "pass": pass_layout(config),
        "event": event_layout(),
        "parameter": parameter_layout(),
        "request": frame.request_layout(),
        "reply": frame.reply_layout(),
        **({"collect": collect_layout(config), "move": move_layout(config)} if config.external_depth else {}),
    }
    return {
        **{name: list(describe_layout(layout)) for name, layout in layouts.items()},
        **{enumeration.__name__: list(describe_enumeration(enumeration)) for enumeration in ENUMERATIONS},
        "memories": [
            (space.name, memory.width, memory.depth, memory.writable)
            for space, memory in memory_map.memory_map(config).items()
        ],
        "numbers": [
            ("PROGRAM_WIDTH", PROGRAM_WIDTH),
            *((name, getattr(module, name)) for module, names in NUMBERS for name in names),
        ],
    }


def interface_hash(config: CoreConfig) -> int:
    """Return the 32-bit hash of all that is :func:`shared`, which the core reports in REGISTER_MAP."""
    text = repr(sorted(shared(config).items()))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
