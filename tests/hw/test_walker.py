import itertools
import operator
import random
from dataclasses import replace

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from configs import BATCHED, CHAIN, FOUR, NARROW, PAIR, WIDE
from geometry import random_layer, random_term
from spikeplane_hw.descriptor import pass_layout
from spikeplane_hw.map_places import InputPlace, find_places
from spikeplane_hw.state_memory import moves_states
from spikeplane_hw.testing import Pauses, receive, simulate, watch
from spikeplane_hw.walker import Walker
from spikeplane_hw.window import walk

CONFIGS = [
    NARROW, WIDE, CHAIN, BATCHED,
    replace(NARROW, name="flowing", rows_stall=False),
    replace(WIDE, name="stalling", rows_stall=True),
    replace(WIDE, name="no_window_ahead", window_queue_depth=0),
    PAIR, FOUR,
    replace(CHAIN, name="pair_chain", clusters=2),
    replace(BATCHED, name="batched_pair", clusters=2),
]


class WalkerWithMemories(wiring.Component):
    def __init__(self, config, passes, flags):
        super().__init__({})
        self.walker = Walker(config)
        self.passes, self.flags = passes, flags

    def elaborate(self, platform):
        m = Module()
        config = self.walker.config
        m.submodules.walker = walker = self.walker
        layout = pass_layout(config)
        m.submodules.passes = passes = Memory(
            shape=layout, depth=config.pass_count, init=self.passes
        )
        m.submodules.flags = flags = Memory(shape=1, depth=config.row_flag_count, init=self.flags)
        pass_port, flag_port = passes.read_port(), flags.read_port()
        m.d.comb += [
            pass_port.addr.eq(walker.pass_address),
            walker.pass_data.eq(pass_port.data),
            flag_port.addr.eq(walker.flag_address),
            flag_port.en.eq(walker.flag_enable),
            walker.flag_data.eq(flag_port.data),
        ]
        return m


async def start(ctx, walker, layer, terms, places):
    """Store the terms and start the walk; weights are always there."""
    if walker.config.external_depth:
        ctx.set(walker.go, 1)
    def drive(**values):
        for name, value in values.items():
            port = getattr(walker, name)
            ctx.set(port, value % (1 << len(port)))

    ctx.set(walker.layer, layer)
    drive(output_offset=places.output_offset, output_flags=places.output_flags, age=places.age)
    for index, (term, place) in enumerate(zip(terms, places.inputs, strict=True)):
        ctx.set(walker.term, term)
        drive(term_index=index, input_offset=place.offset, input_flags=place.flags)
        ctx.set(walker.term_store, 1)
        await ctx.tick()
    ctx.set(walker.term_store, 0)
    ctx.set(walker.start, 1)
    await ctx.tick()
    ctx.set(walker.start, 0)


@pytest.mark.parametrize("longest_pause", [0, 3, 40])
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.name)
def test_walk_matches_reference(config, seed, longest_pause):
    generator = random.Random(seed)
    check_walk(config, generator, *random_layer(config, generator), longest_pause, pieces=seed % 4 < 2)


@pytest.mark.parametrize("config", [PAIR, FOUR], ids=lambda c: c.name)
def test_the_first_pixel_alone_begins_logits(config):
    generator = random.Random(0)
    layer, terms, passes = random_layer(config, generator)
    assert layer["output_columns"] == 4
    layer |= {"logits": 1, "more_logits": 0}
    check_walk(config, generator, layer, terms, passes, 3, initial=1)


def check_walk(config, generator, layer, terms, passes, longest_pause, *, initial=None, pieces=False):
    """Walk a layer at a random time and compare all that comes with the reference."""
    time = generator.randrange(12)
    streamed = InputPlace(offset=generator.randrange(1 << config.slot_width), flags=generator.randrange(64))
    places = find_places(config, layer, terms, streamed, time)
    initial = generator.randint(0, 1) if initial is None else initial
    pieces = moves_states(config) and pieces
    segments = list(walk(config, layer, terms, passes, places, initial=bool(initial), pieces=pieces))
    dut = WalkerWithMemories(config, passes, [1] * config.row_flag_count)
    walker = dut.walker
    resumed = []

    async def run(ctx):
        ctx.set(walker.initial, initial)
        ctx.set(walker.time, time % config.tap_count)
        if pieces:
            ctx.set(walker.pieces, 1)
        await start(ctx, walker, layer, terms, places)
        await ctx.tick().until(walker.idle)

    async def rows(ctx):
        pauses = Pauses(longest_pause)
        for segment in segments:
            if segment.fetched is None:
                continue  # It comes with the pixel before.
            for plane in segment.fetched.passes:
                got = []
                while True:
                    (row,) = await receive(ctx, walker.rows, 1, pauses)
                    info = row.info
                    assert (row.banks, info.reference, info.double, info.end) == (
                        plane.banks, plane.reference, plane.double, plane.end,
                    )
                    if config.clusters > 1:
                        fetched = segment.fetched
                        assert (info.pixels + 1, row.left, row.right, row.stride) == (
                            fetched.pixels, fetched.left, fetched.right, fetched.stride,
                        )
                    if row.count:
                        got.append((row.slot, row.count, row.weight))
                    if row.last:
                        break
                assert got == plane.rows

    async def requests(ctx):
        for got, segment in zip(
            await receive(ctx, walker.segments, len(segments), Pauses(longest_pause, seed=9)),
            segments,
            strict=True,
        ):
            for name, field in got.shape():
                if name in ("stream_state", "second_state") and not segment.stream:
                    continue
                # Random maps may be larger than the memories: addresses wrap.
                assert getattr(got, name) == getattr(segment, name) % (1 << field.width), name

    async def resume(ctx):
        """Let each row of a channel group wait, while nothing of it may come."""
        while True:
            await ctx.tick().until(walker.pause)
            for _ in range(len(resumed) % 5 * 10):
                await ctx.tick()
                assert not ctx.get(walker.segments.valid)
            resumed.append(1)
            ctx.set(walker.resume, 1)
            await ctx.tick()
            ctx.set(walker.resume, 0)

    background = [watch(walker.rows), watch(walker.segments), *([resume] if pieces else [])]
    simulate(dut, run, rows, requests, background=background)
    assert len(resumed) == (layer["groups"] * layer["output_rows"] - 1 if pieces else 0)


