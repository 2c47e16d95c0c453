"""What a core counts in a layer: events read and bank cycles lost, from the layer's input."""

import torch
from spikeplane_hw.config import CoreConfig
from torch import Tensor
from torch.nn import functional

from .graph import Layer

__all__ = ["bank_counts", "count_reads", "count_windows", "pass_repeats"]


def pass_repeats(layer: Layer, channel_count: int, config: CoreConfig) -> int:
    """Return how often each input plane is read: channel groups times weight planes."""
    return -(-channel_count // config.lanes) * layer.weight_bits


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


def bank_counts(plane: Tensor, layer: Layer, banks: int) -> Tensor:
    """Return how many active inputs each bank reads in each window.

    ``plane`` is one input plane of 0 and 1, (inputs, channels, height, width); the result is
    float32 (inputs, banks, output height, output width). Channel c is read by bank ``c % banks``.
    """
    count, channels, height, width = plane.shape
    padded = torch.zeros(count, -(-channels // banks) * banks, height, width)
    padded[:, :channels] = plane
    folded = padded.reshape(count, -1, banks, height, width).sum(1)
    ones = torch.ones(banks, 1, *layer.weight.shape[2:])
    return functional.conv2d(folded, ones, None, layer.stride, layer.padding, groups=banks)


def count_reads(
    planes: list[Tensor], layer: Layer, config: CoreConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (EVENTS, IDLE, synaptic operations) of each input, int64 (inputs,).

    An event is one active input of one window, channel group and pair of input and weight plane.
    IDLE is, over the same passes, the sum over banks of (longest queue - own queue). A synaptic
    operation is one event for one real output channel.
    """
    channels = layer.weight.shape[0]
    repeats = pass_repeats(layer, channels, config)
    active = idle = torch.zeros(len(planes[0]), dtype=torch.int64)
    for plane in planes:
        reads = bank_counts(plane, layer, config.banks).to(torch.int64)
        total = reads.sum(1)
        active = active + total.sum((1, 2))
        idle = idle + (reads.amax(1) * config.banks - total).sum((1, 2))
    return active * repeats, idle * repeats, active * layer.weight_bits * channels
