"""The sequencer starts a layer when nothing of the one before is on its way, and a STOP makes the core idle in time."""

# amaranth: UnusedElaboratable=no
import pytest
from amaranth import Fragment, Module, Mux, Signal, Value
from amaranth.hdl import Assert, Assume
from amaranth.lib.wiring import In
from anything import doing_anything
from faults import break_method
from proof import Contract, prove, refute
from small_cores import CORES, FRUGAL
from spikeplane_hw.banks import Banks
from spikeplane_hw.core import Core
from spikeplane_hw.fetch import Fetch
from spikeplane_hw.host_bus import written_word
from spikeplane_hw.lanes import Lanes
from spikeplane_hw.memory_map import Control, Register, Space, memory_map
from spikeplane_hw.registers import STOP_CYCLES, Registers
from spikeplane_hw.segment_walk import SegmentWalk
from spikeplane_hw.sequencer import Sequencer
from spikeplane_hw.update import Update
from spikeplane_hw.walker import Walker

pytestmark = pytest.mark.formal


def inputs_of(component) -> list[Value]:
    """Return the inputs of a component."""
    return [value for _, member, value in component.signature.flatten(component) if member.flow is In]


class Layers(Contract):
    """What walks a layer is not idle from its start on, for any time; the sequencer learns of it a cycle later."""

    def __init__(self, config):
        self.dut = Sequencer(config)
        self.quiet = Signal()

    def ports(self):
        return [self.quiet, *(value for value in inputs_of(self.dut) if value is not self.dut.drained)]

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        idle = Signal()
        m.d.comb += idle.eq(self.quiet & ~dut.start)
        m.d.sync += dut.drained.eq(idle)
        working = Signal()
        m.d.sync += working.eq(dut.start | (working & ~idle))
        m.d.comb += Assert(~working | (dut.busy & ~dut.start))
        return m


@pytest.mark.parametrize("config", CORES, ids=lambda config: config.name)
def test_a_layer_ends_before_the_next_one_starts(config, tmp_path):
    prove(Layers(config), tmp_path)


def test_a_sequencer_that_does_not_wait_is_refuted(tmp_path, monkeypatch):
    break_method(monkeypatch, Sequencer, "elaborate", "m.If(self.drained)", "m.If(1)")
    refute(Layers(FRUGAL), tmp_path)


class WalkIdle(Contract):
    """A walk that is idle offers nothing, and it is not when it starts."""

    def __init__(self, config):
        self.dut = SegmentWalk(config)

    def ports(self):
        return inputs_of(self.dut)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        m.d.comb += Assert(~dut.idle | ~(dut.windows.valid | dut.segments.valid | dut.start))
        return m


@pytest.mark.parametrize("config", CORES, ids=lambda config: config.name)
def test_a_walk_is_not_idle_from_its_start_on(config, tmp_path):
    prove(WalkIdle(config), tmp_path)


def test_a_walk_that_starts_idle_is_refuted(tmp_path, monkeypatch):
    break_method(monkeypatch, SegmentWalk, "elaborate", "self.idle.eq(~self.start)", "self.idle.eq(1)")
    refute(WalkIdle(FRUGAL), tmp_path)


class Stop(Contract):
    """A core is not busy from the end of a STOP on, until CONTROL is written again, whatever its data path does.

    The host keeps the rules of its bus. A STOP is decoded a cycle after it is on the bus and acts from the next one on.
    """

    def __init__(self, config):
        self.core = Core(config)
        with doing_anything(Walker, Fetch, Banks, Lanes, Update) as self.anything:
            self.fragment = Fragment.get(self.core, "formal")

    def ports(self):
        bus, events = self.core.bus, self.core.events
        host = [bus.space, bus.address, bus.write, bus.write_data, bus.read, events.payload, events.valid]
        return [*host, *self.anything]

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = self.fragment
        bus = self.core.bus
        registers = bus.space == Space.REGISTERS
        m.d.comb += Assume(~(registers & bus.write) | (bus.address < len(Register)))
        writing = Signal()
        m.d.sync += writing.eq(bus.write)
        for value in (bus.space, bus.address, bus.write_data):
            before = Signal.like(Value.cast(value))
            m.d.sync += before.eq(value)
            m.d.comb += Assume(~writing | (before == Value.cast(value)))
        m.d.comb += Assume(~writing | ~bus.write)

        word = written_word(bus.write_data, memory_map(self.core.config)[Space.REGISTERS])
        control = bus.write & registers & (bus.address == Register.CONTROL.value)
        stop = control & (word & Control.STOP.value).any()
        left = Signal(range(STOP_CYCLES + 2))
        stopped = Signal()
        m.d.sync += left.eq(Mux(left == 0, 0, left - 1))
        with m.If(control):
            m.d.sync += [stopped.eq(stop), left.eq(STOP_CYCLES + 1)]
        m.d.comb += Assert(~stopped | (left != 0) | ~bus.busy)
        return m


@pytest.mark.parametrize("config", CORES, ids=lambda config: config.name)
def test_a_stop_makes_the_core_idle(config, tmp_path):
    prove(Stop(config), tmp_path)


def test_a_stop_that_does_not_end_is_refuted(tmp_path, monkeypatch):
    break_method(monkeypatch, Registers, "elaborate", "(stop_left != 0))", "(stop_left != 0) | self.stopping)")
    refute(Stop(FRUGAL), tmp_path)
