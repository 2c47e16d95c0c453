"""Damage to files of events, and what a reader may do with them: a recording within its frame, or an error of ours."""

import faulthandler
import sys
import time
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from spikeplane.data.formats.events import RecordingError, RecordingWarning
from spikeplane.data.formats.recordings import read_recording

__all__ = ["mutations", "read_damaged"]

HEADER = 400
"""Bytes that every other mutation hits, so that headers are hit as often as events."""
SECONDS = 10.0
"""That reading one damaged file may take."""
HANG = 120.0
"""Seconds after which the process ends with a traceback: nothing else ends a loop of a library."""
MEMORY = 1 << 28
"""Bytes that reading one damaged file may take: of Python's and NumPy's, used or not."""
EVENTS_A_BYTE = 16
"""No format holds more: a word of 8 bytes, 32 pixels; an LZ4 packet, 255 bytes of one."""


def mutations(raw: bytes, seed: int, count: int) -> Iterator[bytes]:
    """Yield ``count`` copies of ``raw``: cut, bits flipped, bytes overwritten, moved, or random from a place on."""
    random = np.random.RandomState(seed)
    for index in range(count):
        damaged = bytearray(raw)
        reach = len(raw) if index % 2 else min(len(raw), HEADER)
        place = random.randint(reach)
        kind = index % 6
        if kind in (0, 1):
            del damaged[place:]
        elif kind == 2:
            for bit in random.randint(0, 8 * reach, random.choice([1, 4, 20])):
                damaged[bit // 8] ^= 1 << bit % 8
        elif kind == 3:
            size = random.choice([1, 2, 4, 8])
            damaged[place : place + size] = bytes([random.choice([0x00, 0xFF, 0x7F, 0x80])] * size)
        elif kind == 4:
            damaged[place : place + random.randint(1, 64)] = random.bytes(random.randint(64))
        else:
            damaged[place:] = random.bytes(random.randint(1, 2 * len(raw) - place + 1))
        yield bytes(damaged)


def read_damaged(path: Path, raw: bytes, *, count: int, seed: int, width: int, height: int) -> Counter[str]:
    """Write ``count`` mutations of ``raw`` to ``path`` one by one, and return how many were "read" and "refused".

    An AssertionError names the mutation, by its number, that a reader did anything else with than return a
    recording within its frame or raise a RecordingError that names the file in one line, in time and memory.
    """
    outcomes: Counter[str] = Counter(read=0, refused=0)
    tracemalloc.start()
    try:
        for number, damaged in enumerate(mutations(raw, seed, count)):
            path.write_bytes(damaged)
            which = f"{path.name}: mutation {number} of seed {seed}"
            start = time.monotonic()
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            outcomes[_read(path, which, len(damaged), width, height)] += 1
            _, most = tracemalloc.get_traced_memory()
            assert time.monotonic() - start < SECONDS, f"{which}: took {time.monotonic() - start:.1f} s"
            assert most - before < MEMORY, f"{which}: {most - before} bytes"
    finally:
        tracemalloc.stop()
    return outcomes


def _read(path: Path, which: str, size: int, width: int, height: int) -> str:
    faulthandler.dump_traceback_later(HANG, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RecordingWarning)
            recording = read_recording(path, width=width, height=height)
    except RecordingError as error:
        assert str(path) in str(error), f"{which}: {error}"
        assert "\n" not in str(error), f"{which}: {error}"
        return "refused"
    except BaseException as error:
        raise AssertionError(f"{which}: {type(error).__name__}: {error}") from error
    finally:
        faulthandler.cancel_dump_traceback_later()
    recording.verify()
    assert (recording.width, recording.height) == (width, height), which
    assert recording.events["t"][0] == 0, which
    assert len(recording.events) <= EVENTS_A_BYTE * size, which
    return "read"
