"""A session with a device: requests in sequence, each repeated until its reply comes."""

import os
import time

import numpy as np
from spikeplane_hw.descriptor import event_layout
from spikeplane_hw.frame import PAYLOAD_LIMIT, Command, Status
from spikeplane_hw.memory_map import Space

from .frames import FrameReader, Reply, Request
from .transport import Transport

__all__ = ["DeviceError", "NoAnswerError", "Session"]

COUNT_LIMIT = 255
"""Words a frame counts."""
READ_LIMIT = 1024
"""Bytes asked for at once: few enough to come through a noisy line."""
EVENT_BYTES = event_layout().size // 8
SEQUENCES = 256
SILENCE = 0.02
"""Seconds without a byte after which what an earlier session left on the line is through."""

MEANINGS = {
    Status.BAD_COMMAND: "it does not know the command",
    Status.BAD_ADDRESS: "the words lie beyond the space",
    Status.READ_ONLY: "the space cannot be written",
    Status.BUSY: "the core is busy",
}


class DeviceError(RuntimeError):
    """The device refused, failed or is not what was expected."""


class NoAnswerError(DeviceError, TimeoutError):
    """No good reply came; the message says to what."""


class Session:
    """Sends one request at a time over ``transport``.

    A reply is awaited for ``timeout`` seconds; a request is sent ``attempts`` times at most. The
    device executes it once however often it arrives. After a NoAnswerError, or when anything else
    cuts a request short, the session is over: whether the request was executed is not known, and
    the next one would be taken for its repetition.
    """

    def __init__(self, transport: Transport, *, timeout: float, attempts: int):
        if attempts < 1:
            raise ValueError(f"attempts must be 1 or more, not {attempts!r}")
        self.transport = transport
        self.timeout = timeout
        self.attempts = attempts
        self.repeats = 0
        """Requests sent again because no good reply came."""
        self.reader = FrameReader()
        self._sequence: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether requests can be made."""
        return self._sequence is not None

    def open(self) -> None:
        """Begin a session: drop what an earlier one left, agree on a sequence number."""
        deadline = time.monotonic() + 1
        while self.transport.read(SILENCE) and time.monotonic() < deadline:
            pass
        self.reader.clear()
        self._sequence = os.urandom(1)[0]
        self._exchange(Command.HELLO, "HELLO (is the board powered, programmed and not in use?)")

    def write(self, space: Space, address: int, word_bytes: int, content: bytes) -> None:
        """Write ``content``, whole words, to ``space`` from ``address`` on."""
        chunk = min(COUNT_LIMIT, PAYLOAD_LIMIT // word_bytes) * word_bytes
        for start in range(0, len(content), chunk):
            payload = content[start : start + chunk]
            first, count = address + start // word_bytes, len(payload) // word_bytes
            self._exchange(Command.WRITE, f"WRITE of {count} words to {space.name} {first}",
                           space.value, first, count, payload)

    def read(self, space: Space, address: int, word_bytes: int, count: int) -> bytes:
        """Return the bytes of ``count`` words of ``space`` from ``address`` on."""
        chunk = min(COUNT_LIMIT, READ_LIMIT // word_bytes)
        content = []
        for start in range(0, count, chunk):
            first, words = address + start, min(chunk, count - start)
            reply = self._exchange(Command.READ, f"READ of {words} words from {space.name} {first}",
                                   space.value, first, words, answer_bytes=words * word_bytes)
            content.append(reply.payload)
        return b"".join(content)

    def send_events(self, words: np.ndarray) -> None:
        """Hand event words, uint32 of event_layout, to the core."""
        content = words.astype("<u4").tobytes()
        chunk = min(COUNT_LIMIT, PAYLOAD_LIMIT // EVENT_BYTES) * EVENT_BYTES
        for start in range(0, len(content), chunk):
            payload = content[start : start + chunk]
            self._exchange(Command.EVENTS, f"EVENTS from event {start // EVENT_BYTES} on",
                           count=len(payload) // EVENT_BYTES, payload=payload)

    def _exchange(
        self,
        command: Command,
        what: str,
        space: int = 0,
        address: int = 0,
        count: int = 0,
        payload: bytes = b"",
        answer_bytes: int = 0,
    ) -> Reply:
        if self._sequence is None:
            raise DeviceError(f"{what}: the session is not open")
        sequence = (self._sequence + 1) % SEQUENCES
        frame = Request(command=command, sequence=sequence, space=space, address=address,
                        count=count, payload=payload).encode()
        damaged = self.reader.damaged
        self._sequence = None  # until the reply is there
        for attempt in range(self.attempts):
            self.repeats += attempt > 0
            self.transport.write(frame)
            reply = self._await(command, sequence, count, answer_bytes)
            if reply is None:
                continue
            if reply.status is Status.OUT_OF_ORDER:
                raise DeviceError(f"{what}: the device was reset or another program talks to it; "
                                  "open the board again")
            self._sequence = sequence
            if reply.status is not Status.OK:
                raise DeviceError(f"{what}: the device refused, {MEANINGS[reply.status]}")
            return reply
        raise NoAnswerError(
            f"{what}: no answer in {self.attempts} attempts of {self.timeout} s "
            f"({self.reader.damaged - damaged} damaged replies); open the board again"
        )

    def _await(
        self, command: Command, sequence: int, count: int, answer_bytes: int
    ) -> Reply | None:
        """Return the reply to the request at hand, or None if it does not come in time."""
        deadline = time.monotonic() + self.timeout
        while True:
            left = deadline - time.monotonic()
            received = self.transport.read(max(left, 0))
            for reply in self.reader.feed(received):
                if reply.sequence != sequence or reply.command is not command:
                    continue  # a late one, to a request that was sent twice
                whole = (count, answer_bytes) if command is Command.READ else (0, 0)
                if reply.status is not Status.OK:
                    whole = (0, 0)
                if (reply.count, len(reply.payload)) == whole:
                    return reply
                self.reader.damaged += 1
            if not received or left <= 0:
                return None
