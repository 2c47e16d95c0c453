import random
from dataclasses import replace

import pytest
from configs import BATCHED, NARROW, WIDE
from spikeplane_hw.banks import Banks
from spikeplane_hw.memories import spike_read_latency
from spikeplane_hw.testing import simulate

DOUBLING = replace(WIDE, name="doubling", doubling_cycles=True)


def passes_of(config, count, generator):
    """Return random passes: flags and words of (masks, weight slot)."""
    passes = []
    for index in range(count):
        words = []
        for _ in range(generator.randint(1, 5)):
            density = generator.choice([0.0, 0.2, 0.9])
            masks = [
                sum((generator.random() < density) << j for j in range(config.word_slots))
                for _ in range(config.banks)
            ]
            words.append((masks, generator.randrange(config.weight_depth)))
        end = index == count - 1 or generator.random() < 0.5
        info = {
            "reference": generator.getrandbits(config.reference_width), "double": generator.randint(0, 1),
            "end": int(end),
        }
        passes.append((info, words))
    return passes


@pytest.mark.parametrize("pause", [0.0, 0.5])
@pytest.mark.parametrize("config", [NARROW, WIDE, DOUBLING], ids=lambda c: c.name)
def test_beats_follow_the_words(config, pause):
    generator = random.Random(1)
    passes = passes_of(config, 60, generator)
    dut = Banks(config)
    seen = []  # one list of events a bank and pass
    longest = []

    async def words(ctx):
        await ctx.tick().repeat(2)
        for _, entries in passes:
            for index, (masks, weight) in enumerate(entries):
                while generator.random() < pause or not ctx.get(dut.room):
                    await ctx.tick()
                last = index == len(entries) - 1
                ctx.set(dut.words.p, {"masks": masks, "weight": weight, "last": last})
                ctx.set(dut.words.valid, 1)
                await ctx.tick()
                ctx.set(dut.words.valid, 0)
                await ctx.tick().repeat(dut.in_flight)

    async def infos(ctx):
        for info, _ in passes:
            ctx.set(dut.passes.p, info)
            ctx.set(dut.passes.valid, 1)
            await ctx.tick().until(dut.passes.ready)
            ctx.set(dut.passes.valid, 0)

    async def frees(ctx):
        while True:
            await ctx.tick().until(dut.beat.end)
            for _ in range(generator.randint(0, 4) if pause else 0):
                await ctx.tick()
            ctx.set(dut.free, 1)
            await ctx.tick()
            ctx.set(dut.free, 0)

    async def beats(ctx):
        """Cut the beats into segments; within one, doubling separates significances."""
        events, doubles = [], 0
        ends = 0
        clear = True
        free = True  # the snapshot, from the cycle after the one with `free` on
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        await ctx.tick()
        while ends < sum(info["end"] for info, _ in passes):
            _, _, beat, count, freed = await ctx.tick().sample(dut.beat, dut.events, dut.free)
            assert count == bin(beat.active).count("1")
            assert beat.clear == clear
            assert not (config.doubling_cycles and beat.double and beat.active)
            clear = bool(beat.end)
            doubles += beat.double
            for bank in range(config.banks):
                if beat.active >> bank & 1:
                    events.append((doubles, bank, beat.address[bank], beat.reference))
            assert free or not beat.end
            free = freed or (free and not beat.end)
            if beat.end:
                seen.append(events)
                events, doubles = [], 0
                ends += 1
        await ctx.tick().repeat(8)

    async def longest_queues(ctx):
        async for _, _, value, valid in ctx.tick().sample(dut.longest, dut.longest_valid):
            if valid:
                longest.append(value)

    simulate(dut, words, infos, beats, background=[frees, longest_queues])

    expected, events, doubles, expected_longest = [], [], 0, []
    for info, entries in passes:
        counts = [0] * config.banks
        for masks, weight in entries:
            for bank, mask in enumerate(masks):
                for j in range(config.word_slots):
                    if mask >> j & 1:
                        slot = (weight + j) % config.weight_depth
                        events.append((doubles, bank, slot, info["reference"]))
                        counts[bank] += 1
        expected_longest.append(max(counts))
        doubles += info["double"]
        if info["end"]:
            expected.append(events)
            events, doubles = [], 0
    assert [sorted(e) for e in seen] == [sorted(e) for e in expected]
    assert longest == expected_longest


@pytest.mark.parametrize("half", [False, True], ids=["whole", "half"])
def test_slots_are_modulo_the_ring(half):
    """Where weights stream into half of them, no event leaves that half."""
    dut = Banks(BATCHED)
    full, seen = (1 << BATCHED.word_slots) - 1, set()
    last = BATCHED.weight_depth // 2 - 1  # the first slot of a word that goes beyond

    async def words(ctx):
        ctx.set(dut.half, half)
        ctx.set(dut.words.p, {"masks": [full] * BATCHED.banks, "weight": last, "last": 1})
        ctx.set(dut.words.valid, 1)
        await ctx.tick()
        ctx.set(dut.words.valid, 0)
        ctx.set(dut.passes.p.end, 1)
        ctx.set(dut.passes.valid, 1)
        for _ in range(4 * BATCHED.word_slots):
            _, _, address, active = await ctx.tick().sample(dut.beat.address, dut.beat.active)
            seen.update(address[bank] for bank in range(BATCHED.banks) if active >> bank & 1)

    simulate(dut, words)
    ring = BATCHED.weight_depth // (1 + half)
    assert seen == {(last + slot) % ring for slot in range(BATCHED.word_slots)}


@pytest.mark.parametrize("config", [NARROW, WIDE, DOUBLING], ids=lambda c: c.name)
def test_no_word_is_lost_however_full_the_queues_are(config):
    """While no pass may end, a word is started in every cycle with ``room``, and comes when it has been read."""
    dut = Banks(config)
    popped, sent = [], []
    full = (1 << config.word_slots) - 1

    async def words(ctx):
        ctx.set(dut.words.p.masks, [full] * config.banks)
        started = [0] * spike_read_latency(config)
        for _ in range(4 * config.queue_depth):
            started.append(ctx.get(dut.room))
            comes = started.pop(0)
            number = len(sent) + 1
            ctx.set(dut.words.p.weight, number * config.word_slots % config.weight_depth)
            ctx.set(dut.words.p.last, number == 1)
            ctx.set(dut.words.valid, comes)
            if comes:
                sent.append(number)
            await ctx.tick()
        # Now passes may end; there are as many as are needed to get every word out.
        ctx.set(dut.words.valid, 0)
        ctx.set(dut.passes.valid, 1)
        await ctx.tick().repeat(len(sent) * config.word_slots + 20)

    async def beats(ctx):
        async for _, _, beat in ctx.tick().sample(dut.beat):
            if beat.active & 1:
                popped.append(beat.address[0])

    simulate(dut, words, background=[beats])
    assert len(sent) >= config.queue_depth - 1
    assert popped == [
        (number * config.word_slots + j) % config.weight_depth for number in sent for j in range(config.word_slots)
    ]
