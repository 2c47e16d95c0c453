"""Moves between a spike memory and memory outside the chip: every word is where it shall be, and no other one."""

import random
from dataclasses import replace

import pytest
from amaranth import Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped
from configs import BATCHED, NARROW
from sdram_bench import QUICK_SDRAM, attach
from spikeplane_hw.descriptor import sample_bursts, state_bursts
from spikeplane_hw.external_bus import ExternalBus
from spikeplane_hw.external_port import ExternalPort
from spikeplane_hw.memories import spike_read_latency
from spikeplane_hw.mover import Mover, move_cycles
from spikeplane_hw.spike_memory import SpikeMemory
from spikeplane_hw.state_memory import StateMemory
from spikeplane_hw.testing import simulate

CONFIGS = [BATCHED, replace(BATCHED, name="near", wire_registers=False)]
PARTS = {
    "part": replace(NARROW, name="part", external_depth=1 << 10),  # a burst is more than a word
    "word": BATCHED,
    "parts": replace(BATCHED, name="parts", lanes=64, updates=32, word_slots=8),  # a word is four bursts
}


class Moved(wiring.Component):
    """A mover between a spike memory and a port whose bus is the member `external`, as in a core."""

    def __init__(self, config):
        super().__init__({"external": Out(ExternalBus(config.external_depth))})
        self.stop = Signal()
        self.port, self.mover = ExternalPort(config.external_depth), Mover(config)
        self.spikes, self.states = SpikeMemory(config), StateMemory(config)

    def elaborate(self, platform):
        m = Module()
        port, mover, spikes, states = self.port, self.mover, self.spikes, self.states
        m.submodules.port, m.submodules.spikes, m.submodules.states = port, spikes, states
        m.submodules.mover = ResetInserter(self.stop)(mover)
        connect(m, port.bus, flipped(self.external))
        connect(m, mover.request, port.move)
        m.d.comb += [
            port.moving.eq(mover.moving), mover.arrived.eq(port.arrived),
            port.move_data.eq(Mux(mover.states, states.move.data, spikes.data)),
            states.move.enable.eq(mover.states), states.move.word.eq(mover.word),
            states.move.write.eq(mover.write & mover.states), states.move.burst.eq(port.word),
            port.request.valid.eq(1),  # the stream of weights always has something to ask for
            spikes.busy.eq(1), spikes.address.eq(mover.word), spikes.host.address.eq(mover.word),
            spikes.host.write.eq(mover.write & ~mover.states), spikes.host.write_data.eq(port.word),
        ]
        return m


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_words_come_back_where_they_are_asked_for(config):
    generator = random.Random(3)
    dut = Moved(config)
    mover, depth, width = dut.mover, config.spike_depth, config.word_width
    words = [generator.getrandbits(width) for _ in range(depth)]
    outside: dict[int, int] = {}
    design, watching = attach(dut, QUICK_SDRAM, 100e6)
    cycles = []

    async def move(ctx, sample, **fields):
        ctx.set(mover.move, {"job": 0, "last": 0, "states": 0, **fields})
        ctx.set(mover.sample, sample)
        ctx.set(mover.start, 1)
        await ctx.tick()
        ctx.set(mover.start, 0)
        count = 1
        while not ctx.get(mover.idle):
            await ctx.tick()
            count += 1
        cycles.append((fields["words"] + 1, count))

    async def host(ctx):
        await ctx.tick().repeat(300)  # the chip starts
        # Everything is stored once, which fills the memory outside; what is loaded later is known from there.
        memory = dut.spikes
        for address, word in enumerate(words):
            ctx.set(memory.spikes.enable, 1)
            for first in range(0, config.word_slots, config.chunk_slots):
                ctx.set(memory.spikes.slot, address * config.word_slots + first)
                size = config.chunk_slots * config.banks
                ctx.set(memory.spikes.data, word >> first * config.banks & ((1 << size) - 1))
                await ctx.tick()
        ctx.set(memory.spikes.enable, 0)
        held = list(words)
        for turn in range(24):
            store = turn < 6 or generator.random() < 0.4
            count = generator.randint(1, 12)
            word, sample, sampled = generator.randrange(depth - count), generator.randrange(8), turn % 2
            base = config.external_depth // 2 + generator.randrange(sample_bursts(config) - count)
            first = base + sample * sample_bursts(config) * sampled
            if not store and not all(first + number in outside for number in range(count)):
                first = base = generator.choice([burst for burst in outside if burst + 1 not in outside])
                count, sampled = 1, 0
            await move(ctx, sample, store=int(store), sampled=sampled, word=word, words=count - 1, burst=base)
            for number in range(count):
                if store:
                    outside[first + number] = held[word + number]
                else:
                    held[word + number] = outside[first + number]
        await ctx.tick().repeat(4)
        # Read all words through the same way that stores take.
        found = []
        for address in range(depth):
            ctx.set(mover.move, {"job": 0, "last": 0, "states": 0, "store": 1, "sampled": 0, "word": address,
                                 "words": 0, "burst": 0})
            ctx.set(mover.start, 1)
            await ctx.tick()
            ctx.set(mover.start, 0)
            await ctx.tick().repeat(spike_read_latency(config) + 1)
            found.append(ctx.get(dut.spikes.data))
            while not ctx.get(mover.idle):
                await ctx.tick()
        assert found == held
        assert held != words

    simulate(design, host, background=watching)
    for count, took in cycles:  # but for a refresh, which takes some more
        assert abs(took - move_cycles(count, 1.0)) <= 32, (count, took)


