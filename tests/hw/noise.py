"""A transport that loses, damages, cuts and repeats what passes, at random from a fixed seed."""

import random

from spikeplane_hw.slip import END

__all__ = ["NoisyTransport"]

RECENT = 8
"""Frames back that may come again: a line repeats what it holds, not what is long gone."""


class NoisyTransport:
    """Harms ``share`` of all frames in each direction; ``harms`` counts by kind."""

    def __init__(self, inner, seed: int, share: float):
        self.inner = inner
        self.share = share
        self.random = random.Random(seed)
        self.harms: dict[str, int] = {}
        self.quiet = False
        self.sent: list[bytes] = []
        self.late = b""

    def write(self, content: bytes) -> None:
        self.sent = [*self.sent[1 - RECENT :], content]
        self.inner.write(self._pass(content, self.sent))

    def read(self, timeout: float) -> bytes:
        received = self.late + self.inner.read(timeout)
        self.late = b""
        if received and not self.quiet and self.random.random() < 0.1:
            self._count("late")
            cut = self.random.randrange(len(received))
            received, self.late = received[:cut], received[cut:]
        return self._pass(received, [received]) if received else b""

    def rest(self, seconds: float) -> None:
        self.inner.rest(seconds)

    def pause(self, seconds: float) -> None:
        self.inner.pause(seconds)

    def close(self) -> None:
        self.inner.close()

    def _count(self, kind: str) -> None:
        self.harms[kind] = self.harms.get(kind, 0) + 1

    def _pass(self, content: bytes, recent: list[bytes]) -> bytes:
        draw = self.random
        if self.quiet or draw.random() >= self.share:
            return content
        kind = draw.choice(("flip", "burst", "delete", "insert", "cut", "behead", "lose", "repeat",
                            "replay", "prefix", "end"))
        self._count(kind)
        harmed = bytearray(content)
        place = draw.randrange(len(harmed))
        if kind == "flip":
            harmed[place] ^= 1 << draw.randrange(8)
        elif kind == "burst":
            for index in range(place, min(place + draw.randrange(1, 12), len(harmed))):
                harmed[index] = draw.randrange(256)
        elif kind == "delete":
            del harmed[place : place + draw.randrange(1, 4)]
        elif kind == "insert":
            harmed[place:place] = draw.randbytes(draw.randrange(1, 5))
        elif kind == "cut":
            del harmed[place:]
        elif kind == "behead":
            del harmed[:place]
        elif kind == "lose":
            harmed.clear()
        elif kind == "repeat":
            harmed *= draw.randrange(2, 4)
        elif kind == "replay":
            harmed = bytearray(draw.choice(recent)) + harmed
        elif kind == "prefix":
            harmed = bytearray(draw.randbytes(draw.randrange(1, 600))) + harmed
        else:
            harmed[place] = END
        return bytes(harmed)
