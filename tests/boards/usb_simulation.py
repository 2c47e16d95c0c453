"""The serial port over USB in Amaranth's simulator, with a host on the bus and a device behind the port."""

from amaranth.sim import Simulator
from spikeplane_boards.usb_pins import BIT_RATE
from spikeplane_boards.usb_serial import SAMPLES_A_BIT, UsbSerial
from usb_host import UsbHost

__all__ = ["ENDPOINT", "begin", "simulate"]

ADDRESS = 5
ENDPOINT = 4
"""Of the data, both ways."""
RESET_BITS = 60
CLOCK = 70e6
"""Of the device, Hz."""


async def echo(context, port) -> None:
    """Send every byte back plus one."""
    while True:
        context.set(port.rx.ready, 1)
        _, _, valid, byte = await context.tick().sample(port.rx.valid, port.rx.payload)
        if valid:
            context.set(port.rx.ready, 0)
            context.set(port.tx.payload, byte + 1 & 0xFF)
            context.set(port.tx.valid, 1)
            await context.tick().until(port.tx.ready)
            context.set(port.tx.valid, 0)


async def sink(context, port) -> None:
    """Take every byte at once."""
    context.set(port.rx.ready, 1)


async def source(context, port) -> None:
    """Have a byte at any time."""
    context.set(port.tx.valid, 1)


ROLES = {"echo": echo, "sink": sink, "source": source}
"""What may be behind the port."""


def simulate(use, *, role: str = "echo") -> None:
    """Run ``use`` of a host until it ends."""
    port = UsbSerial()
    simulator = Simulator(port)
    simulator.add_clock(1 / BIT_RATE, domain="usb")
    simulator.add_clock(1 / BIT_RATE / SAMPLES_A_BIT, domain="usb_io")
    simulator.add_clock(1 / CLOCK, domain="sync")

    async def device(context):
        await ROLES[role](context, port)

    async def host(context):
        await use(UsbHost(context, port))

    simulator.add_testbench(device, background=True)
    simulator.add_testbench(host)
    simulator.run()


async def begin(host: UsbHost) -> bytes:
    """Do what a host does with a new device; return its descriptor."""
    await host.reset(RESET_BITS)
    descriptor = await host.read_control(bytes([0x80, 6, 0, 1, 0, 0, 18, 0]), 18)
    await host.write_control(bytes([0, 5, ADDRESS, 0, 0, 0, 0, 0]))
    host.address = ADDRESS
    await host.write_control(bytes([0, 9, 1, 0, 0, 0, 0, 0]))
    return descriptor
