import random

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from configs import NARROW, WIDE
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
