"""A weight quantizer of one's own: -1, 0 and 1 times a scale (TWN, arXiv 1605.04711)."""

import torch
from spikeplane.network.weights import WeightKind
from spikeplane.training.net.quantizers import WEIGHT_QUANTIZERS, WeightQuantizer, straight_through


class TernaryWeight(WeightQuantizer):
    kind = WeightKind.TWOS

    def __init__(self, bits: int = 2, share: float = 0.7):
        super().__init__()
        if bits != 2:
            raise ValueError(f"ternary weights have 2 bits, not {bits!r}")
        self.bits, self.share = bits, share

    def integers(self, weight):
        size = weight.abs().flatten(1)
        limit = self.share * size.mean(1, keepdim=True)
        kept = size > limit
        scale = (size * kept).sum(1) / kept.sum(1).clamp(min=1)
        codes = torch.where(kept, weight.flatten(1).sign(), 0).view_as(weight)
        return codes.to(torch.int64), scale.to(torch.float64)

    def forward(self, weight):
        codes, scale = self.integers(weight.detach())
        exact = codes * scale.float().view(-1, *[1] * (weight.ndim - 1))
        return straight_through(weight, exact)


def register():
    WEIGHT_QUANTIZERS.register("ternary", TernaryWeight)
