import itertools
import random
from dataclasses import replace

import pytest
from configs import NARROW, WIDE
from spikeplane_hw.config import SMALL
from spikeplane_hw.lanes import Lanes
from spikeplane_hw.memories import HOST_READ_LATENCY
from spikeplane_hw.testing import simulate

CONFIGS = {
    "narrow": NARROW,
    "one_bank": replace(NARROW, name="one_bank", banks=1, accumulator_width=20),
    "wide": WIDE,
    "small": replace(SMALL, weight_depth=16, lanes=16, most_packed=2),
    "doubling": replace(WIDE, name="doubling", doubling_cycles=True),
    "adding": replace(NARROW, name="adding", doubling_cycles=False),
    "standing": replace(NARROW, name="standing", rotating_snapshot=False),
}


def random_segments(config, generator, count: int):
    """Return beats of ``count`` segments whose sums fit the accumulators."""
    beats = []
    for _ in range(count):
        length = generator.randint(1, 12)
        doublings = 0
        for i in range(length):
            active = [generator.random() < 0.6 for _ in range(config.banks)]
            double = i > 0 and doublings < 5 and generator.random() < 0.4
            doublings += double
            if config.doubling_cycles and double:
                active = [False] * config.banks
            beats.append({
                "address": [
                    generator.randrange(1, config.weight_depth) if on else 0 for on in active
                ],
                "active": sum(on << e for e, on in enumerate(active)),
                "double": int(double),
                "clear": int(i == 0),
                "reference": generator.getrandbits(config.reference_width),
                "end": int(i == length - 1),
            })
    return beats


def expected_sums(config, weights, beats):
    """Return (sums, reference sum) of every segment, from the text of docs/core.md."""
    results = []
    sums, reference = [0] * config.lanes, 0
    for beat in beats:
        if beat["clear"]:
            sums, reference = [0] * config.lanes, 0
        if beat["double"]:
            sums, reference = [2 * value for value in sums], 2 * reference
        for e in range(config.banks):
            if beat["active"] >> e & 1:
                row = weights[beat["address"][e] * config.banks + e]
                sums = [value + (row >> lane & 1) for lane, value in enumerate(sums)]
                reference += beat["reference"] >> e % config.reference_width & 1
        if beat["end"]:
            results.append((sums, reference))
    return results


@pytest.mark.parametrize("longest_pause", [0, 3])
@pytest.mark.parametrize("name", CONFIGS)
def test_sums(name, longest_pause):
    config = CONFIGS[name]
    dut = Lanes(config)
    generator = random.Random(name)
    # Slot 0 is what an idle bank addresses; it must not be seen, zero or not.
    weights = [
        generator.randrange(1 << config.lanes) for _ in range(config.weight_depth * config.banks)
    ]
    beats = random_segments(config, generator, 60)
    idle = {"address": [0] * config.banks, "active": 0, "double": 0, "clear": 0, "reference": 1, "end": 0}
    ends, dones = [], []

    async def testbench(ctx):
        host = dut.weights
        for address, word in enumerate(weights):
            ctx.set(host.address, address)
            ctx.set(host.write_data, word)
            ctx.set(host.write, 1)
            await ctx.tick()
            ctx.set(host.write, 0)  # the word holds for another cycle
            await ctx.tick()
        cycle = 0
        expected = None
        queue = list(beats)
        results = expected_sums(config, weights, beats)
        pause = 0
        while queue or len(dones) < len(results):
            beat = idle
            if pause == 0 and queue:
                beat = queue.pop(0)
                pause = generator.randint(0, longest_pause)
            elif pause:
                pause -= 1
            if beat["end"]:
                ends.append(cycle)
            ctx.set(dut.beat, beat)
            if ctx.get(dut.done):
                expected = results[len(dones)]
                dones.append(cycle)
            if expected:
                assert ([ctx.get(value) for value in dut.sums], ctx.get(dut.reference_sum)) == expected
            rotate = config.rotating_snapshot and generator.randint(0, 1)
            ctx.set(dut.rotate, rotate)
            if expected and rotate:
                expected = ([*expected[0][1:], expected[0][0]], expected[1])
            await ctx.tick()
            cycle += 1
        assert dones == [end + dut.latency for end in ends]

    simulate(dut, testbench)


