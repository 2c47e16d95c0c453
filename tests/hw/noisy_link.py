"""Random requests through a line that harms frames, to the compiled gateware, beside a tally of what is right."""

import random

import numpy as np
from mock_device import MockDevice, Tally
from noise import NoisyTransport
from spikeplane.device.session import Session
from spikeplane.device.simulated import SimulatedTransport
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.memory_map import Space, memory_map

__all__ = ["exchange"]

ATTEMPTS = 300


def exchange(config: CoreConfig, harms: int, *, stall: float, seed: int) -> tuple[dict[str, int], int]:
    """Return how many frames were harmed, by kind, at least ``harms`` in all, and how many requests were repeated.

    An AssertionError names the first word or event that is wrong, a NoAnswerError the request that hangs.
    """
    draw = random.Random(seed)
    spaces = memory_map(config)
    written = [s for s in spaces if spaces[s].writable and s is not Space.REGISTERS]
    tally = Tally(config)
    with SimulatedTransport(config, device=MockDevice(config)) as transport:
        transport.stall(seed + 2, stall)
        line = NoisyTransport(transport, seed=seed + 6, share=0.4)
        line.quiet = True
        session = Session(line, timeout=0.0, attempts=ATTEMPTS)
        session.open()
        line.sent.clear()
        line.quiet = False
        while sum(line.harms.values()) < harms:
            choice = draw.random()
            if choice < 0.35:
                events = np.array([draw.getrandbits(32) for _ in range(draw.randrange(1, 65))], "<u4")
                session.send_events(events)
                tally.send(events.tolist())
                continue
            space = draw.choice(written)
            memory = spaces[space]
            count = draw.randrange(1, min(memory.depth, 40) + 1)
            address = draw.randrange(memory.depth - count + 1)
            if choice < 0.7:
                words = [draw.getrandbits(memory.width) for _ in range(count)]
                content = b"".join(word.to_bytes(memory.word_bytes, "little") for word in words)
                session.write(space, address, memory.word_bytes, content)
                tally.write(space, address, words)
            else:
                check(session, tally, space, address, count)
                report = session.read(Space.LOGITS, 0, 4, 4)
                assert np.frombuffer(report, "<u4").tolist() == tally.report()
        line.quiet = True
        for space in written:
            check(session, tally, space, 0, spaces[space].depth)
    return line.harms, session.repeats


def check(session: Session, tally: Tally, space: Space, address: int, count: int) -> None:
    """Compare ``count`` words with what was written."""
    word_bytes = tally.map[space].word_bytes
    content = session.read(space, address, word_bytes, count)
    for offset in range(count):
        found = int.from_bytes(content[offset * word_bytes : (offset + 1) * word_bytes], "little")
        expected = tally.memory.get((space, address + offset), 0)
        assert found == expected, f"{space.name} {address + offset}: {found:#x}, not {expected:#x}"
