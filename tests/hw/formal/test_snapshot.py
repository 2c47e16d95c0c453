"""The snapshot that banks, lanes and update hand over: one at a time, and none is overwritten while it is read."""

# amaranth: UnusedElaboratable=no
from dataclasses import replace

import pytest
from amaranth import Const, Fragment, Module, Signal, Value
from amaranth.hdl import Assert, Assume
from anything import doing_anything
from faults import break_method
from proof import Contract, prove, refute
from small_cores import FRUGAL, PAIRED, SEVERAL
from spikeplane_hw import clusters, update
from spikeplane_hw.bank import Bank
from spikeplane_hw.banks import Banks
from spikeplane_hw.clusters import Clusters
from spikeplane_hw.lanes import Lanes, lanes_latency
from spikeplane_hw.update import Update
from spikeplane_hw.update_issue import UpdateIssue

pytestmark = pytest.mark.formal
# More chunks than are left when the snapshot is given back.
CORES = (
    replace(FRUGAL, lanes=8, parameter_depth=16, state_depth=16),
    replace(SEVERAL, lanes=16, updates=1, parameter_depth=16, state_depth=16),
    replace(PAIRED, lanes=16, updates=1, parameter_depth=16, state_depth=32),
)


class Handover(Contract):
    """Banks, lanes and update, as the core connects them; events, passes and what is requested are arbitrary.

    Snapshots and requests are counted: a chunk is read from the snapshot of its request. The last cycle
    in which one is read is that of ``snapshot_read``.
    """

    def __init__(self, config):
        self.config, self.update = config, Update(config)
        made = []

        class Watched(Banks):
            def __init__(self, *arguments):
                super().__init__(*arguments)
                made.append(self)

        with pytest.MonkeyPatch.context() as patch, doing_anything(Bank) as self.events:
            patch.setattr(clusters, "Banks", Watched)
            self.clustered = config.clusters > 1
            self.banks = Clusters(config) if self.clustered else Watched(config)
            self.fragment = Fragment.get(self.banks, "formal")
        self.each = made

    def ports(self):
        banks, update = self.banks, self.update
        return [
            *self.events, banks.words.payload, banks.words.valid, banks.passes.payload, banks.passes.valid, banks.start,
            update.layer, update.segment.payload, update.segment.valid,
        ]

    def elaborate(self, platform):
        m = Module()
        m.submodules.banks = self.fragment
        issues = []

        class Watched(UpdateIssue):
            def __init__(self, *arguments, **settings):
                super().__init__(*arguments, **settings)
                issues.append(self)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(update, "UpdateIssue", Watched)
            m.submodules.update = Fragment.get(self.update, platform)
        (issue,) = issues
        m.d.comb += self.banks.free.eq(self.update.free)
        if self.clustered:
            m.d.comb += self.update.done.eq(self.banks.done)
        else:
            m.submodules.lanes = lanes = Lanes(self.config)
            m.d.comb += [
                lanes.beat.eq(self.banks.beat), lanes.rotate.eq(self.update.rotate), self.update.done.eq(lanes.done),
            ]

        working, layer = Signal(), Signal.like(self.update.layer)
        m.d.sync += [working.eq(~self.update.idle), layer.eq(self.update.layer)]
        m.d.comb += Assume(~(working | ~self.update.idle) | (Value.cast(layer) == Value.cast(self.update.layer)))
        # Requests come from a queue, which keeps the contract of streams: what waits stays the same.
        port = self.update.segment
        stalled, waiting = Signal(), Signal.like(Value.cast(port.payload))
        m.d.sync += [stalled.eq(port.valid & ~port.ready), waiting.eq(port.payload)]
        m.d.comb += Assume(~stalled | (port.valid & (Value.cast(port.payload) == waiting)))
        wanted = issue.segment.p
        lanes_used = self.update.segment.p.lanes
        m.d.comb += Assume((lanes_used != 0) & (lanes_used <= self.config.lanes))
        # A stream's sums are in the state memory.
        streams = Signal()
        if self.config.term_count > 1:
            m.d.comb += Assume(~wanted.mean | wanted.stream)
            with m.If(issue.segment.valid & issue.segment.ready):
                m.d.sync += streams.eq(wanted.stream)
        for q, banks in enumerate(self.each):
            requested, issued = Const(1), Const(1)
            if self.clustered:
                requested, issued = wanted.cluster == q, issue.chunk.cluster == q
            self.watch(
                m, end=banks.beat.end, done=self.update.done[q], free=self.update.free[q],
                begins=issue.segment.valid & issue.segment.ready & requested,
                reading=issue.chunk.valid & ~streams & issued,
            )
        return m

    def watch(self, m, *, end, done, free, begins, reading):
        """Assert that a cluster's snapshot is handed over as it should be."""
        given = Signal(range(3))  # not given back
        m.d.sync += given.eq(given + end - free)
        m.d.comb += [Assert(given <= 1), Assert(~free | (given == 1))]

        for _ in range(lanes_latency(self.config)):
            following = Signal()
            m.d.sync += following.eq(end)
            end = following
        m.d.comb += Assert(done == end)

        finished, begun = Signal(2), Signal(2)
        snapshot = Signal(2)
        m.d.sync += [finished.eq(snapshot), begun.eq(begun + begins)]
        m.d.comb += snapshot.eq(finished + done)
        # Cycle 0 is the one after a chunk is issued.
        last = update.snapshot_read(self.config) + 1
        if last < 0:
            before = Signal(2)
            m.d.sync += before.eq(snapshot)
            m.d.comb += Assert(~reading | (before == begun))
        valid, number = reading, begun
        for _ in range(last):
            reads, of = Signal(), Signal(2)
            m.d.sync += [reads.eq(valid), of.eq(number)]
            m.d.comb += Assert(~reads | (snapshot == of))
            valid, number = reads, of


@pytest.mark.parametrize("config", CORES, ids=lambda config: config.name)
def test_no_snapshot_is_overwritten(config, tmp_path):
    prove(Handover(config), tmp_path)


@pytest.mark.parametrize("config", CORES, ids=lambda config: config.name)
def test_a_snapshot_that_is_freed_a_cycle_early_is_refuted(config, tmp_path, monkeypatch):
    break_method(monkeypatch, Update, "elaborate", "free_chunks=", "free_chunks=1 + ")
    refute(Handover(config), tmp_path)


def test_banks_that_do_not_wait_are_refuted(tmp_path, monkeypatch):
    break_method(monkeypatch, Banks, "elaborate", "(~info.end | snapshot_free | self.free)", "1")
    refute(Handover(CORES[0]), tmp_path)
