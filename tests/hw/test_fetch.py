import itertools
import random

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from configs import FOUR, NARROW, PAIR, WIDE
from spikeplane_hw.fetch import Fetch
from spikeplane_hw.memories import spike_read_latency
from spikeplane_hw.testing import Pauses, receive, send, simulate, watch


class FetchWithMemory(wiring.Component):
    def __init__(self, config, words):
        super().__init__({})
        self.fetch = Fetch(config)
        self.words = words

    def elaborate(self, platform):
        m = Module()
        m.submodules.fetch = self.fetch
        m.submodules.memory = memory = Memory(
            shape=self.fetch.config.word_width, depth=len(self.words), init=self.words
        )
        port = memory.read_port()
        m.d.comb += port.addr.eq(self.fetch.address)
        word = port.data
        for _ in range(1, spike_read_latency(self.fetch.config)):
            following = Signal.like(self.fetch.data)
            m.d.sync += following.eq(word)
            word = following
        m.d.comb += self.fetch.data.eq(word)
        return m


@pytest.mark.parametrize("longest_pause", [0, 3])
@pytest.mark.parametrize("config", [NARROW, WIDE], ids=lambda c: c.name)
def test_rows_become_masks(config, longest_pause):
    generator = random.Random(2)
    words = [generator.getrandbits(config.word_width) for _ in range(config.spike_depth)]
    rows, expected, infos = [], [], []
    info = None
    for _ in range(80):
        if info is None:
            info = {name: generator.randint(0, 1) for name in ("double", "end")}
            info["reference"] = generator.getrandbits(config.reference_width)
            infos.append(info)
        count = generator.choice([0, 1, 2, config.word_slots, generator.randint(1, 20)])
        slot = generator.randrange(config.spike_depth * config.word_slots - count)
        last = generator.randint(0, 1)
        if count == 0:
            last = 1
        weight = generator.randrange(config.weight_depth)
        banks = generator.getrandbits(config.banks) if config.mask_width else 0
        rows.append({
            "slot": slot, "count": count, "weight": weight, "last": last, "banks": banks, "info": info,
        })
        events = set()
        for k in range(count):
            word, position = divmod(slot + k, config.word_slots)
            for bank in range(config.banks):
                read = banks >> bank & 1 if config.mask_width else 1
                if read and words[word] >> (position * config.banks + bank) & 1:
                    events.add((bank, (weight + k) % config.weight_depth))
        expected.append((events, last))
        if last:
            info = None
    dut = FetchWithMemory(config, words)
    fetch = dut.fetch
    results = []

    async def source(ctx):
        await send(ctx, fetch.rows, rows, Pauses(longest_pause))

    async def room(ctx):
        while True:
            ctx.set(fetch.room, longest_pause == 0 or generator.random() < 0.5)
            await ctx.tick()

    async def announced(ctx):
        got = await receive(ctx, fetch.passes, len(infos), Pauses(longest_pause, seed=5))
        assert [{k: getattr(i, k) for k in ("reference", "double", "end")} for i in got] == infos

    async def sink(ctx):
        passes = sum(row["last"] for row in rows)
        events = set()
        rooms = [0] * spike_read_latency(config)
        while passes:
            _, _, valid, word, room = await ctx.tick().sample(fetch.words.valid, fetch.words.p, fetch.room)
            rooms.append(room)
            started_with_room = rooms.pop(0)
            if not valid:
                continue
            assert started_with_room
            for bank in range(config.banks):
                for j in range(config.word_slots):
                    if word.masks[bank] >> j & 1:
                        events.add((bank, (word.weight + j) % config.weight_depth))
            if word.last:
                results.append(events)
                events = set()
                passes -= 1

    simulate(dut, source, sink, announced, background=[room, watch(fetch.passes)])
    merged, events = [], set()
    for row_events, last in expected:
        events |= row_events
        if last:
            merged.append(events)
            events = set()
    assert results == merged


@pytest.mark.parametrize("config", [PAIR, FOUR], ids=lambda c: c.name)
def test_clusters_get_the_slots_of_their_windows(config):
    """Windows lie anywhere: ahead of the row and behind it as well, and beside each other with gaps."""
    generator = random.Random(3)
    words = [generator.getrandbits(config.word_width) for _ in range(config.spike_depth)]
    rows, expected = [], []
    for _ in range(120):
        count = generator.choice([0, 1, config.word_slots, generator.randint(1, 40)])
        slot = generator.randrange(config.spike_depth * config.word_slots - count)
        left = -generator.choice([0, 0, generator.randrange(12)])
        fields = {
            "slot": slot, "count": count, "weight": generator.randrange(config.weight_depth), "left": left,
            "right": left + generator.randint(0, 20), "stride": generator.randrange(14),
        }
        pixels = generator.randint(1, config.clusters)
        banks = (1 << config.banks) - 1
        rows.append({
            **fields, "last": 1, "banks": banks, "info": {"reference": 0, "double": 0, "end": 1, "pixels": pixels - 1},
        })
        events = [set() for _ in range(pixels)]
        for k, q in itertools.product(range(count), range(pixels)):
            moved = q * fields["stride"]
            word, position = divmod(slot + k, config.word_slots)
            if left + moved <= k < fields["right"] + moved:
                events[q] |= {
                    (bank, (fields["weight"] + k - moved) % config.weight_depth) for bank in range(config.banks)
                    if words[word] >> (position * config.banks + bank) & 1
                }
        expected.append(events)
    assert any(not one and other for one, other, *_ in (each for each in expected if len(each) > 1))
    dut = FetchWithMemory(config, words)
    fetch = dut.fetch
    results = []

    async def source(ctx):
        await send(ctx, fetch.rows, rows, Pauses(2))

    async def room(ctx):
        while True:
            ctx.set(fetch.room, generator.random() < 0.7)
            await ctx.tick()

    async def announced(ctx):
        got = await receive(ctx, fetch.passes, len(rows), Pauses(2, seed=5))
        assert [info.pixels for info in got] == [row["info"]["pixels"] for row in rows]

    async def sink(ctx):
        found = None
        while len(results) < len(rows):
            _, _, valid, word = await ctx.tick().sample(fetch.words.valid, fetch.words.p)
            if not valid:
                continue
            found = found or [set() for _ in range(word.pixels + 1)]
            for q, bank, j in itertools.product(range(len(found)), range(config.banks), range(config.word_slots)):
                if (word.masks[bank] & word.own[q]) >> j & 1:
                    found[q].add((bank, (word.weights[q] + j) % config.weight_depth))
            if word.last:
                results.append(found)
                found = None

    simulate(dut, source, sink, announced, background=[room, watch(fetch.passes)])
    assert results == expected