@pytest.mark.parametrize("config", PARTS.values(), ids=PARTS)
def test_states_come_back_where_they_are_asked_for(config):
    """Spikes are moved in between, and every word of either memory is where it shall be."""
    generator, dut = random.Random(5), Moved(config)
    mover, ports, parts, width = dut.mover, dut.states.ports, state_bursts(config), 16 * config.updates
    held = [generator.getrandbits(width) for _ in range(config.state_depth)]
    outside: dict[int, int] = {}
    base = config.external_depth // 2
    design, watching = attach(dut, QUICK_SDRAM, 100e6)

    async def move(ctx, **fields):
        ctx.set(mover.move, {"job": 0, "last": 0, "sampled": 0, **fields})
        ctx.set(mover.start, 1)
        await ctx.tick()
        ctx.set(mover.start, 0)
        await ctx.tick().until(mover.idle)

    async def host(ctx):
        await ctx.tick().repeat(300)  # the chip starts
        ctx.set(ports.write_enable, 1)
        for address, word in enumerate(held):
            ctx.set(ports.write_address, address)
            ctx.set(ports.write_data, word)
            await ctx.tick()
        ctx.set(ports.write_enable, 0)
        for turn in range(20):
            store, count = turn < 5 or generator.random() < 0.4, generator.randint(1, 5)
            first = generator.randrange(config.state_depth - count)
            place = generator.randrange(8) * 8 if store else generator.choice([
                each for each in outside if each + 1 not in outside
            ])
            count = count if store else 1
            await move(ctx, store=int(store), states=1, word=first * parts, words=count * parts - 1,
                       burst=base + place * parts)
            for number in range(count):
                if store:
                    outside[place + number] = held[first + number]
                else:
                    held[first + number] = outside[place + number]
            await move(ctx, store=turn % 2, states=0, word=turn, words=2, burst=config.external_depth - 8)
        ctx.set(ports.read_enable, 1)
        found = []
        for address in range(config.state_depth):
            ctx.set(ports.read_address, address)
            await ctx.tick()
            found.append(ctx.get(ports.read_data))
        assert found == held

    simulate(design, host, background=watching)


