"""Queues lose, repeat and swap nothing, and tell how much they take."""

# amaranth: UnusedElaboratable=no
import pytest
from amaranth import Module, Mux, Signal
from amaranth.hdl import Assert, Assume
from amaranth.lib import data
from faults import break_method
from proof import Contract, prove, refute
from spikeplane_hw import queue
from spikeplane_hw.queue import Queue

pytestmark = pytest.mark.formal
DEPTH = 4
FILLER, FIRST, SECOND = range(3)
LAYOUT = data.StructLayout({"token": 2})


class QueueContract(Contract):
    """Of two tokens among fillers the first one comes out first, and both do.

    A queue does not look at payloads, so what is so of any two tokens is so of all payloads (Wolper 1986).
    """

    def __init__(self, dut):
        self.dut = dut

    def ports(self):
        return [self.dut.i.payload, self.dut.i.valid, self.dut.o.ready]

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        taken = dut.i.valid & dut.i.ready
        given = dut.o.valid & dut.o.ready
        came, went = Signal(range(3)), Signal(range(3))  # tokens
        token, seen = dut.i.p.token, dut.o.p.token
        m.d.comb += Assume((token == FILLER) | ((token == FIRST) & (came == 0)) | ((token == SECOND) & (came == 1)))
        m.d.sync += [came.eq(came + (taken & (token != FILLER))), went.eq(went + (given & (seen != FILLER)))]
        with m.If(given):
            m.d.comb += Assert((seen == FILLER) | (seen == went + 1))

        held = Signal(range(DEPTH + 2))
        m.d.sync += held.eq(held + taken - given)
        m.d.comb += [
            Assert(held <= dut.depth),
            Assert(~given | (held != 0)),
            Assert(Mux(held == 0, came == went, 1)),
            Assert(dut.level >= held),
            Assert(dut.i.ready | (dut.level >= dut.depth)),
        ]
        return m


FORMS = {1: "elaborate_register", 4: "elaborate_registers", "block RAM": "elaborate_block_ram"}
FAULTS = {
    1: ("~self.o.valid | self.o.ready", "1"),
    4: ("self.i.ready.eq(fifo.w_rdy)", "self.i.ready.eq(1)"),
    "block RAM": ("self.level.eq(used + 1)", "self.level.eq(used)"),
}


def contract(form, monkeypatch):
    """Return the contract of a queue of one of its forms."""
    if form == "block RAM":
        monkeypatch.setattr(queue, "BLOCK_RAM_DEPTH", DEPTH)
    return QueueContract(Queue(LAYOUT, form if isinstance(form, int) else DEPTH))


@pytest.mark.parametrize("form", FORMS)
def test_order(form, tmp_path, monkeypatch):
    prove(contract(form, monkeypatch), tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_a_fault_is_refuted(form, tmp_path, monkeypatch):
    break_method(monkeypatch, Queue, FORMS[form], *FAULTS[form])
    refute(contract(form, monkeypatch), tmp_path)
