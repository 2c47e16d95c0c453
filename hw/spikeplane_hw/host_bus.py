"""The bus between the host link and the core: one word read or written at a time, and events."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import CoreConfig
from .memory_map import Space, memory_map

__all__ = ["HostBus"]


class HostBus(wiring.Signature):
    """Host access to the core, seen from the link.

    1. ``write`` or ``read`` starts an access in the cycle it is high; both are never high together.
    2. A write completes in the next cycle; ``space``, ``address`` and ``write_data`` hold till then.
       A read completes in the cycle ``read_valid`` is high, with the word in ``read_data``; until
       then ``space`` and ``address`` hold. No access starts before the last one is completed.
    3. While the core is busy (STATUS bit 0) only REGISTERS may be accessed; reads of other spaces
       return unspecified words and writes are ignored.
    4. ``busy`` is STATUS bit 0.
    5. Words are right-aligned; addresses beyond a memory's depth are the link's to refuse.
    """

    def __init__(self, config: CoreConfig):
        spaces = memory_map(config).values()
        width = max(space.width for space in spaces)
        super().__init__({
            "space": Out(Space),
            "address": Out(ceil_log2(max(space.depth for space in spaces))),
            "write": Out(1),
            "write_data": Out(width),
            "read": Out(1),
            "read_valid": In(1),
            "read_data": In(width),
            "busy": In(1),
        })
