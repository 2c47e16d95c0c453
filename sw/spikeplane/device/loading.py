"""An image's words go into a device: written, read back, compared."""

from typing import TYPE_CHECKING

import numpy as np
from spikeplane_hw.memory_map import Register, Space

from ..compiler.image import Image
from ..progress import stages
from .external_memory import check_bursts, check_lines
from .session import DeviceError

if TYPE_CHECKING:
    from .driver import Driver

__all__ = ["load_words"]

PIECE = 256
"""Bursts outside the chip that are written and compared at once: 4 KiB."""


def load_words(driver: "Driver", image: Image, *, verify: bool) -> None:
    """Write the contents and registers of ``image``; with ``verify`` read them back.

    Memory outside the chip is tried first, and what it holds already is left there: a load that broke off goes on
    where it was. A DeviceError names the memory, the address and the words that are not as they were written.
    """
    if image.config.external_depth:
        # Else the stream of the image before would write between the host's words.
        driver.write_register(Register.STREAM_SLOTS, 0)
    if image.spilled_bursts and verify:
        # Weights that are wrong there are found as they are loaded; what is moved there would be wrong later.
        check_lines(driver)
        for bursts in image.spilled_bursts:
            check_bursts(driver, bursts)
    for space, (address, words) in image.contents.items():
        if space is Space.EXTERNAL:
            _load_external(driver, address, words, verify=verify)
            continue
        driver.write(space, address, words)
        if verify:
            _compare(space, address, words, driver.read(space, address, len(words)))
    for register, value in image.registers.items():
        driver.write_register(register, value)


def _load_external(driver: "Driver", address: int, words: np.ndarray, *, verify: bool) -> None:
    with stages() as progress:
        task = progress.add_task("memory outside the chip", total=len(words))
        if verify:
            check_lines(driver)
        for start in range(0, len(words), PIECE):
            piece, at = words[start:start + PIECE], address + start
            if not verify or not _is_there(driver, at, piece):
                driver.write(Space.EXTERNAL, at, piece)
                if verify:
                    _compare(Space.EXTERNAL, at, piece, driver.read(Space.EXTERNAL, at, len(piece)))
            progress.update(task, completed=start + len(piece))


def _is_there(driver: "Driver", address: int, words: np.ndarray) -> bool:
    """Return whether memory holds ``words`` already; of others, reading the first one says so."""
    if (driver.read(Space.EXTERNAL, address, 1) != words[:1]).any():
        return False
    return bool((driver.read(Space.EXTERNAL, address, len(words)) == words).all())


def _compare(space: Space, address: int, words: np.ndarray, found: np.ndarray) -> None:
    wrong = np.flatnonzero((found != words).any(axis=1))
    if len(wrong):
        raise DeviceError(
            f"{len(wrong)} words of {space.name} read back differently, the first one "
            f"at address {address + wrong[0]}: wrote {words[wrong[0]][::-1].tobytes().hex()}, "
            f"read {found[wrong[0]][::-1].tobytes().hex()}"
        )
