import random

import pytest
from configs import BATCHED, CHAIN, NARROW, WIDE
from geometry import random_layer
from spikeplane_hw.map_places import InputPlace, MapPlaces, advance, find_places
from spikeplane_hw.testing import simulate


@pytest.mark.parametrize("config", [NARROW, WIDE, CHAIN, BATCHED], ids=lambda c: c.name)
def test_places_of_layers_step_by_step(config):
    generator = random.Random(config.name)
    layers = [random_layer(config, generator)[:2] for _ in range(3)]
    # The first two layers read the streamed map; the last one of them says how far it moves on.
    for index, (_, terms) in enumerate(layers):
        for term in terms:
            term["streamed"] = 0
        if index < 2:
            terms[-1] |= {"streamed": 1, "streamed_last": index, "input_ring": 0}
    dut = MapPlaces(config)

    async def testbench(ctx):
        time = 0
        for resume in (0, 1, 1, 0):
            time = time if resume else 0
            ctx.set(dut.resume, resume)
            ctx.set(dut.restart, 1)
            await ctx.tick()
            ctx.set(dut.restart, 0)
            streamed = InputPlace()
            for _ in range(generator.randint(1, 11)):
                for layer, terms in layers:
                    ctx.set(dut.layer, layer)
                    places = find_places(config, layer, terms, streamed, time)
                    for term, place in zip(terms, places.inputs, strict=True):
                        ctx.set(dut.term, term)
                        ctx.set(dut.place, 1)
                        await ctx.tick()
                        ctx.set(dut.place, 0)
                        while not ctx.get(dut.ready):
                            await ctx.tick()
                        for port, value in (
                            (dut.input_offset, place.offset), (dut.input_flags, place.flags), (dut.phase, place.phase),
                            (dut.output_offset, places.output_offset), (dut.output_flags, places.output_flags),
                            (dut.age, places.age), (dut.time, time),
                        ):
                            assert ctx.get(port) == value % (1 << len(port)), port.name
                    ctx.set(dut.walked, 1)
                    await ctx.tick()
                    ctx.set(dut.walked, 0)
                    streamed = advance(streamed, terms[-1])
                ctx.set(dut.advance, 1)
                await ctx.tick()
                ctx.set(dut.advance, 0)
                time += 1

    simulate(dut, testbench)
