"""Layers of a spiking network; maps are (steps, batch, channels, height, width)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .memory_free import MemoryFree
from .neurons import LIF
from .quantizers import WeightQuantizer

__all__ = ["Classifier", "OrPool", "SpikingConv"]


class SpikingConv(nn.Module):
    """Convolution with quantized weights, batch normalization over batch and steps, neurons.

    With a kernel as large as its input and no padding it is a fully connected layer.
    """

    def __init__(
        self,
        inputs: int,
        channels: int,
        kernel: tuple[int, int],
        *,
        stride: int,
        padding: int,
        quantizer: WeightQuantizer,
        neurons: LIF | MemoryFree,
    ):
        super().__init__()
        fan_in = inputs * math.prod(kernel)
        self.weight = nn.Parameter(torch.randn(channels, inputs, *kernel) * fan_in**-0.5)
        self.stride, self.padding = stride, padding
        self.quantizer = quantizer
        self.norm = nn.BatchNorm2d(channels)
        self.neurons = neurons

    def forward(self, maps: Tensor, steps: int) -> Tensor:
        """Return spikes; an input of one step is accumulated once and replayed."""
        weight = self.quantizer(self.weight)
        flat = maps.flatten(0, 1)
        if flat.shape[2:] == weight.shape[2:] and self.padding == 0:
            sums = (flat.flatten(1) @ weight.flatten(1).T)[:, :, None, None]
        else:
            sums = functional.conv2d(flat, weight, None, self.stride, self.padding)
        mixed = self.neurons.mix(sums.unflatten(0, maps.shape[:2]))
        currents = self.norm(mixed.flatten(0, 1)).unflatten(0, maps.shape[:2])
        return self.neurons(currents, steps)


class OrPool(nn.Module):
    """A spike wherever there is one in the window: the maximum of spikes."""

    def __init__(self, kernel: int, stride: int):
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, maps: Tensor, steps: int) -> Tensor:
        flat = functional.max_pool2d(maps.flatten(0, 1), self.kernel, self.stride)
        return flat.unflatten(0, maps.shape[:2])


class Classifier(nn.Module):
    """Logits of every step: fully connected, or applied at each pixel and averaged (``pooled``)."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        *,
        pooled: bool,
        quantizer: WeightQuantizer,
    ):
        super().__init__()
        channels, height, width = shape
        self.pixels = height * width if pooled else 1
        kernel = (1, 1) if pooled else (height, width)
        fan_in = channels * math.prod(kernel)
        self.weight = nn.Parameter(torch.randn(classes, channels, *kernel) * fan_in**-0.5)
        self.bias = nn.Parameter(torch.zeros(classes))
        self.pooled = pooled
        self.quantizer = quantizer

    def forward(self, maps: Tensor, steps: int) -> Tensor:
        """Return logits (steps, batch, classes)."""
        features = maps.mean((3, 4)) if self.pooled else maps.flatten(2)
        return features @ self.quantizer(self.weight).flatten(1).T + self.bias
