"""The stream of weights in a ring: order, room, what a restart drops, and when groups are granted."""

import random
from dataclasses import replace

import pytest
import ragged_networks
from spikeplane_hw.external_bus import BEAT_BITS, BURST_BEATS
from spikeplane_hw.testing import simulate
from spikeplane_hw.weight_stream import WeightStream, ring_slots, row_beats, slot_bursts

DEPTH = 8
CONFIGS = {
    "narrow": ragged_networks.CORES[0],  # two banks of four lanes: a burst is more than a slot
    "wide": ragged_networks.CORES[2],    # a row is two beats, a slot two bursts
    "single": ragged_networks.CORES[3],  # a slot is one bit
}


def config_of(name: str):
    return replace(CONFIGS[name], weight_depth=DEPTH, external_depth=1 << 10)


def words(config, slots: int, seed: int) -> list[list[int]]:
    """Return random rows of slots: a list of lanes' bits for each slot and bank."""
    generator = random.Random(seed)
    return [[generator.getrandbits(config.lanes) for _ in range(config.banks)] for _ in range(slots)]


def beats_of(config, slot: list[int]) -> list[int]:
    """Return the beats of a slot as they lie in memory."""
    found = [row >> BEAT_BITS * beat & 0xFFFF for row in slot for beat in range(row_beats(config))]
    return found + [0xDEAD] * (slot_bursts(config) * BURST_BEATS - len(found))


class Memory:
    """Answers requests in order, some time later."""

    def __init__(self, dut, contents: list[list[int]], seed: int):
        self.dut, self.random, self.pending = dut, random.Random(seed), []
        self.beats = [beat for slot in contents for beat in beats_of(dut.config, slot)]

    async def run(self, ctx):
        taken = False  # not in two cycles one behind the other: as ExternalPort does
        while True:
            taking = not taken and len(self.pending) <= 2 * BURST_BEATS and self.random.random() < 0.7
            ctx.set(self.dut.request.ready, taking)
            giving = bool(self.pending) and self.random.random() < 0.8
            ctx.set(self.dut.beat_valid, giving)
            ctx.set(self.dut.beat, self.pending[0] if giving else 0xBAD)
            ctx.set(self.dut.resting, not self.pending)
            _, _, valid, address = await ctx.tick().sample(self.dut.request.valid, self.dut.request.payload)
            if giving:
                self.pending.pop(0)
            taken = bool(valid and taking)
            if taken:
                self.pending += self.beats[address * BURST_BEATS:(address + 1) * BURST_BEATS]


class Ring:
    """The weight memory as the stream writes it."""

    def __init__(self, dut, slots: int = DEPTH):
        self.dut, self.slots = dut, [[None] * dut.config.banks for _ in range(slots)]

    async def run(self, ctx):
        write = self.dut.write
        async for _, _, enable, slot, bank, row in ctx.tick().sample(write.enable, write.slot, write.bank, write.row):
            if enable:
                self.slots[slot][bank] = row


async def group(ctx, dut, need: int) -> int:
    """Wait for the grant of a group of ``need`` slots; return where it begins."""
    ctx.set(dut.need, need)
    ctx.set(dut.hold, 1)
    await ctx.tick().until(dut.go)
    ctx.set(dut.hold, 0)
    await ctx.tick()
    return ctx.get(dut.base)


async def over(ctx, dut) -> None:
    ctx.set(dut.walked, 1)
    await ctx.tick()
    ctx.set(dut.walked, 0)
    await ctx.tick()


async def begin(ctx, dut, slots: int) -> None:
    ctx.set(dut.slots, slots)
    ctx.set(dut.restart, 1)
    await ctx.tick()
    ctx.set(dut.restart, 0)
    await ctx.tick()


@pytest.mark.parametrize("half", [False, True], ids=["whole", "half"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CONFIGS)
def test_groups_find_their_slots(name, seed, half):
    """Groups of random sizes, as often as not with a group of the same layer behind them; several passes."""
    generator = random.Random(seed)
    config = config_of(name)
    dut = WeightStream(config)
    slots = ring_slots(config, half=half)
    sizes = [generator.randint(1, slots - 1) for _ in range(5)]
    contents = words(config, sum(sizes), seed)
    memory, ring = Memory(dut, contents, seed), Ring(dut, slots)  # it would see a slot beyond

    async def testbench(ctx):
        ctx.set(dut.half, half)
        await begin(ctx, dut, len(contents))
        for _ in range(3):
            first = 0
            for size in sizes:
                base = await group(ctx, dut, size)
                await ctx.tick().repeat(generator.randint(1, 200))
                found = [ring.slots[(base + slot) % slots] for slot in range(size)]
                assert found == contents[first:first + size]
                first += size
                await over(ctx, dut)

    simulate(dut, testbench, background=[memory.run, ring.run])


def test_a_group_behind_another_one_of_its_layer():
    """It waits until nothing of the one before is under way, then its slots follow."""
    config = config_of("wide")
    dut = WeightStream(config)
    contents = words(config, 10, 1)
    memory, ring = Memory(dut, contents, 1), Ring(dut)

    async def testbench(ctx):
        await begin(ctx, dut, len(contents))
        base = await group(ctx, dut, 5)
        ctx.set(dut.hold, 1)
        for _ in range(300):
            await ctx.tick()
            assert not ctx.get(dut.go)
        assert [ring.slots[(base + slot) % DEPTH] for slot in range(5)] == contents[:5]
        ctx.set(dut.quiet, 1)
        await ctx.tick().until(dut.go)
        ctx.set(dut.hold, 0)
        await ctx.tick()
        assert ctx.get(dut.base) == (base + 5) % DEPTH
        assert [ring.slots[(base + 5 + slot) % DEPTH] for slot in range(5)] == contents[5:]

    simulate(dut, testbench, background=[memory.run, ring.run])


def test_weights_that_are_aside_take_nothing_of_the_ring():
    config = config_of("wide")
    dut = WeightStream(config)
    contents = words(config, 10, 3)
    memory, ring = Memory(dut, contents, 3), Ring(dut)

    async def testbench(ctx):
        await begin(ctx, dut, len(contents))
        for first, size in ((0, 4), (4, 6)):
            ctx.set(dut.aside, 1)
            assert await group(ctx, dut, DEPTH - 1) == 0
            await over(ctx, dut)
            ctx.set(dut.aside, 0)
            assert await group(ctx, dut, size) == first
            found = [ring.slots[(first + slot) % DEPTH] for slot in range(size)]
            assert found == contents[first:first + size]
            await over(ctx, dut)

    simulate(dut, testbench, background=[memory.run, ring.run])


@pytest.mark.parametrize("wait", [0, 3, 10, 40, 100])
def test_a_restart_drops_what_is_on_its_way(wait):
    config = config_of("wide")
    dut = WeightStream(config)
    contents = words(config, 6, 2)
    memory, ring = Memory(dut, contents, 2), Ring(dut)

    async def testbench(ctx):
        await begin(ctx, dut, len(contents))
        for _ in range(wait):
            await ctx.tick()
        await begin(ctx, dut, len(contents))
        base = await group(ctx, dut, 6)
        assert base == 0
        assert ring.slots[:6] == contents

    simulate(dut, testbench, background=[memory.run, ring.run])


def test_without_a_stream_all_are_granted():
    dut = WeightStream(config_of("narrow"))

    async def testbench(ctx):
        await begin(ctx, dut, 0)
        for need in (3, 7):
            assert await group(ctx, dut, need) == 0
            assert not ctx.get(dut.request.valid)

    simulate(dut, testbench)
