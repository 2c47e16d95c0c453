import random
from dataclasses import replace

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from configs import BATCHED, CHAIN, NARROW, WIDE
from geometry import random_layer, random_load
from pytest import mark
from spikeplane_hw.descriptor import PROGRAM_WIDTH, Job, descriptor_words, job_layout, map_rows
from spikeplane_hw.memory_map import Counter
from spikeplane_hw.sequencer import FETCH_CYCLES, Sequencer
from spikeplane_hw.statistics import COUNTER_CYCLES, Statistics
from spikeplane_hw.testing import simulate

COPY_CYCLES = 4
END_CYCLES = FETCH_CYCLES + 1
"""Of the job that ends an outer step."""


class SequencerWithMemories(wiring.Component):
    def __init__(self, config, program):
        super().__init__({})
        self.sequencer = Sequencer(config)
        self.statistics = Statistics(config)
        self.program = program

    def elaborate(self, platform):
        m = Module()
        m.submodules.sequencer = sequencer = self.sequencer
        m.submodules.statistics = statistics = self.statistics
        m.submodules.program = program = Memory(
            shape=PROGRAM_WIDTH, depth=len(self.program), init=self.program
        )
        read = program.read_port()
        m.d.comb += [
            read.addr.eq(sequencer.program_address),
            sequencer.program_data.eq(read.data),
            statistics.busy.eq(sequencer.busy),
            statistics.resume.eq(sequencer.resume),
            statistics.initial.eq(sequencer.initial),
            statistics.advance.eq(sequencer.advance),
            *([statistics.collected.eq(sequencer.collected)] if sequencer.config.most_samples > 1 else []),
            statistics.counting.eq(sequencer.counting),
            statistics.settle.eq(sequencer.settle),
            sequencer.settled.eq(statistics.settled),
        ]
        return m


def program_words(config, jobs):
    """Return the words of a program."""
    program = []
    for fields in jobs:
        layout = job_layout(config, fields["job"])
        bits = layout.const(fields).as_bits()
        program += [
            bits >> (PROGRAM_WIDTH * i) & ((1 << PROGRAM_WIDTH) - 1) for i in range(descriptor_words(layout))
        ]
    return program


