import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from amaranth.utils import exact_log2
from configs import FOUR, NARROW, PAIR, WIDE, WIDE_LOGIC
from spikeplane_hw.config import SMALL
from spikeplane_hw.lanes import lanes_latency
from spikeplane_hw.neuron import (
    MULTIPLIER_WIDTH,
    OFFSET_WIDTH,
    QUANTIZED_BITS,
    STATE_WIDTH,
    Levels,
    Neuron,
    Reset,
    leak_limit,
)
from spikeplane_hw.testing import simulate
from spikeplane_hw.update import Update
from spikeplane_hw.update_chunks import update_loop
from update_bench import Layer, host_read, host_write, run

UPDATE_LOGIC = ("wire_registers", "parameter_registers", "step_registers", "rotating_snapshot")
CONFIGS = {
    "narrow": NARROW,  # U < E: two chunks make up a slot
    "one_bank": replace(NARROW, name="one_bank", lanes=8, banks=1, updates=2, most_packed=4, **WIDE_LOGIC),
    "chain": replace(NARROW, name="chain", term_count=1, pool_depth=0),
    "whole": replace(NARROW, name="whole", updates=4, **WIDE_LOGIC),  # a group is one chunk
    "wide": WIDE,
    "chunks": replace(WIDE, name="chunks", lanes=32, updates=4, term_count=1, pool_depth=0, most_packed=8),
    "late": replace(WIDE, name="late", parameter_registers=False),
    # Any two of the ways to save logic differ in one of these.
    **{f"mixed_{bit}": replace(NARROW, name=f"mixed_{bit}", **{
        name: WIDE_LOGIC[name] for index, name in enumerate(UPDATE_LOGIC) if not index + 1 >> bit & 1
    }) for bit in range(3)},
    "small": replace(SMALL, state_depth=128, parameter_depth=16, spike_depth=256),
    "pair": PAIR,
    "pair_of_one_chunk": replace(NARROW, name="pair_of_one_chunk", updates=4, clusters=2, **WIDE_LOGIC),
    "four": replace(FOUR, lanes=32, updates=4, parameter_depth=32, state_depth=256, most_packed=8),
}
STATE_BITS = (0, 2, 4, 8, 16)


def random_neuron(generator, state_bits: int, levels: Levels, reset: Reset) -> Neuron:
    return Neuron(
        fire_above=generator.choice(
            [4096, 4095, 0, 32767, 32766, generator.randrange(-28673, 32768)]
            + ([-32768] if reset is not Reset.SOFT else [])
        ),
        reset=reset,
        state_bits=state_bits,
        levels=levels,
        leak=min(generator.choice([0.0, 0.5, 0.75, 0.9375, 1.0]), leak_limit(state_bits)),
    )


def packs(config, state_bits: int) -> list[int]:
    """Return all log2 of the chunks that may share a word of states of so many bits."""
    if state_bits not in QUANTIZED_BITS:
        return []
    levels = range(1, exact_log2(config.most_packed) + 1)
    return [pack for pack in levels if state_bits << pack <= STATE_WIDTH]


def random_parameters(config, generator):
    """Return random (multipliers, offsets) of all magnitudes for a whole parameter memory."""
    return tuple(
        np.array([
            generator.randrange(-(1 << width - 1), 1 << width - 1)
            for width in generator.choices(widths, k=config.parameter_depth * config.updates)
        ])
        for widths in ((4, 8, 14, MULTIPLIER_WIDTH), (8, 16, 24, OFFSET_WIDTH))
    )


@pytest.mark.parametrize(
    ("name", "state_bits"),
    [("small", 4), *((name, bits) for name in CONFIGS if name != "small" for bits in STATE_BITS)],
)
def test_matches_neuron(name, state_bits):
    config = CONFIGS[name]
    generator = random.Random(f"{name} {state_bits}")
    parameters = random_parameters(config, generator)
    levels = generator.choice(list(Levels))
    for longest_pause in (0, 12):
        layers = [
            Layer(config, generator, random_neuron(generator, state_bits, levels, reset),
                  parameters, stored=stored, replay=replay, terms=generator.randint(1, config.term_count))
            for reset in Reset
            for stored, replay in ((False, False), (False, True), (True, False), (True, True))
        ]
        layers += [
            Layer(config, generator, random_neuron(generator, state_bits, levels, generator.choice(list(Reset))),
                  parameters, stored=True, replay=replay, pack=pack, terms=generator.randint(1, config.term_count))
            for pack in packs(config, state_bits) for replay in (False, True)
        ]
        run(config, layers, longest_pause)
        assert sum(layer.spikes for layer in layers)
        assert sum(layer.saturations for layer in layers)


