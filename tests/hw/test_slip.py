import random

import pytest
from spikeplane.device.frames import stuff, unstuff
from spikeplane_hw.slip import END, ESC, SlipDecoder, SlipEncoder
from spikeplane_hw.testing import Pauses, receive, send, simulate, watch

COMMON = [END, ESC, 0xDC, 0xDD, 0, 0xFF]


def random_bytes(count, seed):
    draw = random.Random(seed)
    return bytes(draw.choice(COMMON) if draw.random() < 0.7 else draw.randrange(256)
                 for _ in range(count))


@pytest.mark.parametrize("longest_pause", [0, 3])
def test_encoder_matches_the_reference(longest_pause):
    frames = [random_bytes(n, n) for n in range(1, 40)]
    items = []
    for frame in frames:
        items += [{"data": byte, "end": 0} for byte in frame] + [{"data": END, "end": 1}]
    expected = b"".join(stuff(frame)[1:] for frame in frames)
    dut = SlipEncoder()

    async def source(ctx):
        await send(ctx, dut.i, items, Pauses(longest_pause))

    async def sink(ctx):
        received = await receive(ctx, dut.o, len(expected), Pauses(longest_pause, 2))
        assert bytes(received) == expected

    simulate(dut, source, sink, background=[watch(dut.o)])


@pytest.mark.parametrize("longest_pause", [0, 3])
def test_decoder_matches_the_reference_on_any_bytes(longest_pause):
    noise = random_bytes(2000, 1) + bytes([END])
    expected = []
    for frame in noise.split(bytes([END]))[:-1]:
        expected += [(byte, 0) for byte in unstuff(frame)] + [(None, 1)]
    dut = SlipDecoder()

    async def source(ctx):
        await send(ctx, dut.i, noise, Pauses(longest_pause))

    async def sink(ctx):
        items = await receive(ctx, dut.o, len(expected), Pauses(longest_pause, 2))
        assert [(None if item.end else item.data, item.end) for item in items] == expected

    simulate(dut, source, sink, background=[watch(dut.o)])
