"""The bus between the host link and the core: one word read or written at a time, and events."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import CoreConfig
from .memory_map import Memory, Space, memory_map

__all__ = ["HostBus", "written_word"]


class HostBus(wiring.Signature):
    """Host access to the core, seen from the link.

    1. ``write`` or ``read`` starts an access in the cycle it is high; both are never high together.
    2. A write completes in the cycle ``written`` is high, two cycles later or, where memory is outside the chip,
       when that takes it; ``space``, ``address`` and ``write_data`` hold till then. A read completes in the cycle
       ``read_valid`` is high, with the word in ``read_data``; until then ``space`` and ``address`` hold.
       No access starts before the last one is completed.
    3. While the core is busy (STATUS bit 0) only REGISTERS may be accessed; reads of other spaces
       return unspecified words and writes are ignored.
    4. ``busy`` is STATUS bit 0.
    5. Words read are right-aligned; of words written the last byte is the last one of
       ``write_data``, see :func:`written_word`. Addresses beyond a memory's depth are the link's to refuse.
    """

    def __init__(self, config: CoreConfig):
        spaces = memory_map(config).values()
        width = max(space.width for space in spaces)
        super().__init__({
            "space": Out(Space),
            "address": Out(ceil_log2(max(space.depth for space in spaces))),
            "write": Out(1),
            "write_data": Out(-(-width // 8) * 8),
            "written": In(1),
            "read": Out(1),
            "read_valid": In(1),
            "read_data": In(width),
            "busy": In(1),
        })


def written_word(write_data, memory: Memory):
    """Return the word for ``memory`` in the bus's ``write_data``, into which bytes are shifted."""
    return write_data[len(write_data) - 8 * memory.word_bytes :][: memory.width]
