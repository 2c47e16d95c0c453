import random

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from configs import NARROW, WIDE
from geometry import random_layer
from spikeplane_hw.descriptor import pass_layout
from spikeplane_hw.map_places import find_places
from spikeplane_hw.testing import Pauses, receive, simulate, watch
from spikeplane_hw.walker import Walker
from spikeplane_hw.window import walk


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


@pytest.mark.parametrize("longest_pause", [0, 3, 40])
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("config", [NARROW, WIDE], ids=lambda c: c.name)
def test_walk_matches_reference(config, seed, longest_pause):
    generator = random.Random(seed)
    descriptor, passes = random_layer(config, generator)
    time = generator.randrange(12)
    places = find_places(config, descriptor, generator.randrange(3), time)
    initial = generator.randint(0, 1)
    segments = list(
        walk(config, descriptor, passes, initial=bool(initial), places=places)
    )
    table = [dict.fromkeys(pass_layout(config).members, 0)] * descriptor["pass_base"] + passes
    dut = WalkerWithMemories(config, table, [1] * config.row_flag_count)
    walker = dut.walker

    async def start(ctx):
        ctx.set(walker.descriptor, descriptor)
        for name, value in vars(places).items():
            port = getattr(walker, name)
            ctx.set(port, value % (1 << len(port)))
        ctx.set(walker.initial, initial)
        ctx.set(walker.start, 1)
        await ctx.tick()
        ctx.set(walker.start, 0)
        await ctx.tick().until(walker.idle)

    async def rows(ctx):
        pauses = Pauses(longest_pause)
        for segment in segments:
            for plane in segment.passes:
                got = []
                while True:
                    (row,) = await receive(ctx, walker.rows, 1, pauses)
                    info = row.info
                    assert (info.reference, info.double, info.end) == (
                        plane.reference, plane.double, plane.end,
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
                # Random maps may be larger than the memories: addresses wrap.
                assert getattr(got, name) == getattr(segment, name) % (1 << field.width), name

    simulate(dut, start, rows, requests, background=[watch(walker.rows), watch(walker.segments)])


def test_silent_rows_are_left_out():
    config = NARROW
    generator = random.Random(3)
    descriptor, passes = random_layer(config, generator)
    descriptor |= {"skip_silent": 1, "streamed": 0, "replay": 0, "pass_base": 0, "pass_last": len(passes) - 1}
    flags = [generator.randint(0, 1) for _ in range(config.row_flag_count)]
    dut = WalkerWithMemories(config, passes, flags)
    walker = dut.walker
    d = descriptor
    expected = []
    for segment in walk(config, descriptor, passes):
        for plane in segment.passes:
            for slot, count, weight in plane.rows:
                line = (slot - d["input_base"] - passes[segment.passes.index(plane)]["input_offset"])
                if flags[d["input_flags"] + line // d["input_row"] - d["pad_rows"]]:
                    expected.append((slot, count, weight))
    got = []

    async def start(ctx):
        ctx.set(walker.descriptor, descriptor)
        ctx.set(walker.segments.ready, 1)
        ctx.set(walker.rows.ready, 1)
        ctx.set(walker.start, 1)
        await ctx.tick()
        ctx.set(walker.start, 0)
        while not ctx.get(walker.idle):
            _, _, valid, row = await ctx.tick().sample(walker.rows.valid, walker.rows.p)
            if valid and row.count:
                got.append((row.slot, row.count, row.weight))

    simulate(dut, start)
    assert 0 < len(expected) < sum(
        len(plane.rows) for segment in walk(config, descriptor, passes) for plane in segment.passes
    )
    assert got == expected
