"""Order of the neuron updates: which chunk of which segment enters the pipeline in a cycle."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from .config import CoreConfig
from .descriptor import group_widths, layer_layout, map_rows, pool_width
from .neuron import SHIFTS

__all__ = ["UpdateIssue", "chunk_layout", "segment_layout"]


def cluster_field(config: CoreConfig) -> dict[str, int]:
    """Return the field that says whose pixel it is; none with one cluster."""
    return {"cluster": exact_log2(config.clusters)} if config.clusters > 1 else {}


def segment_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of a segment request; docs/core.md has the meaning."""
    return data.StructLayout({
        **group_widths(config),  # of parameters, states and logits
        "lanes": range(1, config.lanes + 1),  # lanes used
        "output": config.slot_width,  # first slot of the pixel and group in the step's map
        "flag": ceil_log2(config.row_flag_count),  # row flag to set
        "pool": pool_width(config),  # where the spikes of a pool's window wait
        "pool_first": int(config.pool_depth > 0),  # first pixel of the window
        "pool_last": int(config.pool_depth > 0),  # last one: its spikes are written
        "initial": 1,  # read states as 0; overwrite logits
        "doubled": 1,  # of the term: the signed sum is 2 * sum - reference
        "shift": range(len(SHIFTS)),  # of the term
        "first": 1,  # first term of the sum
        "last": 1,  # last term: then neurons are updated
        "stream": int(config.term_count > 1),  # the sums are stored integers
        "stream_state": group_widths(config)["state"] if config.term_count > 1 else 0,  # where they are
        "mean": int(config.term_count > 1),  # and others are added to them
        "second_state": group_widths(config)["state"] if config.term_count > 1 else 0,
        **cluster_field(config),  # whose snapshot it is for
    })