def test_pieces_lie_one_behind_the_other():
    """Every piece of a layer has the same words of the chip, and bursts of its own."""
    generator, dut = random.Random(6), Moved(BATCHED)
    mover, ports, parts = dut.mover, dut.states.ports, state_bursts(BATCHED)
    base, pieces, count = BATCHED.external_depth // 2, 5, 3
    width = 16 * BATCHED.updates
    held = [[generator.getrandbits(width) for _ in range(count)] for _ in range(pieces)]
    design, watching = attach(dut, QUICK_SDRAM, 100e6)

    async def pulse(ctx, signal):
        ctx.set(signal, 1)
        await ctx.tick()
        ctx.set(signal, 0)

    async def move(ctx, **fields):
        ctx.set(mover.move, {"states": 1, "piece": 1, "words": count * parts - 1, "burst": base, **fields})
        await pulse(ctx, mover.start)
        await ctx.tick().until(mover.idle)

    async def host(ctx):
        await ctx.tick().repeat(300)  # the chip starts
        for first, layer in ((2, 0), (7, 1)):  # stored from one place, loaded to another one
            await pulse(ctx, mover.first_piece)
            for piece in held:
                for number, word in enumerate(piece if not layer else []):
                    ctx.set(ports.write_enable, 1)
                    ctx.set(ports.write_address, first + number)
                    ctx.set(ports.write_data, word)
                    await ctx.tick()
                    ctx.set(ports.write_enable, 0)
                await move(ctx, store=1 - layer, word=first * parts)
                ctx.set(ports.read_enable, 1)
                for number, word in enumerate(piece):
                    ctx.set(ports.read_address, first + number)
                    await ctx.tick()
                    assert ctx.get(ports.read_data) == word, (layer, number)
                await pulse(ctx, mover.next_piece)

    simulate(design, host, background=watching)


@pytest.mark.parametrize("rest", range(6, 60, 6))
def test_beats_that_a_stop_left_on_their_way_are_no_ones(rest):
    """The stream of weights gets its own bursts alone, and the next move begins anew."""
    dut = Moved(BATCHED)
    mover, port = dut.mover, dut.port
    design, watching = attach(dut, QUICK_SDRAM, 100e6)
    base = BATCHED.external_depth // 2
    words = {burst: 0x01020304 * (burst % 64 + 1) % (1 << BATCHED.word_width) for burst in range(base, base + 8)}
    streamed = []

    async def move(ctx, wait: int | None, **fields):
        ctx.set(mover.move, {"job": 0, "last": 0, "states": 0, "sampled": 0, **fields})
        ctx.set(mover.start, 1)
        await ctx.tick()
        ctx.set(mover.start, 0)
        if wait is None:
            await ctx.tick().until(mover.idle)
        else:
            await ctx.tick().repeat(wait)

    async def host(ctx):
        await ctx.tick().repeat(300)  # the chip starts
        for burst, word in words.items():
            ctx.set(port.host.address, burst)
            ctx.set(port.host.write_data, word)
            ctx.set(port.host.write, 1)
            await ctx.tick().until(port.done)
            ctx.set(port.host.write, 0)
            await ctx.tick()
        await move(ctx, rest, store=0, word=0, words=7, burst=base)
        ctx.set(dut.stop, 1)
        await ctx.tick().repeat(4)
        ctx.set(dut.stop, 0)
        streamed.clear()
        await ctx.tick().repeat(200)
        # All that was asked for the stream, which reads burst 0 again and again, is zeros.
        assert streamed and not any(streamed)
        await move(ctx, None, store=0, word=16, words=7, burst=base)
        await ctx.tick().repeat(4)
        for number, word in enumerate(words.values()):
            await move(ctx, None, store=1, word=16 + number, words=0, burst=0)
            assert ctx.get(dut.spikes.data) == word, number

    async def collect(ctx):
        async for _, _, valid, beat in ctx.tick().sample(port.beat_valid, port.beat):
            if valid:
                streamed.append(beat)

    simulate(design, host, background=[collect, *watching])
