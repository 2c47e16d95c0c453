"""Testbench helpers: a simulator with one clock, and seeded senders and receivers for streams."""

import random
from collections.abc import Awaitable, Callable, Iterable

from amaranth.sim import Simulator

from .collisions import collide

__all__ = ["Pauses", "receive", "send", "simulate", "watch"]


class Pauses:
    """Draws how many cycles to idle before each transfer, 0 to ``longest``, from a fixed seed."""

    def __init__(self, longest: int, seed: int = 1):
        self.longest = longest
        self.random = random.Random(seed)

    async def wait(self, ctx) -> None:
        for _ in range(self.random.randint(0, self.longest)):
            await ctx.tick()


async def send(ctx, port, payloads: Iterable, pauses: Pauses) -> None:
    """Transfer each of ``payloads`` into the stream ``port``."""
    for payload in payloads:
        await pauses.wait(ctx)
        ctx.set(port.payload, payload)
        ctx.set(port.valid, 1)
        await ctx.tick().until(port.ready)
        ctx.set(port.valid, 0)


async def receive(ctx, port, count: int, pauses: Pauses) -> list:
    """Return the next ``count`` payloads of the stream ``port``."""
    payloads = []
    for _ in range(count):
        await pauses.wait(ctx)
        ctx.set(port.ready, 1)
        (payload,) = await ctx.tick().sample(port.payload).until(port.valid)
        payloads.append(payload)
        ctx.set(port.ready, 0)
    return payloads


def watch(port) -> Callable[..., Awaitable[None]]:
    """Return a background testbench that fails if ``port`` drops or changes a stalled payload."""

    async def testbench(ctx):
        stalled = None
        async for _, _, valid, ready, payload in ctx.tick().sample(
            port.valid, port.ready, port.payload
        ):
            bits = payload if isinstance(payload, int) else payload.as_bits()
            assert stalled is None or (valid and bits == stalled), "a stalled payload changed"
            stalled = bits if valid and not ready else None

    return testbench


def simulate(design, *testbenches, background: Iterable = (), limit: int = 1_000_000) -> None:
    """Simulate ``design`` until every testbench ends; more than ``limit`` cycles are an error.

    Words that are read while they are being written are garbage, where block RAM may give anything.
    """
    simulator = Simulator(collide(design))
    simulator.add_clock(1e-6)
    for testbench in testbenches:
        simulator.add_testbench(testbench)

    async def watchdog(ctx):
        await ctx.tick().repeat(limit)
        raise TimeoutError(f"the testbenches did not end within {limit} cycles")

    for testbench in (watchdog, *background):
        simulator.add_testbench(testbench, background=True)
    simulator.run()