@pytest.mark.parametrize("clusters", [2, 4])
@pytest.mark.parametrize("seed", range(8))
def test_windows_are_parts_of_what_is_fetched(clusters, seed):
    """What each cluster takes of the rows for all of them is the window of its pixel, if it were alone."""
    generator = random.Random(seed)
    config = replace(WIDE, clusters=clusters)
    layer, terms, passes = random_layer(config, generator)
    places = find_places(config, layer, terms, InputPlace(), 0)
    fetched = None
    for segment in walk(config, layer, terms, passes, places):
        fetched = segment.fetched or fetched
        for plane, shared in zip(segment.passes, fetched.passes, strict=True):
            own = []
            for slot, count, weight in shared.rows:
                moved = segment.cluster * fetched.stride
                start, end = max(0, fetched.left + moved), min(count, fetched.right + moved)
                if start < end:
                    own.append(((slot + start) % (1 << config.slot_width), end - start,
                                (weight + start - moved) % (1 << config.weight_address_width)))
            assert own == plane.rows


def test_clusters_walk_all_pixels_once():
    layer, terms, passes = random_layer(WIDE, random.Random(1))
    layer |= {"output_columns": 7, "stored": 1, "logits": 0, "steps": 3, "replay": 0}
    places = find_places(WIDE, layer, terms, InputPlace(), 0)
    alone, *others = ([
        {**vars(segment), "cluster": 0, "fetched": None}
        for segment in walk(replace(WIDE, clusters=clusters), layer, terms, passes, places)
    ] for clusters in (1, 2, 4))
    for order in others:
        assert order != alone
        key = operator.itemgetter("group", "pixel", "step")  # stable: terms stay in order
        assert sorted(order, key=key) == sorted(alone, key=key)


@pytest.mark.parametrize("config", [NARROW, WIDE, CHAIN, FOUR], ids=lambda c: c.name)
def test_silent_rows_are_left_out(config):
    rows, expected = 0, []
    for seed in itertools.count():
        generator = random.Random(seed)
        layer, _, passes = random_layer(config, generator, terms=0)
        layer |= {"terms": config.term_count - 1, "replay": 0}
        terms = [random_term(config, generator, layer, passes) for _ in range(config.term_count)]
        for term in terms:
            term |= {"skip_silent": generator.randint(0, 1), "streamed": 0}
        flags = [generator.randint(0, 1) for _ in range(config.row_flag_count)]
        places = find_places(config, layer, terms, InputPlace(), 0)
        for segment in walk(config, layer, terms, passes, places):
            for plane in segment.fetched.passes if segment.fetched else ():
                rows += len(plane.rows)
                for row, flag in zip(plane.rows, plane.flags, strict=True):
                    if flag is None or flags[flag]:
                        expected.append(row)
        if 10 < len(expected) < rows - 10:
            break
        rows, expected = 0, []
    dut = WalkerWithMemories(config, passes, flags)
    walker = dut.walker
    got = []

    async def run(ctx):
        ctx.set(walker.segments.ready, 1)
        ctx.set(walker.rows.ready, 1)
        await start(ctx, walker, layer, terms, places)
        while not ctx.get(walker.idle):
            _, _, valid, row = await ctx.tick().sample(walker.rows.valid, walker.rows.p)
            if valid and row.count:
                got.append((row.slot, row.count, row.weight))
        while ctx.get(walker.rows.valid):
            _, _, row = await ctx.tick().sample(walker.rows.p)
            if row.count:
                got.append((row.slot, row.count, row.weight))

    simulate(dut, run)
    assert got == expected
