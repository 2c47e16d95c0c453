import random
from dataclasses import replace

import pytest
from configs import BATCHED
from spikeplane_hw.clusters import Clusters
from spikeplane_hw.memories import HOST_READ_LATENCY
from spikeplane_hw.testing import simulate

SEGMENTS = 25


def segments_of(config, generator) -> list:
    """Return segments of passes, each ``info`` and words, whose weights are in the lower half of all slots."""
    segments = []
    for _ in range(SEGMENTS):
        passes, pixels = [], generator.choice([config.clusters - 1, generator.randrange(config.clusters)])
        count = generator.randint(1, 3)
        for index in range(count):
            words = []
            for _ in range(generator.randint(1, 3)):
                density = generator.choice([0.1, 0.9])
                masks = [
                    sum((generator.random() < density) << j for j in range(config.word_slots))
                    for _ in range(config.banks)
                ]
                words.append({
                    "masks": masks, "pixels": pixels,
                    "own": [generator.choice(
                        [0, (1 << config.word_slots) - 1, generator.getrandbits(config.word_slots)],
                    ) for _ in range(config.clusters)],
                    "weights": [
                        generator.randrange(config.weight_depth // 2 - config.word_slots)
                        for _ in range(config.clusters)
                    ],
                })
            passes.append(({
                "reference": generator.getrandbits(config.reference_width), "double": generator.randint(0, 1),
                "end": int(index == count - 1), "pixels": pixels,
            }, words))
        segments.append(passes)
    return segments


def expected_sums(config, weights, segments, q: int) -> list:
    """Return (sums, reference sum) of every segment of a cluster, from the text of docs/core.md."""
    results = []
    for passes in segments:
        if passes[0][0]["pixels"] < q:
            continue
        sums, reference = [0] * config.lanes, 0
        for info, words in passes:
            for word in words:
                for e, mask in enumerate(word["masks"]):
                    for j in range(config.word_slots):
                        if mask & word["own"][q] & 1 << j:
                            row = weights[(word["weights"][q] + j) * config.banks + e]
                            sums = [value + (row >> lane & 1) for lane, value in enumerate(sums)]
                            reference += info["reference"] >> e % config.reference_width & 1
            if info["double"] and not info["end"]:
                sums, reference = [2 * value for value in sums], 2 * reference
        results.append((sums, reference))
    return results


@pytest.mark.parametrize("clusters", [2, 4])
def test_weights_stream_in_while_others_are_read(clusters):
    """All clusters read the lower half of the slots while the stream writes the upper one, and all of it is there."""
    config = replace(BATCHED, clusters=clusters)
    dut, generator = Clusters(config), random.Random(clusters)
    half = config.weight_depth // 2 * config.banks
    weights = [generator.getrandbits(config.lanes) for _ in range(2 * half)]
    segments = segments_of(config, generator)
    expected = [expected_sums(config, weights, segments, q) for q in range(clusters)]
    found: list[list] = [[] for _ in range(clusters)]
    loaded = []

    async def words(ctx):
        for address, word in enumerate(weights[:half]):
            ctx.set(dut.weights.address, address)
            ctx.set(dut.weights.write_data, word)
            ctx.set(dut.weights.write, 1)
            await ctx.tick()
            ctx.set(dut.weights.write, 0)
            await ctx.tick()
        loaded.append(True)
        for info, entries in (each for passes in segments for each in passes):
            ctx.set(dut.passes.p, info)
            ctx.set(dut.passes.valid, 1)
            await ctx.tick().until(dut.passes.ready)
            ctx.set(dut.passes.valid, 0)
            for index, entry in enumerate(entries):
                while not ctx.get(dut.room):
                    await ctx.tick()
                ctx.set(dut.words.p, entry | {"last": index == len(entries) - 1})
                ctx.set(dut.words.valid, 1)
                await ctx.tick()
                ctx.set(dut.words.valid, 0)
                await ctx.tick().repeat(5)  # as many may be on their way when there is no more room
        for _ in range(100 * SEGMENTS):
            await ctx.tick().repeat(10)
            if list(map(len, found)) == list(map(len, expected)):
                break
        for address, word in enumerate(weights):
            ctx.set(dut.weights.address, address)
            ctx.set(dut.weights.read, 1)
            await ctx.tick().repeat(HOST_READ_LATENCY)
            assert ctx.get(dut.weights.read_data) == word
            ctx.set(dut.weights.read, 0)

    async def stream(ctx):
        while not loaded:
            await ctx.tick()
        for address in generator.sample(range(half, 2 * half), half):
            slot, bank = divmod(address, config.banks)
            for name, value in {"enable": 1, "slot": slot, "bank": bank, "row": weights[address]}.items():
                ctx.set(getattr(dut.stream, name), value)
            await ctx.tick()
            ctx.set(dut.stream.enable, 0)
            for _ in range(generator.randint(0, 2)):
                await ctx.tick()

    def results(q):
        """Return what takes the snapshots of a cluster, and keeps each for a while, some for long."""
        async def take(ctx):
            width, first, pauses = config.accumulator_width, q * config.lanes, random.Random(q)
            while True:
                await ctx.tick().until(dut.done[q])
                await ctx.tick().repeat(pauses.choice([1, 1, 10, 500]))
                sums = [ctx.get(value) for value in dut.sums[first:first + config.lanes]]
                found[q].append((sums, ctx.get(dut.reference_sum) >> q * width & ((1 << width) - 1)))
                ctx.set(dut.free[q], 1)
                await ctx.tick()
                ctx.set(dut.free[q], 0)

        return take

    simulate(dut, words, stream, background=[results(q) for q in range(clusters)])
    assert found == expected
