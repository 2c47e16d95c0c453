"""Memories of the core: block RAM everywhere, single-port RAM on the iCE40 UP5K, and host access."""

from amaranth import Array, ClockSignal, Const, Instance, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .config import CoreConfig
from .synthesis import COLLISIONS_UNDEFINED

__all__ = ["HOST_READ_LATENCY", "BlockRam", "HostPort", "SharedRam", "SinglePortRam", "read_mostly_ram",
           "spike_read_latency"]

HOST_READ_LATENCY = 5
"""Cycles that ``HostPort.read`` is held until the word is in ``HostPort.read_data``."""
SPRAM_DEPTH = 16384
SPRAM_WIDTH = 16


def spike_read_latency(config: CoreConfig) -> int:
    """Return the cycles from an address to its word of the spike memory.

    Block RAM is slow and all over the chip: back words take a cycle, and there if wires have registers.
    """
    return 2 + config.wire_registers


class HostPort(wiring.Signature):
    """Host access to one memory of a block, seen from the host bus; only while the core is idle.

    ``write`` stores ``write_data`` at ``address``; both hold for a cycle more. ``read`` is held with
    ``address``; the word is in ``read_data`` HOST_READ_LATENCY cycles after both are there, and as
    long as they stay. Never both at once.
    """

    def __init__(self, width: int, depth: int, *, writable: bool = True):
        members = {
            "address": Out(ceil_log2(depth)),
            "read": Out(1),
            "read_data": In(width),
        }
        if writable:
            members |= {"write": Out(1), "write_data": Out(width)}
        super().__init__(members)


