"""What a session asks of a device: writes, reads and events, each cut into requests that a frame holds."""

from dataclasses import dataclass, replace

import numpy as np
from spikeplane_hw.descriptor import event_layout
from spikeplane_hw.frame import PAYLOAD_LIMIT, Command
from spikeplane_hw.memory_map import Space

from .frames import Request

__all__ = ["Call", "event_calls", "read_calls", "with_pause", "write_calls"]

COUNT_LIMIT = 255
"""Words a frame counts."""
READ_LIMIT = 1024
"""Bytes asked for at once: few enough to come through a noisy line."""
EVENT_BYTES = event_layout().size // 8
REPLY_BYTES = 10
"""Of a reply without words: its header, its checksum, and a delimiter on both sides."""
MARGIN = 6
"""Bytes that stuffing adds to a header and a checksum, and that the device takes to judge a request."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request before it has its sequence number."""

    command: Command
    what: str
    """For messages."""
    space: int = 0
    address: int = 0
    count: int = 0
    payload: bytes = b""
    answer_bytes: int = 0
    """Of words in the answer."""
    pause: float | None = None
    """Seconds that the device is given after this request, see :meth:`.transport.Transport.pause`."""
    may_be_busy: bool = False
    """Whether the device may refuse it because the core runs; its answer is None then."""

    @property
    def gap(self) -> int:
        """Bytes for which the device takes no others: while it executes the request and answers."""
        answer = REPLY_BYTES + self.answer_bytes + self.answer_bytes // 32
        return answer + MARGIN + len(self.payload) // 16

    def encode(self, sequence: int) -> bytes:
        """Return the frame."""
        return Request(command=self.command, sequence=sequence, space=self.space, address=self.address,
                       count=self.count, payload=self.payload).encode()


def write_calls(space: Space, address: int, word_bytes: int, content: bytes) -> list[Call]:
    """Return what writes ``content``, whole words, to ``space`` from ``address`` on."""
    chunk = min(COUNT_LIMIT, PAYLOAD_LIMIT // word_bytes) * word_bytes
    calls = []
    for start in range(0, len(content), chunk):
        payload = content[start : start + chunk]
        first, count = address + start // word_bytes, len(payload) // word_bytes
        calls.append(Call(
            command=Command.WRITE, what=f"WRITE of {count} words to {space.name} {first}", space=space.value,
            address=first, count=count, payload=payload,
        ))
    return calls


def read_calls(space: Space, address: int, word_bytes: int, count: int, *, may_be_busy: bool = False) -> list[Call]:
    """Return what reads ``count`` words of ``space`` from ``address`` on."""
    chunk = min(COUNT_LIMIT, READ_LIMIT // word_bytes)
    calls = []
    for start in range(0, count, chunk):
        first, words = address + start, min(chunk, count - start)
        calls.append(Call(
            command=Command.READ, what=f"READ of {words} words from {space.name} {first}", space=space.value,
            address=first, count=words, answer_bytes=words * word_bytes, may_be_busy=may_be_busy,
        ))
    return calls


def event_calls(words: np.ndarray) -> list[Call]:
    """Return what hands event words, uint32 of event_layout, to the core."""
    content = words.astype("<u4").tobytes()
    chunk = min(COUNT_LIMIT, PAYLOAD_LIMIT // EVENT_BYTES) * EVENT_BYTES
    calls = []
    for start in range(0, len(content), chunk):
        payload = content[start : start + chunk]
        calls.append(Call(command=Command.EVENTS, what=f"EVENTS from event {start // EVENT_BYTES} on",
                          count=len(payload) // EVENT_BYTES, payload=payload))
    return calls


def with_pause(calls: list[Call], seconds: float) -> list[Call]:
    """Return ``calls`` with a pause after the last one."""
    return [*calls[:-1], replace(calls[-1], pause=seconds)]