def test_a_pair_reads_the_same_weights():
    """Two beats at once, of other segments, which do not meet."""
    config = CONFIGS["wide"]
    dut = Lanes(config, sharing=2)
    generator = random.Random(7)
    weights = [generator.randrange(1 << config.lanes) for _ in range(config.weight_depth * config.banks)]
    beats = [random_segments(config, generator, 30) for _ in range(2)]
    found: list[list] = [[], []]

    async def testbench(ctx):
        host = dut.weights
        for address, word in enumerate(weights):
            ctx.set(host.address, address)
            ctx.set(host.write_data, word)
            ctx.set(host.write, 1)
            await ctx.tick()
            ctx.set(host.write, 0)
            await ctx.tick()
        idle = {"address": [0] * config.banks, "active": 0, "double": 0, "clear": 0, "reference": 1, "end": 0}
        for beat in itertools.zip_longest(*beats, [None] * (max(map(len, beats)) + dut.latency)):
            for port, each in zip(dut.of_each("beat"), beat[:2], strict=True):
                ctx.set(port, each or idle)
            await ctx.tick()
            for results, done, sums, reference in zip(
                found, *(dut.of_each(name) for name in ("done", "sums", "reference_sum")), strict=True,
            ):
                if ctx.get(done):
                    results.append(([ctx.get(value) for value in sums], ctx.get(reference)))
        await check_read_back(ctx, host, weights[:8])

    simulate(dut, testbench)
    assert found == [expected_sums(config, weights, each) for each in beats]


async def check_read_back(ctx, host, words):
    """Read all ``words`` through the host's port."""
    for address, word in enumerate(words):
        ctx.set(host.address, address)
        ctx.set(host.read, 1)
        await ctx.tick().repeat(HOST_READ_LATENCY)
        assert ctx.get(host.read_data) == word
        ctx.set(host.read, 0)


@pytest.mark.parametrize("name", CONFIGS)
def test_host_reads_back(name):
    config = CONFIGS[name]
    dut = Lanes(config)
    generator = random.Random(name)

    async def testbench(ctx):
        host = dut.weights
        words = [generator.randrange(1 << config.lanes) for _ in range(config.banks * 4)]
        for address, word in enumerate(words):
            ctx.set(host.address, address)
            ctx.set(host.write_data, word)
            ctx.set(host.write, 1)
            await ctx.tick()
            ctx.set(host.write, 0)  # the word holds for another cycle
            await ctx.tick()
        await check_read_back(ctx, host, words)

    simulate(dut, testbench)


@pytest.mark.parametrize("name", [name for name in CONFIGS if CONFIGS[name].term_count > 1])
def test_rows_of_an_operand_change_their_lanes_alone(name):
    config = CONFIGS[name]
    dut = Lanes(config)
    generator = random.Random(name)
    slots = 4

    async def testbench(ctx):
        host, operand = dut.weights, dut.operand
        words = [0] * (config.banks * slots)
        for _ in range(40):  # a write a cycle
            slot, bank = generator.randrange(slots), generator.randrange(config.banks)
            block, row = generator.randrange(config.lanes // config.banks), generator.getrandbits(config.banks)
            for field, value in {"slot": slot, "bank": bank, "block": block, "row": row, "enable": 1}.items():
                ctx.set(getattr(operand, field), value)
            await ctx.tick()
            lanes, address = block * config.banks, slot * config.banks + bank
            mask = (1 << config.banks) - 1 << lanes
            words[address] = words[address] & ~mask | row << lanes
        ctx.set(operand.enable, 0)
        await check_read_back(ctx, host, words)

    simulate(dut, testbench)
