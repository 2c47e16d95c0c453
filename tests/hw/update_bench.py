"""The update in Amaranth's simulator: random layers, and what walker, banks and lanes give it, played."""

import random

import numpy as np
from spikeplane_hw.descriptor import layer_layout
from spikeplane_hw.lanes import lanes_latency
from spikeplane_hw.memories import HOST_READ_LATENCY
from spikeplane_hw.neuron import (
    SHIFTS,
    STATE_WIDTH,
    TABLE_INDEX_WIDTH,
    saturate,
    scale_sum,
)
from spikeplane_hw.neuron_unit import PARTIAL_WIDTH, parameter_layout
from spikeplane_hw.testing import simulate
from spikeplane_hw.update import Update

__all__ = ["Layer", "host_read", "host_write", "run"]


async def host_write(ctx, port, address: int, word: int) -> None:
    ctx.set(port.address, address)
    ctx.set(port.write_data, word)
    ctx.set(port.write, 1)
    await ctx.tick()
    ctx.set(port.write, 0)
    await ctx.tick()


async def host_read(ctx, port, address: int) -> int:
    ctx.set(port.address, address)
    ctx.set(port.read, 1)
    await ctx.tick().repeat(HOST_READ_LATENCY)
    word = ctx.get(port.read_data)
    ctx.set(port.read, 0)
    ctx.set(port.address, 0)
    return word