@mark.parametrize("resumed", [False, True])
@mark.parametrize("config", [NARROW, WIDE, CHAIN], ids=lambda c: c.name)
def test_layers_run_in_order_and_are_counted(config, resumed):
    config = replace(config, layer_count=16)  # room for the jobs
    generator = random.Random(6)
    layers, outer_steps = 3, 2
    descriptors = [random_layer(config, generator)[:2] for _ in range(layers)]
    loads = [generator.randrange(3) if config.term_count > 1 else 0 for _ in range(layers)]
    for index, (layer, _) in enumerate(descriptors):
        layer["logits"] = int(index == layers - 1)
    jobs = []
    for (layer, terms), count in zip(descriptors, loads, strict=True):
        jobs += [layer, *[random_load(config, generator) for _ in range(count)], *terms, {"job": Job.WALK}]
    dut = SequencerWithMemories(config, program_words(config, [*jobs, {"job": Job.END}]))
    sequencer, statistics = dut.sequencer, dut.statistics
    runs = 2 if resumed else 1
    totals = [dict.fromkeys(Counter, 0) for _ in range(layers)]
    slack = [0] * layers
    busy_cycles = [0]

    async def one_layer(ctx, index, outer, run):
        cleared, stored, loaded = [], [], []
        cycles = copied = 0
        d, terms = descriptors[index]
        placing = pause = generator.randint(0, 3)
        ctx.set(sequencer.output_flags, 5 * index)
        while not ctx.get(sequencer.start):
            # Places are found some cycles after they are asked for.
            if ctx.get(sequencer.place):
                pause = placing
                ctx.set(sequencer.placed, 0)
            elif pause:
                pause -= 1
            else:
                ctx.set(sequencer.placed, 1)
            if ctx.get(sequencer.term_store):
                assert ctx.get(sequencer.term_index) == len(stored)
                stored.append(ctx.get(sequencer.term))
            if config.term_count > 1:
                copied -= copied > 0
                if ctx.get(sequencer.load_start):
                    loaded.append(ctx.get(sequencer.load))
                    copied = COPY_CYCLES
                ctx.set(sequencer.load_idle, copied == 0)
            if ctx.get(sequencer.flag_clear):
                cleared.append(ctx.get(sequencer.flag_address))
            await ctx.tick()
        first = jobs.index(d)
        expected = jobs[first:first + 1 + loads[index]] + terms
        for got, fields in zip((ctx.get(sequencer.layer), *loaded, *stored), expected, strict=True):
            for name in got.shape().members:
                assert getattr(got, name) == fields[name], name
        rows = [] if d["logits"] else range(d["steps"] * map_rows(config, d))
        assert cleared == [
            (d["output_flags"] + 5 * index + row) % config.row_flag_count for row in rows
        ]
        assert ctx.get(sequencer.initial) == (outer == 0 and (run == 0))
        await ctx.tick()
        for _ in range(generator.randint(1, 20)):
            events = generator.randint(0, config.banks)
            longest = generator.randint(0, 9)
            valid = generator.randint(0, 1)
            saturations, spikes = (generator.randint(0, config.updates) for _ in range(2))
            ctx.set(statistics.events, events)
            ctx.set(statistics.longest, longest)
            ctx.set(statistics.longest_valid, valid)
            ctx.set(statistics.saturations, saturations)
            ctx.set(statistics.spikes, spikes)
            totals[index][Counter.EVENTS] += events
            totals[index][Counter.IDLE] += valid * longest * config.banks - events
            totals[index][Counter.SATURATIONS] += saturations
            totals[index][Counter.SPIKES] += spikes
            cycles += 1
            await ctx.tick()
        for port in (statistics.events, statistics.longest_valid, statistics.saturations, statistics.spikes):
            ctx.set(port, 0)
        ctx.set(sequencer.drained, 1)
        await ctx.tick()
        ctx.set(sequencer.drained, 0)
        # Of every job reading it; finding the maps, copying, clearing, starting, walking, waiting for the counter
        # at hand, storing.
        words = {job: descriptor_words(job_layout(config, job)) + FETCH_CYCLES - 1 for job in Job}
        least = (
            words[Job.LAYER] + loads[index] * (words[Job.LOAD] + 2 + placing + COPY_CYCLES)
            + len(terms) * (words[Job.TERM] + 2 + placing) + words[Job.WALK]
            + len(rows) + 1 + cycles + 2 + COUNTER_CYCLES * len(Counter)
        )
        totals[index][Counter.CYCLES] += least
        slack[index] += COUNTER_CYCLES - 1

    async def clock(ctx):
        async for _, _, busy in ctx.tick().sample(sequencer.busy):
            busy_cycles[0] += busy

    async def testbench(ctx):
        ctx.set(sequencer.outer_steps, outer_steps)
        for run in range(runs):
            ctx.set(sequencer.resume, run > 0)
            ctx.set(sequencer.run, 1)
            await ctx.tick()
            ctx.set(sequencer.run, 0)
            for outer in range(outer_steps):
                for index in range(layers):
                    await one_layer(ctx, index, outer, run)
            await ctx.tick().until(~sequencer.busy)
        cycles = 0
        for index, counters in enumerate(totals):
            for counter, value in counters.items():
                ctx.set(statistics.address, index * len(Counter) + counter.value)
                await ctx.tick()
                found = ctx.get(statistics.data)
                if counter is Counter.CYCLES:
                    assert value <= found <= value + slack[index], index
                    cycles += found
                else:
                    assert found == value % 2**32, (index, counter)
        assert cycles + runs * outer_steps * END_CYCLES == busy_cycles[0]

    simulate(dut, testbench, background=[clock])


