"""What a core counts in a node: events read and bank cycles lost, from the bit planes it reads."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from spikeplane_hw.config import CoreConfig
from spikeplane_hw.memory_map import Counter

from .geometry import Walk
from .tensors import Tensor, functional, torch

__all__ = ["Reads", "add_reads", "bank_counts", "count_image", "count_pool", "count_reads", "count_shortcut",
           "count_windows"]


@dataclass(frozen=True, kw_only=True)
class Reads:
    """What is counted of one walk over a map, int64 (inputs,) each."""

    counters: dict[Counter, Tensor]
    """EVENTS and IDLE; nothing without a configuration."""
    operations: Tensor
    """Synaptic operations: events times the output channels that each one is added to."""
    synaptic: bool = True
    """Whether there are synapses at all."""


def count_windows(
    activity: Tensor, kernel: tuple[int, ...], stride: int = 1, padding: int = 0
) -> Tensor:
    """Return how often the windows of a layer read an active input, int64 (inputs,).

    ``activity``, (inputs, channels, height, width), says how often each input is active. What lies
    in the padding is no input. Times the output channels these are the additions of the layer.
    """
    ones = torch.ones(1, 1, *kernel, dtype=torch.float64)
    summed = activity.sum(1, keepdim=True, dtype=torch.float64)
    reads = functional.conv2d(summed, ones, None, stride, padding)
    return reads.sum((1, 2, 3)).to(torch.int64)


def bank_counts(plane: Tensor, walk: Walk, banks: int) -> Tensor:
    """Return how many active inputs each bank reads in each window.

    ``plane`` is one input plane of 0 and 1, (inputs, channels, height, width); the result is
    float32 (inputs, banks, output height, output width). Channel c is read by bank ``c % banks``.
    """
    count, channels, height, width = plane.shape
    padded = torch.zeros(count, -(-channels // banks) * banks, height, width)
    padded[:, :channels] = plane
    folded = padded.reshape(count, -1, banks, height, width).sum(1)
    ones = torch.ones(banks, 1, *walk.kernel)
    return functional.conv2d(folded, ones, None, walk.stride, walk.padding, groups=banks)


def count_reads(planes: list[Tensor], walk: Walk, config: CoreConfig | None) -> Reads:
    """Return what is counted of each input.

    ``planes`` are (inputs, channels, height, width) of 0 and 1. An event is one active input of one
    window, group of as many output channels as there are lanes, and pair of input and weight plane.
    IDLE is, over the same passes, the sum over banks of (longest queue - own queue). A synaptic
    operation is one event for one real output channel. Input channels of one group are read by the
    output channels of the same group alone.
    """
    channels = walk.channels // walk.groups
    if config is None:
        active = torch.stack([plane.sum(1, keepdim=True) for plane in planes]).sum(0)
        reads = count_windows(active, walk.kernel, walk.stride, walk.padding)
        return Reads(counters={}, operations=reads * walk.weight_bits * channels)
    repeats = -(-channels // config.lanes) * walk.weight_bits
    active = idle = torch.zeros(len(planes[0]), dtype=torch.int64)
    size = planes[0].shape[1] // walk.groups
    for plane in planes:
        for first in range(0, plane.shape[1], size):
            # Which bank the first channel of a group lies in does not matter to sums and maxima.
            reads = bank_counts(plane[:, first:first + size], walk, config.banks).to(torch.int64)
            total = reads.sum(1)
            active = active + total.sum((1, 2))
            idle = idle + (reads.amax(1) * config.banks - total).sum((1, 2))
    return Reads(
        counters={Counter.EVENTS: active * repeats, Counter.IDLE: idle * repeats},
        operations=active * walk.weight_bits * channels,
    )


def count_image(planes: list[Tensor], beside: int, walk: Walk, config: CoreConfig) -> Reads:
    """Return what is counted of each image, of which ``beside`` planes are read at once.

    ``planes`` are as of :func:`count_reads`, of one bit of the pixels each, the lowest first. Each channel of those
    that are read at once has a bank of its own. They take a pass for each power of two that products of one of them
    count, which reads the planes that have such products.
    """
    channels, bits = walk.channels // walk.groups, walk.weight_bits
    size = planes[0].shape[1] // walk.groups
    active = torch.zeros(len(planes[0]), dtype=torch.int64)
    cycles = active
    for first in range(0, len(planes), beside):
        for channel in range(0, planes[0].shape[1], size):
            longest = []
            for plane in planes[first:first + beside]:
                reads = bank_counts(plane[:, channel:channel + size], walk, config.banks).to(torch.int64)
                active = active + reads.sum((1, 2, 3)) * bits
                longest.append(reads.amax(1))
            for power in range(bits + len(longest) - 1):
                reading = torch.stack(longest[max(0, power - bits + 1):power + 1])
                cycles = cycles + reading.amax(0).sum((1, 2)) * config.banks
    repeats = -(-channels // config.lanes)
    return Reads(
        counters={Counter.EVENTS: active * repeats, Counter.IDLE: (cycles - active) * repeats},
        operations=active * channels,
    )


def count_shortcut(planes: list[Tensor], stride: int, count: int, config: CoreConfig | None) -> Reads:
    """Return what is counted of a shortcut of ``count`` inputs: spikes are read, but added to one channel each.

    ``planes`` are as of :func:`count_reads`. Groups of as many channels as there are lanes are read by the
    output channels of the same number. It has no synaptic operations, since it has no synapses.
    """
    operations = torch.zeros(count, dtype=torch.int64)
    if config is None:
        return Reads(counters={}, operations=operations, synaptic=False)
    active, idle = operations, operations
    walk = Walk(kernel=(1, 1), stride=stride, channels=config.lanes)
    for plane in planes:
        one_active, one_idle = _by_groups(plane, walk, config)
        active = active + one_active.view(count, -1).sum(1)
        idle = idle + one_idle.view(count, -1).sum(1)
    return Reads(counters={Counter.EVENTS: active, Counter.IDLE: idle}, operations=operations, synaptic=False)


def count_pool(plane: Tensor, walk: Walk, config: CoreConfig) -> Reads:
    """Return what is counted of each input of a pool that reads with the weights which all shortcuts share.

    ``plane`` is as one of :func:`count_reads`. A pass reads one column of every window.
    """
    _, columns = walk.output(*plane.shape[2:])
    nothing = torch.zeros(len(plane), dtype=torch.int64)
    active, idle = nothing, nothing
    column = replace(walk, kernel=(walk.kernel[0], 1))
    for first in range(walk.kernel[1]):
        read = plane[..., first:first + (columns - 1) * walk.stride + 1]
        one_active, one_idle = _by_groups(read, column, config)
        active, idle = active + one_active, idle + one_idle
    return Reads(counters={Counter.EVENTS: active, Counter.IDLE: idle}, operations=nothing, synaptic=False)


def _by_groups(plane: Tensor, walk: Walk, config: CoreConfig) -> tuple[Tensor, Tensor]:
    """Return events and idle cycles, int64 (inputs,), where a channel group reads the channels of its own numbers."""
    nothing = torch.zeros(len(plane), dtype=torch.int64)
    active, idle = nothing, nothing
    for first in range(0, plane.shape[1], config.lanes):
        reads = bank_counts(plane[:, first:first + config.lanes], walk, config.banks).to(torch.int64)
        total = reads.sum(1)
        active = active + total.sum((1, 2))
        idle = idle + (reads.amax(1) * config.banks - total).sum((1, 2))
    return active, idle


def add_reads(count: int, config: CoreConfig | None, reads: Iterable[Reads]) -> Reads:
    """Return the sums of what several walks read of ``count`` inputs."""
    nothing = torch.zeros(count, dtype=torch.int64)
    counters: dict[Counter, Tensor] = dict.fromkeys((Counter.EVENTS, Counter.IDLE) if config else (), nothing)
    operations = nothing
    for each in reads:
        counters = {key: value + each.counters[key] for key, value in counters.items()}
        operations = operations + each.operations
    return Reads(counters=counters, operations=operations)
