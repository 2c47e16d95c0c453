"""Frames of the host link in Python: requests out, replies in; nothing here talks to a device."""

import re
import zlib
from dataclasses import dataclass

from amaranth.lib import data
from spikeplane_hw.frame import CRC_BYTES, Command, Status, reply_layout, request_layout
from spikeplane_hw.slip import END, ESC, ESC_END, ESC_ESC

__all__ = ["FrameReader", "Reply", "Request", "decode_reply", "decode_request", "stuff", "unstuff"]

LONGEST_FRAME = 1 << 16
"""Bytes without a delimiter after which what came is taken for noise."""
END_BYTE, ESC_BYTE = bytes([END]), bytes([ESC])
STUFFED_END, STUFFED_ESC = bytes([ESC, ESC_END]), bytes([ESC, ESC_ESC])
STUFFED = re.compile(re.escape(ESC_BYTE) + b"(.?)", re.DOTALL)


class Header:
    """Packs and unpacks the fields of a header layout, which are whole bytes."""

    def __init__(self, layout: data.StructLayout):
        self.size = layout.size // 8
        self.fields = [(name, field.offset, (1 << field.width) - 1) for name, field in layout]

    def pack(self, values: dict[str, int]) -> bytes:
        total = 0
        for name, offset, limit in self.fields:
            value = values[name]
            if not 0 <= value <= limit:
                raise ValueError(f"{name} is {value}, limit 0..{limit}")
            total |= value << offset
        return total.to_bytes(self.size, "little")

    def unpack(self, content: bytes) -> dict[str, int]:
        total = int.from_bytes(content[: self.size], "little")
        return {name: total >> offset & limit for name, offset, limit in self.fields}


REQUEST = Header(request_layout())
REPLY = Header(reply_layout())


def stuff(content: bytes) -> bytes:
    """Return ``content`` as a SLIP frame, a delimiter on both sides."""
    stuffed = content.replace(ESC_BYTE, STUFFED_ESC).replace(END_BYTE, STUFFED_END)
    return END_BYTE + stuffed + END_BYTE


def unstuff(frame: bytes) -> bytes:
    """Return the content of what stood between two delimiters, as SlipDecoder does."""
    if ESC_BYTE not in frame:
        return frame
    meaning = {bytes([ESC_END]): END_BYTE, bytes([ESC_ESC]): ESC_BYTE}
    return STUFFED.sub(lambda found: meaning.get(found[1], found[1]), frame)


def seal(content: bytes) -> bytes:
    """Return ``content`` and its CRC-32 as a frame."""
    return stuff(content + zlib.crc32(content).to_bytes(CRC_BYTES, "little"))


def unseal(content: bytes, least: int) -> bytes | None:
    """Return ``content`` without its CRC-32; None if it is damaged or has not ``least`` bytes."""
    body, crc = content[:-CRC_BYTES], content[-CRC_BYTES:]
    if len(body) < least or zlib.crc32(body) != int.from_bytes(crc, "little"):
        return None
    return body


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request of the host; ``payload`` is ``count`` words of WRITE or EVENTS."""

    command: Command
    sequence: int
    space: int = 0
    address: int = 0
    count: int = 0
    payload: bytes = b""

    def encode(self) -> bytes:
        """Return the frame; a ValueError names a field that does not fit."""
        return seal(REQUEST.pack({
            "sequence": self.sequence,
            "command": self.command.value,
            "count": self.count,
            "space": self.space,
            "address": self.address,
        }) + self.payload)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One reply of the device; ``payload`` is ``count`` words if the request was a READ."""

    command: Command
    sequence: int
    status: Status
    count: int = 0
    payload: bytes = b""

    def encode(self) -> bytes:
        """Return the frame; a ValueError names a field that does not fit."""
        return seal(REPLY.pack({
            "sequence": self.sequence,
            "command": self.command.value,
            "count": self.count,
            "status": self.status.value,
        }) + self.payload)


def decode_request(content: bytes) -> Request | None:
    """Return the request in the unstuffed ``content``, or None if it is damaged."""
    body = unseal(content, REQUEST.size)
    if body is None:
        return None
    fields = REQUEST.unpack(body)
    try:
        command = Command(fields.pop("command"))
    except ValueError:
        return None
    return Request(command=command, **fields, payload=body[REQUEST.size :])


def decode_reply(content: bytes) -> Reply | None:
    """Return the reply in the unstuffed ``content``, or None if it is damaged."""
    body = unseal(content, REPLY.size)
    if body is None:
        return None
    fields = REPLY.unpack(body)
    try:
        command, status = Command(fields["command"]), Status(fields["status"])
    except ValueError:
        return None
    return Reply(command=command, status=status, sequence=fields["sequence"],
                 count=fields["count"], payload=body[REPLY.size :])


class FrameReader:
    """Finds whole replies in a stream of bytes; counts what is damaged in ``damaged``."""

    def __init__(self):
        self.rest = b""
        self.damaged = 0

    def feed(self, received: bytes) -> list[Reply]:
        """Return the replies that ``received`` completes, in order."""
        *frames, self.rest = (self.rest + received).split(END_BYTE)
        if len(self.rest) > LONGEST_FRAME:
            self.rest = b""
            self.damaged += 1
        replies = []
        for frame in frames:
            if not frame:
                continue
            reply = decode_reply(unstuff(frame))
            if reply is None:
                self.damaged += 1
            else:
                replies.append(reply)
        return replies

    def clear(self) -> None:
        """Forget the frame begun."""
        self.rest = b""
