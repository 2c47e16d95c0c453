"""Sipeed Tang Nano 20K with a Gowin GW2AR-18C and 27 MHz; serial port of the BL616 that it is programmed by."""

from typing import ClassVar

from spikeplane_hw.config import TINY

from .board import Board


def platform():
    """Return the platform: amaranth-boards has none yet. Pins are those of LiteX-Boards."""
    from amaranth.build import Attrs, Clock, Pins, Resource
    from amaranth_boards.resources import UARTResource

    from .himbaechel import HimbaechelPlatform

    class TangNano20kPlatform(HimbaechelPlatform):
        """Clock and serial port of a Tang Nano 20K."""

        part = "GW2AR-LV18QN88C8/I7"
        family = "GW2AR-18C"
        chip = "GW2A-18C"
        default_clk = "clk27"
        resources: ClassVar = [
            Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), Attrs(IO_TYPE="LVCMOS33")),
            UARTResource(0, rx="70", tx="69", attrs=Attrs(PULL_MODE="UP", IO_TYPE="LVCMOS33")),
        ]
        connectors: ClassVar = []

    return TangNano20kPlatform()


TANG_NANO_20K = Board(
    name="tang-nano-20k",
    title="Tang Nano 20K (GW2AR-18C)",
    platform=platform,
    config=TINY,
    clock=27e6,  # of the oscillator: no board was seen to run faster
    baud=1_000_000,
    programmer="tangnano20k",
    synthesis="-family gw2a",
)