@mark.parametrize("samples", [1, 2, 5, BATCHED.most_samples])
def test_layers_behind_a_collect_run_with_the_last_sample_and_are_counted_anew(samples):
    generator = random.Random(samples)
    descriptors = [random_layer(BATCHED, generator, terms=1)[:2] for _ in range(3)]
    groups = [[layer, *terms, {"job": Job.WALK}] for layer, terms in descriptors]
    collect = {"job": Job.COLLECT, "samples": samples - 1}
    dut = SequencerWithMemories(
        BATCHED, program_words(BATCHED, [*groups[0], collect, *groups[1], *groups[2], {"job": Job.END}])
    )
    sequencer, statistics = dut.sequencer, dut.statistics
    spikes = [[], [], []]

    async def walk(ctx, index, anew):
        await ctx.tick().until(sequencer.start)
        for name in ("steps", "output_base"):
            assert getattr(ctx.get(sequencer.layer), name) == descriptors[index][0][name]
        assert ctx.get(sequencer.collected) == (index > 0)
        if anew:
            spikes[index].clear()
        spikes[index].append(generator.randint(1, BATCHED.updates))
        ctx.set(statistics.spikes, spikes[index][-1])
        await ctx.tick()
        ctx.set(statistics.spikes, 0)
        ctx.set(sequencer.drained, 1)
        await ctx.tick().until(sequencer.walked)
        ctx.set(sequencer.drained, 0)

    async def testbench(ctx):
        ctx.set(sequencer.outer_steps, 1)
        ctx.set(sequencer.placed, 1)
        for _ in range(2):  # batches
            for sample in range(samples):
                ctx.set(sequencer.resume, sample > 0)
                ctx.set(sequencer.time, sample)
                ctx.set(sequencer.run, 1)
                await ctx.tick()
                ctx.set(sequencer.run, 0)
                await walk(ctx, 0, anew=sample == 0)
                if sample == samples - 1:
                    await walk(ctx, 1, anew=True)
                    await walk(ctx, 2, anew=True)
                await ctx.tick().until(~sequencer.busy)
            for index in range(3):
                ctx.set(statistics.address, index * len(Counter) + Counter.SPIKES.value)
                await ctx.tick()
                assert ctx.get(statistics.data) == sum(spikes[index]), index

    simulate(dut, testbench)


@mark.parametrize("stores", [0, 1])
@mark.parametrize("loads", [0, 2])
def test_moves_of_pieces_are_made_again_whenever_the_walk_stops(loads, stores):
    generator, pieces = random.Random(7), 4
    layout = job_layout(BATCHED, Job.MOVE)

    def moves(count, *, last):
        return [
            {name: generator.getrandbits(field.width) for name, field in layout}
            | {"job": Job.MOVE, "last": int(last and number == count - 1)} for number in range(count)
        ]

    once, before, after = moves(1, last=False), moves(loads, last=False), moves(stores, last=True)
    layer, terms = random_layer(BATCHED, generator, terms=2)[:2]
    following = random_layer(BATCHED, generator, terms=1)[:2]
    dut = SequencerWithMemories(BATCHED, program_words(BATCHED, [
        layer | {"moved": stores}, *once, *terms, *before, {"job": Job.WALK, "pieces": 1}, *after,
        following[0] | {"moved": 0}, *following[1], {"job": Job.WALK, "pieces": 0}, {"job": Job.END},
    ]))
    sequencer, found = dut.sequencer, []
    events = ("first_piece", "next_piece", "start", "resume_walk", "walked")
    last_term = job_layout(BATCHED, Job.TERM).const(terms[-1]).as_bits()

    async def watch(ctx):
        while True:
            await ctx.tick()
            found.extend(name for name in events if ctx.get(getattr(sequencer, name)))
            if ctx.get(sequencer.move_start):
                found.append(ctx.get(sequencer.move.burst))

    async def walk(ctx, begin, end):
        """Wait until the walk begins or goes on, and end it, or the row at hand."""
        while not ctx.get(begin):
            await ctx.tick()
        assert ctx.get(sequencer.term.as_value()) == last_term
        await ctx.tick().repeat(5)
        ctx.set(end, 1)
        await ctx.tick()
        ctx.set(end, 0)

    async def testbench(ctx):
        ctx.set(sequencer.outer_steps, 1)
        ctx.set(sequencer.placed, 1)
        ctx.set(sequencer.move_idle, 1)
        ctx.set(sequencer.run, 1)
        await ctx.tick()
        ctx.set(sequencer.run, 0)
        for piece in range(pieces):
            last = piece == pieces - 1
            await walk(ctx, sequencer.resume_walk if piece else sequencer.start,
                       sequencer.drained if last else sequencer.paused)
            assert ctx.get(sequencer.pieces)
        await ctx.tick().until(sequencer.start)
        assert not ctx.get(sequencer.pieces)
        ctx.set(sequencer.drained, 1)
        await ctx.tick().until(~sequencer.busy)

    simulate(dut, testbench, background=[watch])
    bursts = [[move["burst"] for move in each] for each in (once, before, after)]
    expected = ["first_piece", *bursts[0]]
    for piece in range(pieces):
        expected += [*bursts[1], "resume_walk" if piece else "start"]
        expected += [*bursts[2], "next_piece"] if piece < pieces - 1 else ["walked", *bursts[2]]
    assert found == [*expected, "first_piece", "start", "walked"]


