"""The serial port over USB: bytes a second in Amaranth's simulator, bit by bit on the bus, and its cells on an ECP5.

Needs the extra `usb`.
"""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from figures import Figure, save
from spikeplane_boards.usb_pins import BIT_RATE
from spikeplane_boards.usb_serial import PACKET, UsbSerial
from synthesized import cell_counts

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "boards"))
from usb_simulation import ENDPOINT, begin, simulate

PACKETS = 30
"""In each direction."""


def throughput(use: Callable[..., Awaitable[int]], role: str) -> float:
    """Return the bytes a second that pass while ``use`` of a host moves them; the device has or takes all."""
    found = {}

    async def measured(host):
        await begin(host)
        before = host.bits
        found["bytes"] = await use(host)
        found["seconds"] = (host.bits - before) / BIT_RATE

    simulate(measured, role=role)
    return found["bytes"] / found["seconds"]


async def give(host) -> int:
    """Send packets one after the other."""
    for number in range(PACKETS):
        while not await host.give(ENDPOINT, bytes(PACKET), number % 2):
            pass
    return PACKETS * PACKET


async def take(host) -> int:
    """Fetch packets one after the other."""
    received, toggle = 0, 0
    while received < PACKETS * PACKET:
        part = await host.take(ENDPOINT, toggle)
        if part is not None:
            received, toggle = received + len(part), 1 - toggle
    return received


def main() -> None:
    cells = cell_counts(UsbSerial(), "usb_serial")
    figures = [
        Figure("USB at full speed, simulated: to the device", throughput(give, "sink") / 1e3, "kB/s"),
        Figure("USB at full speed, simulated: from the device", throughput(take, "source") / 1e3, "kB/s"),
        Figure("serial port of 1 Mbaud: either way", 1e6 / 10 / 1e3, "kB/s"),
    ]
    figures += [Figure(f"USB on an ECP5: {cell}", count, "cells") for cell, count in sorted(cells.items())
                if cell in ("LUT4", "TRELLIS_FF", "DP16KD", "TRELLIS_DPR16X4")]
    save("usb", figures)


if __name__ == "__main__":
    main()