class Layer:
    """A random layer: its descriptor, its segment requests, sums, and what they must lead to."""

    def __init__(
        self, config, generator, neuron, parameters, *, logits=False, stored=False, replay=False, pack=0, terms=1,
        streams=None, pool=(1, 1), power=None,
    ):
        self.config, self.neuron, self.pack = config, neuron, pack
        self.steps = 1 if pack else generator.randint(1, 4)
        self.logits, self.stored, self.replay = logits, stored, replay
        self.terms, self.power = terms, power
        self.streams = streams
        """Stored integers that a layer before it left, by state; terms read some of them."""
        self.table = config.table_count - 1
        self.output_step, self.output_rows = generator.randint(8, 20), generator.randint(1, 5)
        self.pixels = generator.randint(1, 4)
        self.pool = pool
        """Rows and columns of the windows whose spikes are one; pixels are walked over one row of such windows."""
        if pool != (1, 1):
            places = min(3, config.pool_depth // config.chunks // self.steps - 1)
            self.pixels = pool[0] * (pool[1] * generator.randint(1, places) + generator.randrange(pool[1]))
        self.generator = generator
        self.multiplier, self.offset = parameters
        self.states: dict[int, np.ndarray] = {}
        self.total: dict[int, int] = {}
        self.writes: list[tuple[int, int]] = []
        self.flags: list[int] = []
        self.waiting: dict[int, np.ndarray] = {}
        """Spikes of windows begun, by their place."""
        self.spikes = self.saturations = 0

    @property
    def descriptor(self) -> dict:
        neuron = self.neuron
        return dict.fromkeys(layer_layout(self.config).members, 0) | {
            "logits": self.logits, "terms": self.terms - 1, "fire_above": neuron.fire_above, "reset": neuron.reset,
            "decode_scale": neuron.decode_scale, "quantized": neuron.quantized,
            "table": self.table, "stored": self.stored, "replay": self.replay,
            "state_pack": self.pack, "steps": self.steps,
            "output_step": self.output_step, "output_rows": self.output_rows,
            **({"map_rows": self.output_rows} if self.config.pool_depth else {}),
            **({"power": self.power, "digit": not self.logits} if self.power is not None else {}),
        }

    def window(self, pixel):
        """Return a pixel's window in its row of windows, and whether it is the first and the last pixel of it."""
        rows, columns = self.pool
        y, x = divmod(pixel, self.pixels // rows)
        return x // columns, y == x % columns == 0, y == rows - 1 and (x + 1) % columns == 0

    def segments(self, first: bool):
        """Return requests and (sums, reference) of one pass over the layer's pixels."""
        config, generator = self.config, self.generator
        found: list[list[list]] = []  # of each pixel, of each step
        for pixel in range(self.pixels):
            found.append([])
            # The second walk over stored pixels finds the lanes of the first; logits the first ones'.
            lanes = (random.Random(pixel) if self.stored else generator).randint(1, config.lanes)
            if self.streams is not None or self.pool != (1, 1):
                lanes = config.lanes
            window, pool_first, pool_last = self.window(pixel)
            if pixel == 0:
                lanes = min(config.lanes, config.logit_count)
            settings = [
                {
                    "parameter": generator.randrange(config.parameter_depth // config.chunks),
                    "doubled": generator.randint(0, 1), "shift": generator.randrange(len(SHIFTS)),
                    "first": int(term == 0), "last": int(term == self.terms - 1),
                }
                for term in range(self.terms)
            ]
            for step in range(1 if self.replay else self.steps):
                shared = {
                    "lanes": lanes,
                    "state": self.state(pixel),
                    **({"cluster": pixel % config.clusters} if config.clusters > 1 else {}),
                    "output": generator.randrange(100) // config.chunk_slots * config.chunk_slots,
                    "flag": generator.randrange(20),
                    "logit": config.logit_count // config.lanes - 1,
                }
                if config.pool_depth:
                    shared |= {"pool": window * self.steps + step, "pool_first": pool_first, "pool_last": pool_last}
                initial = int(
                    step == 0 and (first if self.stored or self.logits else True) and not (self.logits and pixel)
                )
                group = []
                for term in settings:
                    request = {**shared, **term, "initial": int(initial and (term["first"] or not self.logits))}
                    if self.streams and not term["last"] and generator.random() < 0.5:
                        one, other = (generator.choice(list(self.streams)) for _ in range(2))
                        request |= {
                            "stream": 1, "stream_state": one, "mean": generator.randrange(2), "second_state": other,
                        }
                    elif config.term_count > 1:
                        request |= dict.fromkeys(("stream", "stream_state", "mean", "second_state"), 0)
                    group.append((request, *self.draw(request)))
                found[-1].append(group)
        requests = []
        for first_pixel in range(0, self.pixels, config.clusters):
            for together in zip(*found[first_pixel:first_pixel + config.clusters], strict=True):  # step by step
                for group in together:
                    self.expect(group)
                requests += [group[term] for term in range(self.terms) for group in together]
        return requests

    def state(self, pixel):
        """Return where the states of a pixel are."""
        beside = 5 if self.streams else 0
        return 1 + pixel + beside if self.stored else 3 + beside + pixel % self.config.clusters

    def draw(self, request):
        """Return sums of the lanes and of the reference; of several terms such that their sum is narrow enough."""
        config, generator = self.config, self.generator
        powers = [1, 6, 12, config.accumulator_width]
        while True:
            limit = 1 << generator.choice(powers)
            reference = generator.randrange(limit)
            # Odd weights: a sum of codes is at most the reference sum.
            most = reference + 1 if request["doubled"] else limit
            sums = [generator.randrange(most) for _ in range(config.lanes)]
            if self.terms == 1 or self.logits:
                return sums, reference
            if np.abs(self.scaled(request, sums, reference)).max() < (1 << PARTIAL_WIDTH - 1) // self.terms:
                return sums, reference
            request["shift"], powers = len(SHIFTS) - 1, powers[:max(1, len(powers) - 1)]

    def scaled(self, request, sums, reference):
        """Return the exact currents of a term."""
        lanes, start = request["lanes"], request["parameter"] * self.config.lanes
        signed = (np.array(sums) << request["doubled"])[:lanes] - reference
        if request.get("stream"):
            signed = self.streams[request["stream_state"]]
            if request["mean"]:
                signed = signed + self.streams[request["second_state"]] + 1
        return scale_sum(
            signed, self.multiplier[start:start + lanes],
            self.offset[start:start + lanes], SHIFTS[request["shift"]],
        )

    def expect(self, group):
        (request, *_), *_ = group
        lanes = request["lanes"]
        output, flag, initial = request["output"], request["flag"], request["initial"]
        window = {name: request.get(name, 1) for name in ("pool", "pool_first", "pool_last")}
        if self.logits:
            for request, sums, reference in group:
                signed = ((np.array(sums) << request["doubled"])[:lanes] - reference) << (self.power or 0)
                for repeat in range(self.steps if self.replay else 1):
                    for lane, value in enumerate(signed):
                        logit = request["logit"] * self.config.lanes + lane
                        begun = not (request["initial"] and repeat == 0)
                        self.total[logit] = int(value) + (self.total[logit] if begun else 0)
            return
        exact = sum(self.scaled(*each) for each in group)
        for _ in range(self.steps if self.replay else 1):
            self.expect_step(request, exact, output, flag, initial, window)
            output, flag, initial = output + self.output_step, flag + self.output_rows, 0
            window["pool"] += 1

    def expect_step(self, request, exact, output, flag, initial, window):
        config, lanes = self.config, request["lanes"]
        x = saturate(exact)
        before = np.zeros(lanes, np.int64) if initial else self.states[request["state"]]
        spike, after, over_u = self.neuron.step(x, before[:lanes])
        if self.power is not None:
            spike = (x >> self.power & 1).astype(bool)
        self.states[request["state"]] = after
        self.spikes += int(spike.sum())
        self.saturations += int(((x != exact) | over_u).sum())
        if not window["pool_first"]:
            spike = spike | self.waiting[window["pool"]]
        self.waiting[window["pool"]] = spike
        if not window["pool_last"]:
            return
        width = config.chunk_slots * config.banks
        padded = [*spike.tolist(), *[False] * width]
        for first in range(0, lanes, width):
            bits = padded[first:first + width]
            word = sum(bit << i for i, bit in enumerate(bits))
            self.writes.append((output + first // config.banks, word))
            if word:
                self.flags.append(flag)


async def play(ctx, dut, requests, longest_pause: int, generator) -> list[int]:
    """Play walker, banks and lanes; return the cycles of the snapshots.

    A snapshot changes as early as `free` allows, and holds until then. Clusters do not wait for each other.
    """
    config = dut.config
    clusters, width = range(config.clusters), config.accumulator_width
    own = [[each for each in requests if each[0].get("cluster", 0) == q] for q in clusters]
    times: list[int] = []
    sums, reference = [[0] * config.lanes for _ in clusters], [0 for _ in clusters]
    earliest, free = [0 for _ in clusters], [True for _ in clusters]
    queue = list(requests)
    sent = 0
    wait_request = 0
    for cycle in range(100_000):
        done = 0
        for q in clusters:
            if free[q] and cycle >= earliest[q] and own[q]:
                _, ready_sums, reference[q] = own[q].pop(0)
                sums[q] = list(ready_sums)
                times.append(cycle)
                free[q] = False
                done |= 1 << q
        ctx.set(dut.done, done)
        if done:
            ctx.set(dut.sums, [value for each in sums for value in each])
            ctx.set(dut.reference_sum, sum(value << q * width for q, value in enumerate(reference)))
        valid = sent < len(queue) and cycle >= wait_request
        ctx.set(dut.segment.valid, valid)
        if valid:
            ctx.set(dut.segment.p, queue[sent][0])
        if len(times) == len(requests) and sent == len(queue) and ctx.get(dut.idle):
            return times
        _, _, ready, freed, rotate = await ctx.tick().sample(
            dut.segment.ready, dut.free, dut.rotate
        )
        if config.rotating_snapshot and rotate:
            sums = [[*sums[0][1:], sums[0][0]]]
            ctx.set(dut.sums, sums[0])
        if valid and ready:
            sent += 1
            wait_request = cycle + 1 + generator.randint(0, longest_pause)
        for q in clusters:
            if freed >> q & 1:
                assert not free[q], "two `free` for one snapshot"
                free[q] = True
                earliest[q] = cycle + 1 + lanes_latency(config) + generator.randint(0, longest_pause)
    raise TimeoutError(f"update of {config.name} hangs")


def run(config, layers, longest_pause: int, seed: int = 1) -> list[list[int]]:
    """Run layers one after another on one update and compare everything; return snapshot cycles."""
    dut = Update(config)
    writes, flags, counts, times = [], [], [0, 0], []

    async def monitor(ctx):
        spike, flag = dut.spike_write, dut.flag_write
        async for _, _, spike_enable, slot, word, flag_enable, row, spikes, saturations in (
            ctx.tick().sample(spike.enable, spike.slot, spike.data, flag.enable, flag.address,
                              dut.spikes, dut.saturations)
        ):
            if spike_enable:
                writes.append((slot, word))
            if flag_enable:
                flags.append(row)
            counts[0] += spikes
            counts[1] += saturations

    async def testbench(ctx):
        generator = random.Random(seed)
        first = layers[0]
        for address, (multiplier, offset) in enumerate(
            zip(first.multiplier, first.offset, strict=True)
        ):
            word = parameter_layout().const({"multiplier": int(multiplier), "offset": int(offset)})
            await host_write(ctx, dut.parameters, address, word.as_value().value)
        for layer in [layer for layer in layers if layer.neuron.quantized][-1:]:
            for index, code in enumerate(layer.neuron.table):
                address = layer.table << TABLE_INDEX_WIDTH | index
                await host_write(ctx, dut.tables, address, int(code) & 0xFF)
        for layer in layers:
            ctx.set(dut.layer, layer.descriptor)
            await ctx.tick().repeat(2)
            for outer in range(2 if layer.stored else 1):
                requests = layer.segments(first=outer == 0)
                times.append(await play(ctx, dut, requests, longest_pause, generator))
            await ctx.tick().repeat(2)
            assert writes == layer.writes
            assert flags == layer.flags
            assert counts == [layer.spikes, layer.saturations]
            for address, value in layer.total.items():
                assert await host_read(ctx, dut.logits, address) == value % (1 << 32)
            width = STATE_WIDTH >> layer.pack
            for group, values in layer.states.items():
                for lane, value in enumerate(values):
                    if layer.neuron.state_bits:
                        unit, chunk = lane % config.updates, group * config.chunks + lane // config.updates
                        at = (chunk >> layer.pack) * config.updates + unit
                        word = await host_read(ctx, dut.states, at)
                        code = word >> chunk % (1 << layer.pack) * width
                        assert code % (1 << width) == value % (1 << width), (group, lane)
            writes.clear()
            flags.clear()
            counts[:] = [0, 0]

    simulate(dut, testbench, background=[monitor], limit=200_000)
    return times