def test_moves_are_made_ahead_of_a_walk_and_behind_it_as_part_of_the_layer():
    generator = random.Random(5)
    layout = job_layout(BATCHED, Job.MOVE)
    groups, moves = [], []
    for before, after in ((0, 2), (1, 0), (3, 1)):
        layer, terms = random_layer(BATCHED, generator, terms=1)[:2]
        own = [
            {name: generator.getrandbits(field.width) for name, field in layout}
            | {"job": Job.MOVE, "last": int(number == before + after - 1 and after > 0)}
            for number in range(before + after)
        ]
        moves += own
        groups += [layer | {"moved": int(after > 0)}, *own[:before], *terms, {"job": Job.WALK}, *own[before:]]
    dut = SequencerWithMemories(BATCHED, program_words(BATCHED, [*groups, {"job": Job.END}]))
    sequencer, statistics = dut.sequencer, dut.statistics
    found, walks, took = [], [], []

    async def mover(ctx):
        while True:
            await ctx.tick().until(sequencer.move_start)
            # It is static from here on; the tick has passed.
            found.append(ctx.get(sequencer.move))
            walks.append(len(took))
            ctx.set(sequencer.move_idle, 0)
            await ctx.tick().repeat(generator.randint(1, 40))
            ctx.set(sequencer.move_idle, 1)

    async def testbench(ctx):
        ctx.set(sequencer.outer_steps, 1)
        ctx.set(sequencer.placed, 1)
        ctx.set(sequencer.run, 1)
        await ctx.tick()
        ctx.set(sequencer.run, 0)
        busy = 0
        while True:
            starts, is_busy = ctx.get(sequencer.start), ctx.get(sequencer.busy)
            if starts:
                took.append(busy)
            ctx.set(sequencer.drained, int(not starts))
            if not is_busy:
                break
            busy += 1
            await ctx.tick()
        cycles = 0
        for index in range(3):
            ctx.set(statistics.address, index * len(Counter) + Counter.CYCLES.value)
            await ctx.tick()
            cycles += ctx.get(statistics.data)
        assert cycles + END_CYCLES == busy, "all of a move counts as a layer's"

    simulate(dut, testbench, background=[mover])
    assert walks == [1, 1, 1, 2, 2, 2, 3]
    for got, fields in zip(found, moves, strict=True):
        for name in layout.members:
            assert getattr(got, name) == fields[name], name
