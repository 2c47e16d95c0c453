"""A Link before a mock core that keeps a tally: no write or event can go by unseen."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.descriptor import event_layout
from spikeplane_hw.host_bus import HostBus, written_word
from spikeplane_hw.link import Link
from spikeplane_hw.memory_map import Register, Space, memory_map

__all__ = ["MockCore", "MockDevice", "Tally"]


class Tally:
    """Model of what MockCore reports in LOGITS: counts and order-dependent digests."""

    def __init__(self, config: CoreConfig):
        self.map = memory_map(config)
        self.memory = {}
        self.writes = self.write_digest = self.events = self.event_digest = 0

    @staticmethod
    def digest(value: int, word: int) -> int:
        return ((value << 1 | value >> 31) + word) & 0xFFFFFFFF

    def write(self, space: Space, address: int, words) -> None:
        for offset, word in enumerate(words):
            self.memory[space, address + offset] = word
            self.writes += 1
            mixed = (word & 0xFFFFFF) ^ (address + offset) ^ space.value << 24
            self.write_digest = self.digest(self.write_digest, mixed)

    def send(self, events) -> None:
        for event in events:
            self.events += 1
            self.event_digest = self.digest(self.event_digest, event)

    def report(self) -> list[int]:
        return [self.writes, self.write_digest, self.events, self.event_digest]


class MockCore(wiring.Component):
    """All writable spaces are one memory; LOGITS 0 to 3 hold the tally, COUNTERS and STATES zeros.

    A write to CONTROL makes it busy for as many cycles as the word says.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        super().__init__({
            "bus": In(HostBus(config)),
            "events": In(stream.Signature(event_layout())),
        })

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        spaces = memory_map(self.config)
        width = len(bus.address)
        m.submodules.memory = memory = Memory(
            shape=len(bus.write_data), depth=len(Space) << width, init=[]
        )
        read, write = memory.read_port(), memory.write_port()
        place = Cat(bus.address, bus.space)
        masked = Signal.like(bus.write_data)
        with m.Switch(bus.space):
            for space, words in spaces.items():
                with m.Case(space):
                    m.d.comb += masked.eq(written_word(bus.write_data, words))
        writing = Signal(2)  # a write is carried out two cycles after it is asked for
        written = writing[-1]
        m.d.sync += writing.eq(Cat(bus.write, writing))
        m.d.comb += bus.written.eq(writing[-1])
        m.d.comb += [
            read.addr.eq(place), read.en.eq(bus.read),
            write.addr.eq(place), write.en.eq(written), write.data.eq(masked),
        ]

        report = [Signal(32, name=f"report_{index}") for index in range(4)]
        writes, write_digest, events, event_digest = report
        mixed = (masked & 0xFFFFFF) ^ bus.address ^ Cat(Const(0, 24), bus.space)
        with m.If(written):
            m.d.sync += [
                writes.eq(writes + 1),
                write_digest.eq(write_digest.rotate_left(1) + mixed),
            ]
        noise = Signal(16, init=0xACE1)  # Galois register: events are taken in half of the cycles
        m.d.sync += noise.eq((noise >> 1) ^ Mux(noise[0], 0xB400, 0))
        left = Signal(32)
        m.d.comb += [self.events.ready.eq(noise[0]), bus.busy.eq(left != 0)]
        with m.If(self.events.valid & self.events.ready):
            m.d.sync += [
                events.eq(events + 1),
                event_digest.eq(event_digest.rotate_left(1) + self.events.payload.as_value()),
            ]
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.If(written & (bus.space == Space.REGISTERS) & (bus.address == Register.CONTROL)):
            m.d.sync += left.eq(masked)

        # Reads take 1 to 4 cycles.
        reading, tallied, wait = Signal(), Signal(), Signal(2)
        index = Signal(2)
        with m.If(bus.read):
            m.d.sync += [
                reading.eq(1), wait.eq(noise[3:5]), index.eq(bus.address),
                tallied.eq(bus.space == Space.LOGITS),
            ]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Elif(reading):
            m.d.comb += bus.read_valid.eq(1)
            m.d.sync += reading.eq(0)
        m.d.comb += bus.read_data.eq(read.data)
        with m.If(tallied), m.Switch(index):
            for number, value in enumerate(report):
                with m.Case(number):
                    m.d.comb += bus.read_data.eq(value)
        return m


class MockDevice(wiring.Component):
    """A device whose core is a MockCore; same members as spikeplane_hw.device.Device."""

    def __init__(self, config: CoreConfig):
        self.config = config
        super().__init__({
            "rx": In(stream.Signature(8)),
            "tx": Out(stream.Signature(8)),
            "busy": Out(1),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = Link(self.config)
        m.submodules.core = core = MockCore(self.config)
        connect(m, flipped(self.rx), link.rx)
        connect(m, link.tx, flipped(self.tx))
        connect(m, link.bus, core.bus)
        connect(m, link.events, core.events)
        m.d.comb += [self.busy.eq(core.bus.busy), self.idle.eq(link.idle)]
        return m
