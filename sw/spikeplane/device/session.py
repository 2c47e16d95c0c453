"""A session with a device: requests in sequence, many under way at once, each repeated until it is answered."""

import os
import time
from collections.abc import Sequence

import numpy as np
from spikeplane_hw.frame import Command, Status
from spikeplane_hw.memory_map import Space
from spikeplane_hw.slip import END

from .frames import FrameReader, Reply
from .requests import Call, event_calls, read_calls, write_calls
from .transport import Transport

__all__ = ["DeviceError", "NoAnswerError", "Session"]

SEQUENCES = 256
TOGETHER = 24
"""Requests that are under way at most: a line that repeats what it holds must not reach their numbers again."""
ANSWERS = 4096
"""Bytes of words that are under way back at most: what a port's buffer holds while its other side is written to."""
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
    """Sends requests over ``transport``, several before the first one is answered.

    The device takes no bytes while it executes a request and answers it: delimiters, which mean nothing between
    frames, fill that time on the line. It executes requests in sequence only, each once however often it arrives; so
    what is lost on the way ends the sequence, and is sent again with what was behind it.

    A reply is awaited for ``timeout`` seconds; a request is sent ``attempts`` times at most. After a NoAnswerError, or
    when anything else cuts a request short, the session is over: whether the request was executed is not known, and
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
        self.trips = 0
        """Times that an answer was waited for: what a serial port's latency is paid for."""
        self.bytes_sent = 0
        self.bytes_received = 0
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
        self.exchange([Call(command=Command.HELLO, what="HELLO (is the board powered, programmed and not in use?)")])

    def write(self, space: Space, address: int, word_bytes: int, content: bytes) -> None:
        """Write ``content``, whole words, to ``space`` from ``address`` on."""
        calls = write_calls(space, address, word_bytes, content)
        if space is not Space.EXTERNAL:
            self.exchange(calls)
            return
        for call in calls:  # How long memory outside the chip takes is not known.
            self.exchange([call])

    def read(self, space: Space, address: int, word_bytes: int, count: int) -> bytes:
        """Return the bytes of ``count`` words of ``space`` from ``address`` on."""
        calls = read_calls(space, address, word_bytes, count)
        if space is not Space.EXTERNAL:
            return b"".join(content or b"" for content in self.exchange(calls))
        return b"".join(content or b"" for call in calls for content in self.exchange([call]))

    def send_events(self, words: np.ndarray) -> None:
        """Hand event words, uint32 of event_layout, to the core."""
        self.exchange(event_calls(words))

    def exchange(self, calls: Sequence[Call]) -> list[bytes | None]:
        """Make all requests, in their order, and return the words of each answer.

        Up to TOGETHER of them, with ANSWERS bytes, are one trip. A DeviceError says which one the device refused; those
        behind it were made all the same. Where the answer to a write or to events is lost and a later one comes, it was
        executed, but a refusal would go unseen: what may be refused while the core is busy is checked by who asks.
        """
        answers: list[bytes | None] = []
        first = expected = 0
        for place, call in enumerate(calls):
            expected += call.answer_bytes
            if place - first == TOGETHER or (place > first and expected > ANSWERS):
                answers += self._together(calls[first:place])
                first, expected = place, call.answer_bytes
        return answers + (self._together(calls[first:]) if first < len(calls) else [])

    def _together(self, calls: Sequence[Call]) -> list[bytes | None]:
        if self._sequence is None:
            raise DeviceError(f"{calls[0].what}: the session is not open")
        numbers = [(self._sequence + 1 + place) % SEQUENCES for place in range(len(calls))]
        self._sequence = None  # until the replies are there
        replies: dict[int, Reply] = {}
        known, tries = 0, 0  # requests that are known to be executed
        while known < len(calls):
            if len(calls) - known > 1:
                self.repeats += len(calls) - known if tries else 0
                self._send(calls, numbers, known, replies)
            if max(replies, default=-1) < known:
                self._find(calls, numbers, known, replies)
            known, tries = max(replies) + 1, tries + 1
        self._sequence = numbers[-1]
        answers = []
        for place, call in enumerate(calls):
            if place not in replies and call.command is Command.READ:
                answers += self._together([call])  # Its words were lost on the way.
            else:
                answers.append(_answer(call, replies.get(place)))
        return answers

    def _send(self, calls: Sequence[Call], numbers: list[int], first: int, replies: dict[int, Reply]) -> None:
        """Send all requests from ``first`` on and add the replies to those that were in sequence."""
        waiting, seconds = b"", 0.0
        for place in range(first, len(calls)):
            call = calls[place]
            waiting += call.encode(numbers[place])
            if place < len(calls) - 1:
                waiting += bytes([END]) * call.gap
                if call.pause is not None:
                    self._write(waiting)
                    self.transport.pause(call.pause)
                    waiting, seconds = b"", seconds + call.pause
        self._write(waiting)
        self._await(calls, dict(zip(numbers, range(len(calls)), strict=True)), len(calls) - 1, seconds, replies)

    def _find(self, calls: Sequence[Call], numbers: list[int], first: int, replies: dict[int, Reply]) -> None:
        """Send one request after the other from ``first`` on until one is in sequence: there the device stands.

        The device refuses what is ahead of it or behind it. Such a reply may also be a late one, to a request that was
        sent together with others: then all are tried again.
        """
        for _ in range(self.attempts if len(calls) > 1 else 1):
            for place in range(first, len(calls)):
                if self._exchange(calls, numbers, place, replies):
                    return
        raise DeviceError(f"{calls[first].what}: the device was reset or another program talks to it; "
                          "open the board again")

    def _exchange(self, calls: Sequence[Call], numbers: list[int], place: int, replies: dict[int, Reply]) -> bool:
        """Send one request until it is answered, and return whether it was in sequence; its reply is added then."""
        damaged = self.reader.damaged
        frame = calls[place].encode(numbers[place])
        for attempt in range(self.attempts):
            self.repeats += attempt > 0 or len(calls) > 1
            self._write(frame)
            if self._await(calls, {numbers[place]: place}, place, 0.0, replies):
                return place in replies
        raise NoAnswerError(
            f"{calls[place].what}: no answer in {self.attempts} attempts of {self.timeout} s "
            f"({self.reader.damaged - damaged} damaged replies); open the board again"
        )

    def _write(self, content: bytes) -> None:
        self.bytes_sent += len(content)
        self.transport.write(content)

    def _await(
        self, calls: Sequence[Call], places: dict[int, int], last: int, seconds: float, replies: dict[int, Reply]
    ) -> bool:
        """Add the good replies that come, up to that of the ``last`` request; return whether there was one to that.

        The first one may take ``seconds`` longer than the timeout.
        """
        self.trips += 1
        left = self.timeout + seconds
        deadline = time.monotonic() + left
        while True:
            received = self.transport.read(max(left, 0))
            self.bytes_received += len(received)
            ended = False
            for reply in self.reader.feed(received):
                place = places.get(reply.sequence)
                if place is None or reply.command is not calls[place].command:
                    continue  # a late one, to a request that was sent twice
                call = calls[place]
                whole = (0, 0)
                if reply.status is Status.OK and call.command is Command.READ:
                    whole = (call.count, call.answer_bytes)
                if (reply.count, len(reply.payload)) != whole:
                    self.reader.damaged += 1
                    continue
                if reply.status is not Status.OUT_OF_ORDER:
                    replies[place] = reply
                    deadline = time.monotonic() + self.timeout + seconds
                ended |= place == last
            left = deadline - time.monotonic()
            if ended or not received or left <= 0:
                return ended


def _answer(call: Call, reply: Reply | None) -> bytes | None:
    """Return the words of a reply, or None where there are none because the core is busy, which ``call`` allows."""
    if reply is None or reply.status is Status.OK:
        return b"" if reply is None else reply.payload
    if reply.status is Status.BUSY and call.may_be_busy:
        return None
    raise DeviceError(f"{call.what}: the device refused, {MEANINGS[reply.status]}")
