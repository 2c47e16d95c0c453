"""Layers of a spiking network; maps are (steps, batch, channels, height, width)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...network.geometry import output_side
from .neuron import SpikingNeurons
from .quantizers import WeightQuantizer

__all__ = ["Classifier", "NormConv", "OrPool", "PadShortcut", "ResidualBlock", "SpikingConv"]

Mix = Callable[[Tensor], Tensor]


class NormConv(nn.Module):
    """Convolution with quantized weights, then batch normalization over batch and steps.

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
    ):
        super().__init__()
        fan_in = inputs * math.prod(kernel)
        self.weight = nn.Parameter(torch.randn(channels, inputs, *kernel) * fan_in**-0.5)
        self.stride, self.padding = stride, padding
        self.quantizer = quantizer
        self.norm = nn.BatchNorm2d(channels)

    def currents(self, maps: Tensor, mix: Mix) -> Tensor:
        """Return the currents of neurons that ``mix`` over steps what they sum up."""
        weight = self.quantizer(self.weight).contiguous(memory_format=torch.channels_last)
        stride = self.stride
        if weight.shape[2:] == (1, 1) and self.padding == 0:
            # The gradient of PyTorch's strided 1x1 convolution of maps whose channels are last writes
            # beyond its memory on x86 without AVX-512 (2.13, oneDNN); thinned maps give the same sums.
            maps, stride = maps[..., ::stride, ::stride], 1
        # Both are linear: what is smaller is mixed, inputs or sums.
        rows, columns = (
            output_side(side, kernel, stride, self.padding)
            for side, kernel in zip(maps.shape[3:], weight.shape[2:], strict=True)
        )
        before = maps[0, 0].numel() < len(weight) * rows * columns
        if before:
            maps = mix(maps)
        flat = maps.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        if flat.shape[2:] == weight.shape[2:] and self.padding == 0:
            sums = (flat.flatten(1) @ weight.flatten(1).T)[:, :, None, None]
        else:
            sums = functional.conv2d(flat, weight, None, stride, self.padding)
        if not before:
            sums = mix(sums.unflatten(0, maps.shape[:2])).flatten(0, 1)
        return self.norm(sums).unflatten(0, maps.shape[:2])


class SpikingConv(NormConv):
    """Convolution, normalization, neurons."""

    def __init__(
        self, inputs: int, channels: int, kernel: tuple[int, int], *, neurons: SpikingNeurons, **options
    ):
        super().__init__(inputs, channels, kernel, **options)
        self.neurons = neurons

    def forward(self, maps: Tensor, steps: int, shortcut: Tensor | None = None) -> Tensor:
        """Return spikes; an input of one step is accumulated once and replayed.

        ``shortcut`` is added to the currents.
        """
        currents = self.currents(maps, self.neurons.mix)
        return self.neurons(currents if shortcut is None else currents + shortcut, steps)


class PadShortcut(nn.Module):
    """The input spikes at every ``stride``-th row and column, without spikes in ``added`` channels.

    Option A of the residual networks for CIFAR (arXiv 1512.03385).
    """

    def __init__(self, stride: int, added: int):
        super().__init__()
        self.stride, self.added = stride, added

    def currents(self, maps: Tensor, mix: Mix) -> Tensor:
        """Return the currents that the spikes add; ``mix`` sums them over steps."""
        thinned = maps[..., :: self.stride, :: self.stride]
        return mix(functional.pad(thinned, (0, 0, 0, 0, 0, self.added)))


class ResidualBlock(nn.Module):
    """Two convolutions; the shortcut adds to the input current of the second one's neurons.

    So every convolution reads spikes. An input spike that passes the shortcut unweighted adds 1.0,
    the threshold, and passes the taps of memory-free neurons like the sums.
    """

    def __init__(self, conv1: SpikingConv, conv2: SpikingConv, shortcut: NormConv | PadShortcut):
        super().__init__()
        self.conv1, self.conv2, self.shortcut = conv1, conv2, shortcut

    def forward(self, maps: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Return the spikes of the first and of the second convolution."""
        inner = self.conv1(maps, steps)
        shortcut = self.shortcut.currents(maps, self.conv2.neurons.mix)
        return inner, self.conv2(inner, steps, shortcut)


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