def chunk_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of an issued chunk."""
    return data.StructLayout({
        "valid": 1,  # the lowest bit
        "first": 1,  # first chunk of the step
        "last": 1,  # last chunk of the step
        "first_term": int(config.term_count > 1),
        "last_term": int(config.term_count > 1),
        "stream": int(config.term_count > 1),  # integers are read
        "stream_state": group_widths(config)["state"] if config.term_count > 1 else 0,
        "mean": int(config.term_count > 1),
        "doubled": 1,
        "shift": range(len(SHIFTS)),
        "initial": 1,
        "lane": ceil_log2(config.lanes),  # first lane; for logits the lane
        "full": 1,  # all lanes of the chunk are used
        "used": ceil_log2(config.updates),  # lanes used if not full
        **group_widths(config),
        "output": config.slot_width,  # first slot of the step
        "flag": ceil_log2(config.row_flag_count),
        "pool": pool_width(config),
        "pool_first": int(config.pool_depth > 0),
        "pool_last": int(config.pool_depth > 0),
        **cluster_field(config),
    })


class UpdateIssue(wiring.Component):
    """Issues a chunk a cycle, for logits a lane a cycle; a segment starts in the cycle after ``done``.

    A step starts at least ``loop`` cycles after the one before it if it reads what that one writes:
    chunks of a step come in the same order, so that is the distance of each chunk to itself. It
    starts at least ``step_cycles`` after it in any case: as long the fields of a chunk hold that
    are those of its step. A stream is read ``stream_cycles`` earlier than potentials, and waits until
    those of the chunks before it were read. For the mean of two, each chunk takes two cycles: in the first one it is
    not ``valid``, but the first integers are read. With several clusters what a step reads was written two updates ago
    at least, but for logits, replays, and pixels that have no neighbour. A request then waits two cycles at least.

    Members
    -------
    layer, segment, done, free
        As in :class:`Update`. ``free`` is raised when no more than ``free_chunks`` are to be issued.
    pick : ``Out``
        Chunk of the snapshots, one behind the other, to be read in the next cycle: one cycle ahead of ``chunk`` then.
    rotate : ``Out(1)``
        Move the snapshot on by a lane: as often as it has lanes for each step of a replay, never for a stream.
    chunk : ``Out(chunk_layout(config))``
        What is issued in this cycle.
    idle : ``Out(1)``
        No request waits and nothing is being issued.
    """

    def __init__(
        self, config: CoreConfig, *, loop: int, step_cycles: int, stream_cycles: int, free_chunks: int
    ):
        self.config = config
        self.loop = loop
        self.step_cycles = step_cycles
        self.stream_cycles = stream_cycles
        self.free_chunks = free_chunks
        super().__init__({
            "layer": In(layer_layout(config)),
            "segment": In(stream.Signature(segment_layout(config))),
            "done": In(config.clusters),
            "free": Out(config.clusters),
            "pick": Out(ceil_log2(config.shared_chunks)),
            "rotate": Out(1),
            "chunk": Out(chunk_layout(config)),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        d = self.layer
        unit_width = ceil_log2(config.updates)
        stride = Mux(d.logits, 1, config.updates)
        count_width = ceil_log2(config.lanes + 1)

        current = Signal(segment_layout(config))
        count = Signal(count_width)  # chunks of a step
        steps = Signal.like(d.steps)  # steps not yet begun, and this one
        lane = Signal(ceil_log2(config.lanes))
        ahead = Signal.like(lane)  # the lane after this one; 0 at rest and at the last chunk
        left = Signal(count_width)  # chunks to be issued, this one included
        final = Signal()  # there is one left
        issuing = Signal()
        pending = Signal()  # a step waits for the states of the one before
        waiting = Signal(config.clusters)  # a snapshot waits for its request or the end of the one before
        cooldown = Signal(range(self.loop))
        freed = Signal()
        half = Signal()  # the first integers of a mean were read
        whole = ~current.mean | half if config.term_count > 1 else Const(1)

        several = config.clusters > 1
        request = self.segment.p
        streamed, chunk_only = request.stream, request.lanes <= stride
        if several:
            # What decides whose snapshot is read next is at hand in registers: of a request that is `known`. The first
            # chunk is picked a cycle before it is known that it begins.
            waits, known, streamed, chunk_only = Signal(), Signal(), Signal.like(request.stream), Signal()
            owner = Signal.like(request.cluster)
            m.d.sync += [
                waits.eq(self.segment.valid & ~self.segment.ready), known.eq(waits & ~self.segment.ready),
                streamed.eq(request.stream), chunk_only.eq(request.lanes <= stride), owner.eq(request.cluster),
            ]

        clear = Const(1)  # potentials of all chunks issued have been read
        if config.term_count > 1:
            unread = Signal(range(self.stream_cycles + 1))
            m.d.sync += unread.eq(Mux(issuing, self.stream_cycles, unread - (unread != 0)))
            clear = ~streamed | (~issuing & (unread == 0))

        dependent = Signal()
        if several:
            m.d.sync += dependent.eq(d.logits | d.replay)
            alone = Signal()
            m.d.sync += alone.eq(~d.stored | (d.steps != 1))
            # Two steps of other pixels are longer than the loop; a pixel alone comes at once again.
            follows = dependent | (alone & (owner == current.cluster))
            arrived = (self.done | waiting).bit_select(owner, 1) & known
        else:
            m.d.sync += dependent.eq(d.logits | ~d.stored | d.replay | (d.steps != 1))
            follows, arrived = dependent, self.done | waiting

        def of(bit, request):
            """Return ``bit`` for the cluster of a request, and 0 for all others."""
            return Cat(bit & (request.cluster == q) for q in range(config.clusters)) if several else bit

        finishing = Signal()
        again = Signal()
        startable = Signal()
        repeat = Signal()
        load = Signal()
        begin = Signal()
        m.d.comb += [
            finishing.eq(issuing & final & whole),
            again.eq(finishing & (steps != 1)),
            startable.eq(Mux(follows, cooldown == 0, cooldown <= self.loop - self.step_cycles)),
            repeat.eq((pending | again) & startable),
            load.eq(
                self.segment.valid & arrived
                & ~pending & (~issuing | (finishing & (steps == 1))) & startable & clear
            ),
            begin.eq(repeat | load),
            self.segment.ready.eq(load),
            self.free.eq(of(issuing & (steps == 1) & ~freed & (left <= self.free_chunks), current)),
            self.idle.eq(~self.segment.valid & ~issuing & ~pending),
        ]
        m.d.sync += [
            waiting.eq((waiting | self.done) & ~of(load, self.segment.p)),
            pending.eq((pending | again) & ~repeat),
        ]
        with m.If(self.free.any() if several else self.free):
            m.d.sync += freed.eq(1)
        turning = Signal()
        # A stream reads nothing of the snapshot, and may still be issued when the next one is there.
        reading = issuing & ~current.stream if config.term_count > 1 else issuing
        m.d.comb += self.rotate.eq(reading | (turning & (steps != 1)))
        with m.If(begin):
            m.d.sync += [cooldown.eq(self.loop - 1), turning.eq(1)]
        with m.Elif(cooldown != 0):
            m.d.sync += cooldown.eq(cooldown - 1)
        with m.Else():
            m.d.sync += turning.eq(0)

        # Known before it is known which of both begins.
        single = Signal()
        m.d.comb += single.eq(Mux(repeat, count == 1, chunk_only))
        next_count = Signal(count_width)
        m.d.comb += next_count.eq(count)
        with m.If(repeat):
            m.d.sync += [
                steps.eq(steps - 1),
                current.output.eq(current.output + d.output_step),
                current.flag.eq(current.flag + map_rows(config, d)),
                current.pool.eq(current.pool + 1),
                current.initial.eq(0),
            ]
        with m.If(load):
            m.d.comb += next_count.eq(
                Mux(d.logits, request.lanes, (request.lanes + config.updates - 1) >> unit_width)
            )
            m.d.sync += [
                current.eq(request),
                count.eq(next_count),
                steps.eq(Mux(d.replay & request.last, d.steps, 1)),
                freed.eq(0),
            ]

        following = Signal.like(ahead)
        m.d.comb += following.eq(ahead)
        with m.If(begin):
            m.d.comb += following.eq(Mux(single, 0, stride))
            m.d.sync += [issuing.eq(1), lane.eq(0), left.eq(next_count), final.eq(single), half.eq(0)]
        with m.Elif(issuing & ~whole):
            m.d.sync += half.eq(1)
        with m.Elif(issuing):
            m.d.sync += half.eq(0)
            m.d.comb += following.eq(Mux(left <= 2, 0, ahead + stride))
            m.d.sync += [issuing.eq(~final), lane.eq(ahead), left.eq(left - 1), final.eq(left == 2)]
        m.d.sync += ahead.eq(following)

        if several:
            # With the last chunk of a step, the first one of the next is picked.
            picked = Signal.like(current.cluster)
            stays = Mux(following == 0, (issuing | pending) & (steps != 1), ~load)
            m.d.comb += picked.eq(Mux(stays, current.cluster, owner))
        chunk = self.chunk
        remaining = Signal(count_width)
        m.d.comb += [
            remaining.eq(current.lanes - lane),
            self.pick.eq(following >> unit_width if not several else Cat(following[unit_width:], picked)),
            chunk.valid.eq(issuing & whole),
            chunk.first.eq(lane == 0),
            chunk.last.eq(final),
            chunk.lane.eq(lane),
            chunk.full.eq(remaining >= config.updates),
            chunk.used.eq(remaining),
            chunk.first_term.eq(current.first),
            chunk.last_term.eq(current.last),
            *(
                chunk[name].eq(current[name])
                for name in (
                    "parameter", "state", "logit", "output", "flag", "initial", "doubled", "shift", "pool",
                    "pool_first", "pool_last",
                )
            ),
        ]
        if several:
            m.d.comb += chunk.cluster.eq(current.cluster)
        if config.term_count > 1:
            m.d.comb += [
                chunk.stream.eq(current.stream & issuing),
                chunk.mean.eq(current.mean),
                chunk.stream_state.eq(Mux(half, current.second_state, current.stream_state)),
            ]
        return m
