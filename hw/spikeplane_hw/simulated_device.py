"""What the simulated board simulates: a device, and where its core has memory outside the chip a model of that."""

from pathlib import Path

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

from .config import CoreConfig
from .device import Device
from .sdram import Sdram
from .sdram_chip import ULX3S_SDRAM, SdramChip
from .sdram_model import SdramModel, Violation

__all__ = ["ARRAY", "CLOCK", "SimulatedDevice", "simulated_device"]

ARRAY = Path(__file__).with_name("sdram_array.v")
"""Verilog of LARGE_ARRAY, to be compiled beside that of a :class:`SimulatedDevice`."""
CLOCK = 100e6
"""Hz, by which the model of a chip counts its nanoseconds: a board's clock is slower, and needs fewer cycles."""


def simulated_device(config: CoreConfig) -> wiring.Component:
    """Return the component that stands for a board with this configuration."""
    return SimulatedDevice(config) if config.external_depth else Device(config)


class SimulatedDevice(wiring.Component):
    """A :class:`.Device` with its memory.

    With ``noise`` requests to the memory wait now and then, at random but the same in every simulation.

    Members
    -------
    rx, tx, busy, idle
        Of the device.
    violation : ``Out(Violation)``
        What the controller of the memory did wrong first.
    """

    def __init__(self, config: CoreConfig, chip: SdramChip = ULX3S_SDRAM, *, noise: bool = False):
        self.config, self.chip, self.noise = config, chip, noise
        self.device = Device(config)
        members = {
            name: member for name, member in self.device.signature.members.items() if name != "external"
        }
        super().__init__({**members, "violation": Out(Violation)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.device = device = self.device
        m.submodules.sdram = sdram = Sdram(self.chip, CLOCK, depth=self.config.external_depth)
        m.submodules.model = model = SdramModel(self.chip, CLOCK, verilog=True)
        connect(m, flipped(self.rx), device.rx)
        connect(m, device.tx, flipped(self.tx))
        self.elaborate_pins(m, sdram.pins, model.pins)
        m.d.comb += [
            self.busy.eq(device.busy), self.idle.eq(device.idle), self.violation.eq(model.violation),
            sdram.bus.request.payload.eq(device.external.request.payload),
            sdram.bus.write_data.eq(device.external.write_data),
            device.external.beat_valid.eq(sdram.bus.beat_valid),
            device.external.beat.eq(sdram.bus.beat),
        ]
        stalled = Signal()
        if self.noise:
            random = Signal(16, init=0xACE1)  # Galois register
            m.d.sync += random.eq((random >> 1) ^ Mux(random[0], 0xB400, 0))
            m.d.comb += stalled.eq(random[:3] == 0)
        m.d.comb += [
            sdram.bus.request.valid.eq(device.external.request.valid & ~stalled),
            device.external.request.ready.eq(sdram.bus.request.ready & ~stalled),
        ]
        return m

    def elaborate_pins(self, m: Module, controller, chip):
        """Connect the pins of controller and chip; a test of broken boards does it otherwise."""
        connect(m, controller, chip)