class RamPorts(wiring.Signature):
    """A read port and a write port, seen from the user of a memory."""

    def __init__(self, width: int, depth: int, granularity: int):
        super().__init__({
            "read_address": Out(ceil_log2(depth)),
            "read_enable": Out(1),
            "read_data": In(width),
            "write_address": Out(ceil_log2(depth)),
            "write_enable": Out(width // granularity),
            "write_data": Out(width),
        })


class BlockRam(wiring.Component):
    """Memory with a read port and a write port.

    A read has one cycle latency; ``read_data`` holds while ``read_enable`` is low. A word written
    in one cycle is read from the next one on; what is read of it in the same cycle is undefined.
    There is one write enable for each ``granularity`` bits, by default one for the word. Starts as
    zeros.
    """

    def __init__(self, width: int, depth: int, *, granularity: int | None = None):
        self.width = width
        self.depth = depth
        self.granularity = granularity or width
        super().__init__({"ports": In(RamPorts(width, depth, self.granularity))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self.width, depth=self.depth, init=[], attrs=COLLISIONS_UNDEFINED
        )
        read = memory.read_port()
        write = memory.write_port(granularity=self.granularity)
        m.d.comb += [
            read.addr.eq(self.ports.read_address),
            read.en.eq(self.ports.read_enable),
            self.ports.read_data.eq(read.data),
            write.addr.eq(self.ports.write_address),
            write.en.eq(self.ports.write_enable),
            write.data.eq(self.ports.write_data),
        ]
        return m


class SharedRam(wiring.Component):
    """A :class:`BlockRam` that two read at once: a block RAM's two ports, the first of which writes as well.

    Members
    -------
    ports : ``In(RamPorts(...))``
        Both addresses are the same signal.
    other
        A second read port; in a cycle in which ``ports`` write, ``data`` may be anything afterwards.
    """

    def __init__(self, width: int, depth: int, *, granularity: int | None = None):
        self.width, self.depth, self.granularity = width, depth, granularity or width
        super().__init__({
            "ports": In(RamPorts(width, depth, self.granularity)),
            "other": In(wiring.Signature({
                "address": Out(ceil_log2(depth)), "enable": Out(1), "data": In(width),
            })),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self.width, depth=self.depth, init=[], attrs=COLLISIONS_UNDEFINED
        )
        read, other = memory.read_port(), memory.read_port()
        write = memory.write_port(granularity=self.granularity)
        ports = self.ports
        m.d.comb += [
            read.addr.eq(ports.read_address),
            read.en.eq(ports.read_enable),
            ports.read_data.eq(read.data),
            write.addr.eq(ports.write_address),
            write.en.eq(ports.write_enable),
            write.data.eq(ports.write_data),
            other.addr.eq(self.other.address),
            other.en.eq(self.other.enable),
            self.other.data.eq(other.data),
        ]
        return m


def has_spram(platform) -> bool:
    """Return whether ``platform`` is an iCE40 UP5K."""
    return getattr(platform, "device", None) == "iCE40UP5K"


class Spram(wiring.Component):
    """One SB_SPRAM256KA; where the platform has none, a model of it. Contents start undefined.

    It reads in a cycle with ``enable`` and not ``write``; ``read_data`` holds in other cycles.
    """

    def __init__(self):
        super().__init__({
            "address": In(ceil_log2(SPRAM_DEPTH)),
            "enable": In(1),
            "write": In(1),
            "write_data": In(SPRAM_WIDTH),
            "read_data": Out(SPRAM_WIDTH),
        })

    def elaborate(self, platform):
        m = Module()
        if has_spram(platform):
            m.submodules.ram = Instance(
                "SB_SPRAM256KA",
                i_CLOCK=ClockSignal(),
                i_ADDRESS=self.address,
                i_CHIPSELECT=self.enable,
                i_WREN=self.write,
                i_MASKWREN=Const(0b1111, 4),
                i_DATAIN=self.write_data,
                i_STANDBY=Const(0),
                i_SLEEP=Const(0),
                i_POWEROFF=Const(1),  # active low
                o_DATAOUT=self.read_data,
            )
            return m
        m.submodules.memory = memory = Memory(shape=SPRAM_WIDTH, depth=SPRAM_DEPTH, init=[])
        read = memory.read_port()
        write = memory.write_port()
        m.d.comb += [
            read.addr.eq(self.address),
            read.en.eq(self.enable & ~self.write),
            self.read_data.eq(read.data),
            write.addr.eq(self.address),
            write.en.eq(self.enable & self.write),
            write.data.eq(self.write_data),
        ]
        return m


class SinglePortRam(wiring.Component):
    """Ports of :class:`BlockRam` on SPRAMs, 16 bits by 16384 each.

    Reads and writes share the RAM's port: in a cycle that writes, nothing is read.
    """

    def __init__(self, width: int, depth: int):
        if width > SPRAM_WIDTH:
            raise ValueError(f"width must be at most {SPRAM_WIDTH}, not {width!r}")
        self.blocks = -(-depth // SPRAM_DEPTH)
        super().__init__({"ports": In(RamPorts(width, depth, width))})

    def elaborate(self, platform):
        m = Module()
        ports = self.ports
        offset_width = ceil_log2(SPRAM_DEPTH)
        address = Signal.like(ports.read_address)
        m.d.comb += address.eq(Mux(ports.write_enable, ports.write_address, ports.read_address))
        block = address[offset_width:]
        selected = Signal.like(block)  # block of the last read
        with m.If(ports.read_enable & ~ports.write_enable):
            m.d.sync += selected.eq(block)
        outputs = []
        for index in range(self.blocks):
            m.submodules[f"spram_{index}"] = ram = Spram()
            m.d.comb += [
                ram.address.eq(address),
                ram.enable.eq((block == index) & (ports.read_enable | ports.write_enable)),
                ram.write.eq(ports.write_enable),
                ram.write_data.eq(ports.write_data),
            ]
            outputs.append(ram.read_data[: len(ports.read_data)])
        m.d.comb += ports.read_data.eq(Array(outputs)[selected])
        return m


def read_mostly_ram(
    width: int, depth: int, platform, *, granularity: int | None = None
) -> BlockRam | SinglePortRam:
    """Return the best memory for what is never read and written in the same cycle."""
    if has_spram(platform) and width <= SPRAM_WIDTH and granularity is None:
        return SinglePortRam(width, depth)
    return BlockRam(width, depth, granularity=granularity)
