"""Frames of the host link: commands, statuses and headers, one table for gateware and driver.

A frame is a header, a payload of whole words and the CRC-32 of both, little-endian, between SLIP
delimiters. The host sends requests, the device answers each with one reply; see docs/core.md for
what lies behind the words.
"""

from amaranth.lib import data, enum

__all__ = ["CRC_BYTES", "PAYLOAD_LIMIT", "Command", "Status", "reply_layout", "request_layout"]

PAYLOAD_LIMIT = 256
"""Bytes of a request's payload that the device holds until it has checked the whole frame."""
CRC_BYTES = 4


class Command(enum.Enum, shape=8):
    """What a request asks for."""

    HELLO = 1
    """Begin a session: the next request has the next sequence number."""
    WRITE = 2
    """Write ``count`` words from ``address`` on."""
    READ = 3
    """Read ``count`` words from ``address`` on; the reply carries them."""
    EVENTS = 4
    """Hand ``count`` events (event_layout) to the core."""


class Status(enum.Enum, shape=8):
    """What the device answers. Anything but OK: nothing was written, read or handed on."""

    OK = 0
    OUT_OF_ORDER = 1
    """The sequence number is neither the last one nor the next one."""
    BAD_COMMAND = 2
    BAD_ADDRESS = 3
    """There is no such space, or some of the words lie beyond it."""
    READ_ONLY = 4
    BUSY = 5
    """The core is running: only REGISTERS can be accessed."""


def request_layout() -> data.StructLayout:
    """Layout of a request's header; every field is whole bytes."""
    return data.StructLayout({
        "sequence": 8,
        "command": 8,
        "count": 8,     # words in the payload, or words to read
        "space": 8,
        "address": 24,  # of the first word
    })


def reply_layout() -> data.StructLayout:
    """Layout of a reply's header; ``sequence`` and ``command`` are those of the request."""
    return data.StructLayout({
        "sequence": 8,
        "command": 8,
        "count": 8,     # words in the payload
        "status": 8,
    })
