"""Tests of the memory outside the chip, through the host link: of its lines, and of every burst."""

from typing import TYPE_CHECKING

import numpy as np
from spikeplane_hw.config import BURST_BITS
from spikeplane_hw.external_bus import BEAT_BITS
from spikeplane_hw.memory_map import Space, memory_map

from ..progress import stages
from .session import DeviceError

if TYPE_CHECKING:
    from .driver import Driver

__all__ = ["check_bursts", "check_lines", "check_memory"]

PIECE = 4096
"""Bursts between two steps of the progress bar."""


def pattern(addresses: np.ndarray, *, inverted: bool = False) -> np.ndarray:
    """Return what is written to ``addresses``, uint8 (n, 16): other bits for each address and each beat."""
    # Two rounds of a mixing function (SplitMix64) leave nothing of an address's order.
    words = np.asarray(addresses, np.uint64)[:, None] * np.uint64(2) + np.arange(2, dtype=np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        words = (words + np.uint64(0x9E3779B97F4A7C15)) ^ (words >> np.uint64(shift))
        words = words * np.uint64(factor)
    return (~words if inverted else words).astype("<u8").view(np.uint8)


def check_lines(driver: "Driver") -> None:
    """Write and read a burst at each power of two; a DeviceError names the address and bits that are wrong.

    It finds memory that is not there, and lines that are open, stuck or swapped. What these bursts held is lost.
    """
    depth = _depth(driver)
    addresses = np.array([0, *(1 << bit for bit in range((depth - 1).bit_length()))])
    for inverted in (False, True):
        words = pattern(addresses, inverted=inverted)
        for address, word in zip(addresses.tolist(), words, strict=True):
            driver.write(Space.EXTERNAL, address, word[None])
        found = np.concatenate([driver.read(Space.EXTERNAL, address, 1) for address in addresses.tolist()])
        _compare(addresses, words, found)


def check_memory(driver: "Driver", bursts: int | None = None) -> int:
    """Write and read every burst twice, or the first ``bursts``; return how many. A DeviceError names what is wrong.

    What memory held is lost; load the image again.
    """
    depth = _depth(driver)
    count = depth if bursts is None else min(bursts, depth)
    driver.image = None
    check_lines(driver)
    check_bursts(driver, range(count))
    return count


def check_bursts(driver: "Driver", bursts: range) -> None:
    """Write and read neighbouring bursts twice; a DeviceError names what is wrong. What they held is lost."""
    with stages() as progress:
        task = progress.add_task(f"testing {len(bursts) * BURST_BITS // 8 / 1e6:g} MB", total=4 * len(bursts))
        for inverted in (False, True):
            for write in (True, False):
                for start in bursts[::PIECE]:
                    addresses = np.arange(start, min(start + PIECE, bursts.stop))
                    words = pattern(addresses, inverted=inverted)
                    if write:
                        driver.write(Space.EXTERNAL, start, words)
                    else:
                        _compare(addresses, words, driver.read(Space.EXTERNAL, start, len(words)))
                    progress.advance(task, len(words))


def _depth(driver: "Driver") -> int:
    config = driver.open_config
    if not config.external_depth:
        raise DeviceError(f"{config.name} has no memory outside the chip")
    return memory_map(config)[Space.EXTERNAL].depth


def _compare(addresses: np.ndarray, words: np.ndarray, found: np.ndarray) -> None:
    wrong = np.flatnonzero((found != words).any(axis=1))
    if not len(wrong):
        return
    first = wrong[0]
    differing = np.unpackbits(np.bitwise_xor(words[wrong], found[wrong]), axis=1, bitorder="little")
    # Of every beat the same line carries the same bit.
    lines = np.flatnonzero(differing.reshape(-1, BEAT_BITS).any(axis=0))
    every = len(lines) == BEAT_BITS
    cause = "is the memory there, and its clock?" if every and len(wrong) == len(words) else (
        "see its address lines" if every else f"see data line{'s' if len(lines) > 1 else ''} "
        + ", ".join(map(str, lines)))
    raise DeviceError(
        f"{len(wrong)} of {len(words)} bursts of the memory outside the chip read back differently, the first one at "
        f"address {addresses[first]}: wrote {words[first][::-1].tobytes().hex()}, read "
        f"{found[first][::-1].tobytes().hex()}; {cause}"
    )
