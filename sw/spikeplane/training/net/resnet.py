"""Residual networks for CIFAR (arXiv 1512.03385, section 4.2), floats without spikes.

Three stages of blocks with 16, 32 and 64 channels; a shortcut that changes its shape takes every
second pixel and adds channels of zeros on both sides (option A).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ImageClassifier", "ResNet", "ResNetBlock"]

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the colours red, green and blue, which the inputs are normalized with."""


class ImageClassifier(nn.Module):
    """A classifier that does not spike.

    ``forward`` returns logits (batch, classes) of 8-bit images, uint8 (batch, *shape).
    """

    shape: tuple[int, int, int]
    """(channels, height, width) of an image."""
    classes: int


class ResNetBlock(nn.Module):
    """Two convolutions; the sum with the input is rectified, which gets ``added`` channels of zeros."""

    def __init__(self, inputs: int, channels: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride, self.added = stride, channels - inputs

    def forward(self, maps: Tensor) -> Tensor:
        shortcut = maps[..., :: self.stride, :: self.stride]
        before = self.added // 2
        shortcut = functional.pad(shortcut, (0, 0, 0, 0, before, self.added - before))
        inner = self.bn1(self.conv1(maps)).relu()
        return (self.bn2(self.conv2(inner)) + shortcut).relu()


class ResNet(ImageClassifier):
    """A network of ``6 * blocks + 2`` layers; 3 blocks a stage are ResNet-20, 9 are ResNet-56."""

    mean: Tensor
    deviation: Tensor
    shape = (3, 32, 32)

    def __init__(self, blocks: int, classes: int):
        super().__init__()
        self.classes = classes
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(3, 1, 1), persistent=False)
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        stages = []
        for inputs, channels, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2)):
            rest = [ResNetBlock(channels, channels, 1) for _ in range(blocks - 1)]
            stages.append(nn.Sequential(ResNetBlock(inputs, channels, stride), *rest))
        self.layer1, self.layer2, self.layer3 = stages
        self.linear = nn.Linear(64, classes)

    @property
    def blocks(self) -> list[ResNetBlock]:
        """All blocks in their order."""
        return [block for stage in (self.layer1, self.layer2, self.layer3) for block in stage]  # type: ignore[misc]

    def forward(self, images: Tensor) -> Tensor:
        maps = (images.float() / 255 - self.mean) / self.deviation
        maps = self.bn1(self.conv1(maps)).relu()
        maps = self.layer3(self.layer2(self.layer1(maps)))
        return self.linear(maps.mean((2, 3)))
