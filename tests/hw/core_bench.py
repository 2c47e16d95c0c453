"""Runs an image on the core in Amaranth's simulator, through the host bus alone."""

from dataclasses import replace

import numpy as np
from sdram_bench import QUICK_SDRAM, attach
from spikeplane_hw.core import Core
from spikeplane_hw.memory_map import Control, Counter, Register, Space, memory_map
from spikeplane_hw.testing import simulate

__all__ = ["run_image"]


class Host:
    """Word access to a core."""

    def __init__(self, ctx, core):
        self.ctx, self.core, self.bus = ctx, core, core.bus
        self.map = memory_map(core.config)

    async def write(self, space, address, words):
        for offset, word in enumerate(words):
            value = word if isinstance(word, int) else int.from_bytes(bytes(word), "little")
            self.ctx.set(self.bus.space, space)
            self.ctx.set(self.bus.address, address + offset)
            # As the link does it, words are shifted in at the high end.
            above = len(self.bus.write_data) - 8 * self.map[space].word_bytes
            self.ctx.set(self.bus.write_data, value << above)
            self.ctx.set(self.bus.write, 1)
            await self.ctx.tick()
            self.ctx.set(self.bus.write, 0)
            await self.ctx.tick().until(self.bus.written)

    async def read(self, space, address, count=1):
        words = np.zeros((count, self.map[space].word_bytes), np.uint8)
        for offset in range(count):
            self.ctx.set(self.bus.space, space)
            self.ctx.set(self.bus.address, address + offset)
            self.ctx.set(self.bus.read, 1)
            await self.ctx.tick()
            self.ctx.set(self.bus.read, 0)
            while not self.ctx.get(self.bus.read_valid):
                await self.ctx.tick()
            value = self.ctx.get(self.bus.read_data) & ((1 << 8 * words.shape[1]) - 1)
            words[offset] = np.frombuffer(value.to_bytes(words.shape[1], "little"), np.uint8)
        return words

    async def register(self, register):
        words = await self.read(Space.REGISTERS, register.value)
        return int.from_bytes(bytes(words[0]), "little")

    async def control(self, control):
        await self.write(Space.REGISTERS, Register.CONTROL.value, [control.value])
        while await self.register(Register.STATUS) & 1:
            await self.ctx.tick()

    async def events(self, words):
        port = self.core.events
        layout = port.payload.shape()
        for word in words:
            self.ctx.set(port.payload, layout.from_bits(int(word)))
            self.ctx.set(port.valid, 1)
            await self.ctx.tick().until(port.ready)
            self.ctx.set(port.valid, 0)


def run_image(image, samples):
    """Return a list of {logits, counters, spikes, states, streams} of ``samples`` run on ``image``'s core.

    If it takes batches, one of each whole batch; logits are those of all its samples, (batch, classes).
    """
    core = Core(image.config)
    design, background = core, []
    if image.config.external_depth:
        # Refreshes come often, and at other times for each image.
        chip = replace(QUICK_SDRAM, retention=2048 * (400.0 + len(image.contents[Space.PROGRAM][1]) % 600))
        design, background = attach(core, chip, 100e6)
    results = []

    async def testbench(ctx):
        host = Host(ctx, core)
        for space, (address, words) in image.contents.items():
            await host.write(space, address, words)
            assert np.array_equal(await host.read(space, address, len(words)), words), space
        for register, value in image.registers.items():
            await host.write(Space.REGISTERS, register.value, [value])
        for number, sample in enumerate(samples):
            if image.takes_events:
                await host.control(Control.CLEAR)
                events = image.encode_events(sample)
                await host.events(events)
            else:
                await host.write(Space.SPIKES, *image.encode_input(sample))
            await host.control(Control.RUN | Control.RESUME if number % image.batch else Control.RUN)
            if image.takes_events:
                assert await host.register(Register.EVENTS_ACCEPTED) == len(events)
            if (number + 1) % image.batch:
                continue
            logits = (await host.read(Space.LOGITS, 0, image.logit_words)).view("<i4").ravel()
            if image.batch > 1:
                logits = np.stack([
                    logits[first:first + len(image.logit_offset)]
                    for first in range(0, len(logits), image.sample_logits)
                ])
            counters = np.zeros((0, len(Counter)), np.int64)
            if image.config.statistics:
                words = await host.read(Space.COUNTERS, 0, image.program_layers * len(Counter))
                counters = image.by_layer(words.view("<u4").reshape(-1, len(Counter)).astype(np.int64))
            spikes, states, streams = {}, {}, {}
            for index, layer in enumerate(image.layers):
                if layer.spikes is not None:
                    words = await host.read(Space.SPIKES, *image.map_place(index))
                    spikes[index] = image.decode_map(index, words)
                if layer.stream_steps and layer.state_base is not None:
                    words = await host.read(Space.STATES, *image.stream_place(index))
                    streams[index] = image.decode_stream(index, words)
                elif layer.state_base is not None:
                    words = await host.read(Space.STATES, *image.state_place(index))
                    states[index] = image.decode_states(index, words)
            results.append({
                "logits": logits.astype(np.int64),
                "counters": counters,
                "spikes": spikes,
                "states": states,
                "streams": streams,
            })

    simulate(design, testbench, background=background)
    return results