@pytest.mark.parametrize("longest_pause", [0, 12])
@pytest.mark.parametrize("name", [name for name, config in CONFIGS.items() if config.term_count > 1])
def test_streams(name, longest_pause):
    """A layer leaves its currents as they are; others sum them up, with windows and potentials of their own."""
    config = CONFIGS[name]
    generator = random.Random(name)
    parameters = random_parameters(config, generator)
    store = Neuron(fire_above=32767, reset=Reset.NONE, state_bits=16, leak=0.0)
    first = Layer(config, generator, store, parameters, stored=True, terms=2, streams={})
    first.steps = 1
    readers = [
        Layer(config, generator, random_neuron(generator, bits, Levels.TANH, Reset.HARD), parameters,
              stored=stored, terms=config.term_count, streams=first.states)
        for bits in (0, 4) for stored in (False, True)
    ]
    run(config, [first, readers[0]], longest_pause)
    for reader in readers[1:]:
        first.states.clear()
        first.writes, first.flags, first.spikes, first.saturations = [], [], 0, 0
        run(config, [first, reader], longest_pause)


@pytest.mark.parametrize("name", [name for name, config in CONFIGS.items() if config.term_count > 1])
def test_digits(name):
    """Bits of currents are spikes, and sums count powers of two in logits."""
    config = CONFIGS[name]
    generator = random.Random(name)
    parameters = random_parameters(config, generator)
    keeps_nothing = Neuron(reset=Reset.NONE, state_bits=0)
    layers = [
        Layer(config, generator, keeps_nothing, parameters, power=power, replay=replay, terms=config.term_count)
        for power in (0, 7, 15) for replay in (False, True)
    ]
    heads = [Layer(config, generator, Neuron(), parameters, logits=True, power=power) for power in (0, 5, 15)]
    run(config, [*layers, *heads], 0)
    assert sum(layer.spikes for layer in layers)


@pytest.mark.parametrize("longest_pause", [0, 12])
@pytest.mark.parametrize("name", [name for name, config in CONFIGS.items() if config.pool_depth])
def test_pools(name, longest_pause):
    """Spikes of windows become one; a layer without a pool follows, and one with the smallest steps."""
    config = CONFIGS[name]
    generator = random.Random(name)
    parameters = random_parameters(config, generator)
    layers = [
        Layer(config, generator, random_neuron(generator, bits, Levels.TANH, Reset.HARD), parameters, stored=stored,
              replay=replay, pool=pool, terms=generator.randint(1, config.term_count))
        for pool in ((1, 1), (2, 2), (1, 3), (3, 1))
        for bits, stored, replay in ((4, False, False), (16, True, False), (0, False, True), (16, True, True))
    ]
    quick = Layer(config, generator, random_neuron(generator, 16, Levels.TANH, Reset.HARD), parameters, stored=True,
                  pool=(2, 2))
    quick.steps = 1
    run(config, [*layers, quick], longest_pause)
    assert any(len(layer.writes) for layer in layers if layer.pool != (1, 1))


@pytest.mark.parametrize("longest_pause", [0, 12])
@pytest.mark.parametrize("name", CONFIGS)
def test_logits(name, longest_pause):
    config = CONFIGS[name]
    generator = random.Random(name)
    parameters = random_parameters(config, generator)
    run(config, [
        Layer(config, generator, Neuron(), parameters, logits=True, stored=stored, replay=replay,
              terms=1 if replay else generator.randint(1, config.term_count))
        for stored in (False, True) for replay in (False, True)
    ], longest_pause)


@pytest.mark.parametrize("name", CONFIGS)
def test_no_cycle_is_lost(name):
    """Silent segments follow each other as fast as chunks or the loop through the state allow."""
    config = CONFIGS[name]
    generator = random.Random(name)
    layer = Layer(config, generator, Neuron(), random_parameters(config, generator))
    layer.steps, layer.pixels = 10, 1
    (times,) = run(config, [layer], 0)
    # Three cycles from `done` to `free` and from that to the next `end`.
    period = max(config.chunks, update_loop(config), lanes_latency(config) + 3)
    # The first one waits for nothing.
    assert [b - a for a, b in pairwise(times[1:])] == [period] * 8


@pytest.mark.parametrize("name", ["narrow", "wide", "late"])
def test_host_reads_back(name):
    config = CONFIGS[name]
    dut = Update(config)
    generator = random.Random(1)

    async def testbench(ctx):
        ctx.set(dut.layer.logits, 1)  # of the layer that was the last one to run
        for port in (dut.parameters, dut.tables):
            words = {
                address: generator.randrange(1 << len(port.write_data))
                for address in (0, 1, config.updates, 1023 % (1 << len(port.address)))
            }
            for address, word in words.items():
                await host_write(ctx, port, address, word)
            for logits in (0, 1):  # of the last layer that ran
                ctx.set(dut.layer.logits, logits)
                await ctx.tick()
                for address, word in words.items():
                    assert await host_read(ctx, port, address) == word

    simulate(dut, testbench)
