import random

import pytest
from configs import NARROW, WIDE
from geometry import random_layer
from spikeplane_hw.map_places import MapPlaces, find_places
from spikeplane_hw.testing import simulate


@pytest.mark.parametrize("config", [NARROW, WIDE], ids=lambda c: c.name)
def test_places_of_layers_step_by_step(config):
    generator = random.Random(config.name)
    layers = [random_layer(config, generator)[0] for _ in range(3)]
    for index, layer in enumerate(layers):
        layer["streamed"] = int(index == 0)
        if layer["streamed"]:
            layer["input_ring"] = 0
    dut = MapPlaces(config)

    async def testbench(ctx):
        time = 0
        for resume in (0, 1, 1, 0):
            time = time if resume else 0
            ctx.set(dut.resume, resume)
            ctx.set(dut.restart, 1)
            await ctx.tick()
            ctx.set(dut.restart, 0)
            for outer in range(generator.randint(1, 11)):
                for layer in layers:
                    ctx.set(dut.descriptor, layer)
                    ctx.set(dut.place, 1)
                    await ctx.tick()
                    ctx.set(dut.place, 0)
                    while not ctx.get(dut.ready):
                        await ctx.tick()
                    for name, value in vars(find_places(config, layer, outer, time)).items():
                        port = getattr(dut, name)
                        assert ctx.get(port) == value % (1 << len(port)), name
                    ctx.set(dut.walked, 1)
                    await ctx.tick()
                    ctx.set(dut.walked, 0)
                ctx.set(dut.advance, 1)
                await ctx.tick()
                ctx.set(dut.advance, 0)
                time += 1

    simulate(dut, testbench)
