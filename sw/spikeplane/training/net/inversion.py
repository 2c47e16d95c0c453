"""Reversible transformer blocks without activations: gradients from the outputs alone (arXiv 1707.04585).

The forward pass of a chain of blocks keeps what the last one hands on, a bit for each mean of two numbers, and what was
cut off where a stream was full. The backward pass computes each block's inputs from its outputs, exactly, since streams
are on a grid, and each of its parts once more.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .leaky import firing_rate
from .streams import Grid, Streams
from .transformer import TransformerBlock

__all__ = ["check_invertible", "run_inverting"]

BYTE = 8
KEPT = 3
"""Tensors that are kept of a sum: the bits that the mean lost, where its stream was full, what was cut off there."""
Part = Callable[[Tensor], tuple[dict[str, Tensor], Tensor]]
Gradients = tuple[Tensor | None, ...]


def check_invertible(blocks: dict[str, TransformerBlock]) -> None:
    """Raise a ValueError naming the first block that cannot be inverted exactly, or if there is none at all."""
    if not blocks:
        raise ValueError("inverting needs reversible transformer blocks, this network has none")
    for name, block in blocks.items():
        if not block.options.reversible:
            raise ValueError(f"layer {name!r}: a block with one residual stream has no inverse: set "
                             f"network.transformer.reversible = true, or train without inverting")
        if not block.grid.rounds:
            raise ValueError(f"layer {name!r}: its streams are floats, which do not come back exactly: train the "
                             f"float32 twin without inverting")


def run_inverting(
    blocks: dict[str, TransformerBlock], streams: Streams
) -> tuple[dict[str, dict[str, Tensor]], Streams]:
    """Return the rates of the neurons of each block's parts, scalars, and the streams that go on.

    ``blocks`` follow each other. Gradients go from rates and streams to the blocks and the streams that come in.
    """
    chain = list(blocks.values())
    parameters = [value for block in chain for value in block.parameters()]
    *made, rates = _Chain.apply(chain, len(streams), *streams, *parameters)
    numbers = iter(rates.unbind())
    return {name: {part: next(numbers) for part in _parts(block)} for name, block in blocks.items()}, tuple(made)


def _parts(block: TransformerBlock) -> list[str]:
    """Return the names of the parts with neurons, in the order of their rates."""
    return [part for part, _ in block.named_neurons()]


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, chain: list[TransformerBlock], count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        streams, rates, kept = tensors[:count], [], []
        for block in chain:
            last = streams[-1]
            found, added = block.attention(last)
            attended, first = _add(block.grid, added, streams)
            more, added = block.mlp(attended)
            mixed, second = _add(block.grid, added, (last, attended))
            found |= more
            rates += [firing_rate(found[part]) for part in _parts(block)]
            kept += [*first, *second]
            streams = (attended, mixed)
        device = streams[0].device.type
        ctx.chain, ctx.count = chain, count
        ctx.precision = {"dtype": torch.get_autocast_dtype(device), "enabled": torch.is_autocast_enabled(device)}
        ctx.save_for_backward(*streams, *kept)
        return *streams, torch.stack(rates)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        attended, mixed, *kept = ctx.saved_tensors
        of_attended, of_mixed, of_rates = gradients
        of_parameters: list[Tensor | None] = []
        for index, block in reversed(list(enumerate(ctx.chain))):
            names = _parts(block)
            own, of_rates = of_rates[-len(names):], of_rates[:-len(names)]
            rates = dict(zip(names, own, strict=True))
            *kept, first_bits, first_places, first_cut, second_bits, second_places, second_cut = kept
            with _norms_as_they_are(block), torch.autocast(mixed.device.type, **ctx.precision):
                added, back, of_mlp = _differentiate(block, block.mlp, attended, of_mixed, rates)
                last = _before(block.grid, mixed, added, second_places, second_cut, second_bits) - attended
                of_attended = of_attended + back + of_mixed / 2
                added, back, of_attention = _differentiate(block, block.attention, last, of_attended, rates)
            of_last = back + of_mixed / 2
            of_parameters = [
                one if other is None else other if one is None else one + other
                for one, other in zip(of_mlp, of_attention, strict=True)
            ] + of_parameters
            if index == 0 and ctx.count == 1:
                return None, None, of_last + of_attended, *of_parameters
            attended = _before(block.grid, attended, added, first_places, first_cut, first_bits) - last
            mixed = last
            of_attended, of_mixed = of_attended / 2, of_last + of_attended / 2
        return None, None, of_attended, of_mixed, *of_parameters


def _add(grid: Grid, added: Tensor, streams: Streams) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Return what ``grid.add(added, grid.mean(streams))`` does, and what is kept of it."""
    whole = grid.round(added) + grid.mean(streams)
    result = grid.saturate(whole)
    cut = (whole - result).flatten()
    places = cut.nonzero().squeeze(1)
    # A single stream loses nothing.
    bits = torch.remainder((streams[0] + streams[-1]) * 2.0**grid.fraction_bits, 2) != 0
    return result, (_packed(bits), places, cut[places])


def _before(grid: Grid, result: Tensor, added: Tensor, places: Tensor, cut: Tensor, bits: Tensor) -> Tensor:
    """Return the sum of the two streams of whose mean and ``added`` :func:`_add` made ``result``."""
    whole = result.flatten().index_add(0, places, cut).view_as(result)
    lost = _unpacked(bits, result.numel()).view_as(result)
    return 2 * (whole - grid.round(added)) - lost * 2.0**-grid.fraction_bits


def _differentiate(
    block: TransformerBlock, part: Part, stream: Tensor, gradient: Tensor, of_rates: dict[str, Tensor]
) -> tuple[Tensor, Tensor, Gradients]:
    """Return what a part of a block adds for a stream, and the gradients of the stream and of the parameters."""
    with torch.enable_grad():
        stream = stream.detach().requires_grad_()
        found, added = part(stream)
        outputs = [added, *(firing_rate(spikes) for spikes in found.values())]
    own, *others = torch.autograd.grad(
        outputs, [stream, *block.parameters()], [gradient.to(added.dtype), *(of_rates[name] for name in found)],
        allow_unused=True,
    )
    return added.detach(), own, tuple(others)


@contextmanager
def _norms_as_they_are(block: nn.Module) -> Iterator[None]:
    """Leave what normalizations have averaged: they have seen these maps before."""
    kept = [value.clone() for value in block.buffers()]
    try:
        yield
    finally:
        for value, before in zip(block.buffers(), kept, strict=True):
            value.copy_(before)


def _powers(like: Tensor) -> Tensor:
    return 2 ** torch.arange(BYTE, dtype=torch.uint8, device=like.device)


def _packed(bits: Tensor) -> Tensor:
    """Return bits, eight in a byte, uint8 (bytes,)."""
    flat = bits.flatten().to(torch.uint8)
    flat = nn.functional.pad(flat, (0, -len(flat) % BYTE))
    return (flat.view(-1, BYTE) * _powers(flat)).sum(1, dtype=torch.uint8)


def _unpacked(packed: Tensor, count: int) -> Tensor:
    """Return the first ``count`` bits, bool (count,)."""
    return ((packed[:, None] & _powers(packed)) != 0).flatten()[:count]
