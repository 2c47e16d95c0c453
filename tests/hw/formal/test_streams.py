"""Every stream keeps its contract: what is offered stays, and stays the same, until it is taken."""

# amaranth: UnusedElaboratable=no
import pytest
from amaranth import Fragment, Module, Signal, Value
from amaranth.hdl import Assert, Assume
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect
from anything import doing_anything
from proof import Contract, Refuted, prove, refute
from small_cores import CORES, FRUGAL, PAIRED, SEVERAL
from spikeplane_hw import bank, banks, queue, row_walk
from spikeplane_hw.banks import Banks
from spikeplane_hw.clusters import Clusters
from spikeplane_hw.fetch import Fetch
from spikeplane_hw.lanes import Lanes
from spikeplane_hw.memories import spike_read_latency
from spikeplane_hw.queue import Queue
from spikeplane_hw.row_walk import RowWalk
from spikeplane_hw.segment_walk import SegmentWalk
from spikeplane_hw.slip import SlipDecoder, SlipEncoder

pytestmark = pytest.mark.formal
LAYOUT = data.StructLayout({"word": 3, "last": 1})


class StreamContract(Contract):
    """Streams ``outputs`` of ``dut`` keep the contract if ``inputs`` do, and ``steady`` is so until it is idle."""

    def __init__(self, dut, outputs, inputs=(), steady=()):
        self.dut = dut
        self.outputs, self.inputs, self.steady = outputs, inputs, steady

    def ports(self):
        members = self.dut.signature.flatten(self.dut)
        values = [Value.cast(value) for _, member, value in members if member.flow is In]
        return [value for value in values if isinstance(value, Signal)]  # not the `ready` of what is always ready

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = self.dut
        for check, ports in ((Assert, self.outputs), (Assume, self.inputs)):
            for port in ports:
                stalled = Signal()
                payload = Signal.like(Value.cast(port.payload))
                m.d.sync += [stalled.eq(port.valid & ~port.ready), payload.eq(port.payload)]
                with m.If(stalled):
                    m.d.comb += check(port.valid & (Value.cast(port.payload) == payload))
        for value in self.steady:
            working = Signal()
            before = Signal.like(Value.cast(value))
            m.d.sync += [working.eq(~self.dut.idle), before.eq(value)]
            with m.If(working):
                m.d.comb += Assume(Value.cast(value) == before)
        return m


class Impatient(wiring.Component):
    """Breaks the contract: offers something else if it is not taken at once."""

    def __init__(self):
        super().__init__({"o": Out(stream.Signature(4))})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.valid.eq(1)
        m.d.sync += self.o.payload.eq(self.o.payload + 1)
        return m


class Fickle(Impatient):
    """Breaks the contract: takes its offer back in the eighth cycle of waiting."""

    def elaborate(self, platform):
        m = Module()
        waited = Signal(3)
        m.d.comb += self.o.valid.eq(waited != 7)
        m.d.sync += waited.eq(waited + 1)
        return m


@pytest.mark.parametrize("mutant", [Impatient, Fickle])
def test_what_breaks_the_contract_is_refuted(mutant, tmp_path):
    dut = mutant()
    with pytest.raises(Refuted, match=r"check\(port.valid & "):
        prove(StreamContract(dut, [dut.o]), tmp_path)


@pytest.mark.parametrize("depth", [0, 1, 4, "block RAM"])
def test_queues(depth, tmp_path, monkeypatch):
    if depth == "block RAM":
        depth = 4
        monkeypatch.setattr(queue, "BLOCK_RAM_DEPTH", depth)
    dut = Queue(LAYOUT, depth)
    prove(StreamContract(dut, [dut.o], inputs=[dut.i]), tmp_path)


@pytest.mark.parametrize("component", [SlipDecoder, SlipEncoder])
def test_slip(component, tmp_path):
    dut = component()
    prove(StreamContract(dut, [dut.o], inputs=[dut.i]), tmp_path)


def test_slip_needs_a_stream_that_keeps_it(tmp_path):
    dut = SlipDecoder()
    refute(StreamContract(dut, [dut.o]), tmp_path)


@pytest.mark.parametrize("config", CORES, ids=lambda config: config.name)
def test_windows_and_segments(config, tmp_path):
    dut = SegmentWalk(config)
    steady = [dut.layer, dut.initial, dut.output_offset, dut.output_flags, dut.age]
    if config.term_count == 1:
        steady.append(dut.term)  # with several, the walk keeps the term at hand
    prove(StreamContract(dut, [dut.windows, dut.segments], steady=steady), tmp_path)


@pytest.mark.parametrize("config", CORES, ids=lambda config: config.name)
def test_rows(config, tmp_path):
    dut = RowWalk(config)
    prove(StreamContract(dut, [dut.rows]), tmp_path)


@pytest.mark.parametrize("config", CORES, ids=lambda config: config.name)
def test_passes(config, tmp_path):
    dut = Fetch(config)
    prove(StreamContract(dut, [dut.passes], inputs=[dut.rows]), tmp_path)


class Lossless(Queue):
    """A queue that asserts that what is offered to it is taken at once."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.comb += Assert(~self.i.valid | self.i.ready)
        return m


class FetchedWords(Contract):
    """Fetch and the banks, as the core connects them; what rows, passes and lanes do is arbitrary."""

    def __init__(self, config):
        self.fetch = Fetch(config)
        if config.clusters == 1:
            self.banks, self.lanes = Banks(config), []
            self.fragment = self.banks
            return
        self.banks = Clusters(config)
        with doing_anything(Lanes) as self.lanes:
            self.fragment = Fragment.get(self.banks, "formal")

    def ports(self):
        fetch, banks = self.fetch, self.banks
        return [
            *self.lanes, fetch.rows.payload, fetch.rows.valid, fetch.data, fetch.passes.ready, banks.passes.payload,
            banks.passes.valid, banks.free, banks.start,
        ]

    def elaborate(self, platform):
        m = Module()
        m.submodules.fetch, m.submodules.banks = self.fetch, self.fragment
        connect(m, self.fetch.words, self.banks.words)
        m.d.comb += self.fetch.room.eq(self.banks.room)
        return m


@pytest.fixture
def lossless(monkeypatch):
    """Queues that are never full when something comes, for those who do not ask."""
    monkeypatch.setattr(bank, "Queue", Lossless)
    monkeypatch.setattr(row_walk, "Queue", Lossless)


@pytest.mark.usefixtures("lossless")
def test_no_row_is_lost(tmp_path):
    dut = RowWalk(SEVERAL)
    prove(StreamContract(dut, []), tmp_path)


@pytest.mark.usefixtures("lossless")
def test_one_more_row_would_be_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(row_walk, "IN_FLIGHT", row_walk.IN_FLIGHT - 1)
    dut = RowWalk(SEVERAL)
    refute(StreamContract(dut, []), tmp_path)


@pytest.mark.usefixtures("lossless")
@pytest.mark.parametrize("config", CORES, ids=lambda config: config.name)
def test_no_word_is_lost(config, tmp_path):
    prove(FetchedWords(config), tmp_path)


@pytest.mark.usefixtures("lossless")
# Of two clusters a trace is found at once only if more words are forgotten.
@pytest.mark.parametrize(("config", "forgotten"), [(FRUGAL, 1), (PAIRED, 4)])
def test_forgotten_words_would_be_lost(config, forgotten, tmp_path, monkeypatch):
    monkeypatch.setattr(banks, "spike_read_latency", lambda config: spike_read_latency(config) - forgotten)
    refute(FetchedWords(config), tmp_path)
