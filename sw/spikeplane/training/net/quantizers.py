"""Quantizers: what a weight or a stored potential becomes in the forward pass, and its gradient."""

import math
from typing import ClassVar

import numpy as np
import torch
from spikeplane_hw.neuron import (
    FRACTION_BITS,
    TABLE_INDEX_SHIFT,
    TABLE_INDEX_WIDTH,
    Levels,
    code_limit,
    quantizer_table,
    table_centers,
)
from torch import Tensor, nn

from ...network.weights import WeightKind
from ...registry import Registry

__all__ = [
    "WEIGHT_QUANTIZERS", "AbsMaxWeight", "BinaryWeight", "FloatWeight", "OddWeight",
    "PotentialQuantizer", "RescaledWeight", "WeightQuantizer", "straight_through",
]


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, smooth: Tensor, exact: Tensor) -> Tensor:
        return exact.clone()

    @staticmethod
    def backward(ctx, *gradients: Tensor):
        return *gradients, None


def straight_through(smooth: Tensor, exact: Tensor) -> Tensor:
    """Return exactly ``exact``, with the gradient of ``smooth``; equal shapes."""
    return _StraightThrough.apply(smooth, exact)


class WeightQuantizer(nn.Module):
    """Turns float weights (output channels, ...) into integers times a scale.

    ``forward`` returns ``integers * scale`` as floats, with a gradient for training. A subclass is
    created with ``bits`` and the options of a layer's recipe, as keywords, and raises a ValueError
    that says which of them is wrong.
    """

    kind: WeightKind
    """Which integers the weights become."""
    bits: int
    has_integers: ClassVar[bool] = True
    """Whether there is an integer form, or the weights stay floats."""

    def integers(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return int64 weights and their scales, float64 (output channels,)."""
        raise NotImplementedError(f"{type(self).__name__} has no integers")

    def set_progress(self, progress: float) -> None:
        """Tell how much of the training is done, 0 to 1, for quantizers that anneal."""


class FloatWeight(WeightQuantizer):
    """No quantization: the float32 twin of a network."""

    has_integers = False

    def __init__(self, bits: int = 32):
        super().__init__()
        self.bits = bits

    def forward(self, weight: Tensor) -> Tensor:
        return weight


def _regulate(weight: Tensor) -> Tensor:
    """Return weights with mean 0 and standard deviation 1 (unbiased) in each output channel."""
    flat = weight.flatten(1)
    flat = (flat - flat.mean(1, keepdim=True)) / flat.std(1, keepdim=True).clamp(min=1e-8)
    return flat.view_as(weight)


class BinaryWeight(WeightQuantizer):
    """Signs, with a power-of-two scale for each output channel (Q-SNN, section on WS-DR).

    ``w' = (w - mean) / std`` if ``regulate``; forward ``sign(w') * 2**round(log2(mean |w'|))``.
    The gradient of the sign is that of ``k * tanh(t * w')``, ``k = max(1 / t, 1)``, where t grows
    from ``start`` to ``end`` geometrically over the training (the EDE schedule of IR-Net).
    """

    kind = WeightKind.ODD
    _steepness: Tensor

    def __init__(
        self, bits: int = 1, regulate: bool = True, start: float = 0.1, end: float = 10.0
    ):
        super().__init__()
        if bits != 1:
            raise ValueError(f"binary weights have 1 bit, not {bits!r}")
        if not isinstance(regulate, bool):
            raise ValueError(f"regulate must be true or false, not {regulate!r}")
        for name, value in (("start", start), ("end", end)):
            if not (isinstance(value, (int, float)) and 0 < value < math.inf):
                raise ValueError(f"{name} must be a number above 0, not {value!r}")
        self.bits, self.regulate, self.start, self.end = bits, regulate, start, end
        # A tensor, not a number: compiled code would be built anew for every number.
        self.register_buffer("_steepness", torch.tensor(start, dtype=torch.float64), persistent=False)

    @property
    def steepness(self) -> float:
        """How steep the tanh is whose gradient the sign has."""
        return self._steepness.item()

    def set_progress(self, progress: float) -> None:
        self._steepness.fill_(self.start * (self.end / self.start) ** progress)

    def _signs(self, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        regular = _regulate(weight) if self.regulate else weight
        # sign(0) is +1: there is no third code.
        signs = torch.where(regular.detach() >= 0, 1.0, -1.0)
        size = regular.detach().abs().flatten(1).mean(1).clamp(min=2.0**-30)
        return regular, signs, torch.exp2(torch.round(torch.log2(size)))

    def forward(self, weight: Tensor) -> Tensor:
        regular, signs, scale = self._signs(weight)
        smooth = (1 / self._steepness).clamp(min=1) * torch.tanh(self._steepness * regular)
        return straight_through(smooth, signs) * scale.view(-1, *[1] * (weight.ndim - 1))

    def integers(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        _, signs, scale = self._signs(weight.detach())
        return signs.to(torch.int64), scale.to(torch.float64)


ODD_UNITS = {2: 0.4979, 4: 0.1676}
"""Half the step of the uniform quantizer with 2**bits levels that has the least squared error on
a normal distribution of standard deviation 1 (Max 1960, table II)."""


class OddWeight(WeightQuantizer):
    """Odd integers -(2**b - 1) ... 2**b - 1 of regulated weights: uniform levels without a zero."""

    kind = WeightKind.ODD

    def __init__(self, bits: int = 2):
        super().__init__()
        if bits not in ODD_UNITS:
            raise ValueError(f"odd weights have {', '.join(map(str, ODD_UNITS))} bits, not {bits}")
        self.bits = bits
        self.limit = (1 << bits) - 1

    def _quantize(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        scaled = _regulate(weight) / ODD_UNITS[self.bits]
        clipped = scaled.clamp(-self.limit - 1, self.limit + 1)
        odd = 2 * torch.floor(clipped.detach() / 2) + 1
        return clipped, odd.clamp(-self.limit, self.limit)

    def forward(self, weight: Tensor) -> Tensor:
        return straight_through(*self._quantize(weight)) * ODD_UNITS[self.bits]

    def integers(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        _, odd = self._quantize(weight.detach())
        scale = torch.full((len(weight),), ODD_UNITS[self.bits], dtype=torch.float64)
        return odd.to(torch.int64), scale


RESCALINGS = ("mean", "max", "quantile", "none")
GRADIENTS = ("coded", "clipped")


class RescaledWeight(WeightQuantizer):
    """Odd integers of weights that are rescaled in each output channel (QP-SNN's ReScaW, arXiv 2502.05905, eq. 4-10).

    ``k = round(s / 2 * (clamp(w / gamma, -1, 1) + 1))``, ``s = 2**bits - 1``; the integer is ``2 * k - s`` and
    stands for ``gamma / s``. ``rescaling`` says what gamma is: the ``mean`` or the ``max`` of ``|w|``, the greater
    of ``|P_x|`` and ``|P_(1-x)|`` (``quantile``, which is x), or 1 (``none``, the vanilla quantization).

    No gradient flows through gamma. ``coded``: that of ``w / gamma`` everywhere, as in the authors' code;
    ``clipped``: that of ``w`` where ``|w| <= gamma``, as in the paper.
    """

    kind = WeightKind.ODD

    def __init__(
        self, bits: int = 2, rescaling: str = "mean", quantile: float = 0.99, gradient: str = "coded"
    ):
        super().__init__()
        if bits not in (2, 4, 8):
            raise ValueError(f"rescaled weights have 2, 4 or 8 bits, not {bits!r}")
        for name, value, choices in (
            ("rescaling", rescaling, RESCALINGS), ("gradient", gradient, GRADIENTS),
        ):
            if value not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        if not (isinstance(quantile, (int, float)) and 0.5 < quantile <= 1):
            raise ValueError(f"quantile must be above 0.5 and at most 1, not {quantile!r}")
        self.bits, self.rescaling, self.quantile, self.gradient = bits, rescaling, quantile, gradient
        self.limit = (1 << bits) - 1

    def _gamma(self, weight: Tensor) -> Tensor:
        """Return gamma, (output channels, 1, ...)."""
        flat = weight.detach().flatten(1)
        if self.rescaling == "mean":
            gamma = flat.abs().mean(1)
        elif self.rescaling == "max":
            gamma = flat.abs().amax(1)
        elif self.rescaling == "quantile":
            edges = flat.new_tensor([self.quantile, 1 - self.quantile])
            gamma = torch.quantile(flat, edges, dim=1).abs().amax(0)
        else:
            gamma = flat.new_ones(len(flat))
        # A channel of zeros has zeros for its gamma; what it divides has no size then.
        return gamma.clamp(min=2.0**-30).view(-1, *[1] * (weight.ndim - 1))

    def _odd(self, weight: Tensor, gamma: Tensor) -> Tensor:
        inside = (weight.detach() / gamma).clamp(-1, 1)
        return 2 * torch.round((inside + 1) * (self.limit / 2)) - self.limit

    def forward(self, weight: Tensor) -> Tensor:
        gamma = self._gamma(weight)
        exact = self._odd(weight, gamma) * (gamma / self.limit)
        if self.gradient == "coded":
            return straight_through(weight / gamma, exact)
        return straight_through(torch.minimum(torch.maximum(weight, -gamma), gamma), exact)

    def integers(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        gamma = self._gamma(weight)
        return self._odd(weight, gamma).to(torch.int64), gamma.flatten().to(torch.float64) / self.limit


class AbsMaxWeight(WeightQuantizer):
    """Two's complement integers; the greatest absolute weight of the layer is the greatest code.

    ``q = round(w / max|w| * n)`` with ``n = 2**(bits - 1) - 1``, straight-through gradient.
    """

    kind = WeightKind.TWOS

    def __init__(self, bits: int = 8):
        super().__init__()
        if bits not in (2, 4, 8):
            raise ValueError(f"absmax weights have 2, 4 or 8 bits, not {bits!r}")
        self.bits = bits
        self.limit = (1 << (bits - 1)) - 1

    def _unit(self, weight: Tensor) -> Tensor:
        return weight.detach().abs().max().clamp(min=1e-30) / self.limit

    def forward(self, weight: Tensor) -> Tensor:
        unit = self._unit(weight)
        return straight_through(weight, torch.round(weight.detach() / unit) * unit)

    def integers(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        unit = self._unit(weight)
        codes = torch.round(weight.detach() / unit).to(torch.int64)
        return codes, unit.to(torch.float64).expand(len(weight)).clone()


WEIGHT_QUANTIZERS: Registry[type[WeightQuantizer]] = Registry("quantizer", {
    "float": FloatWeight, "binary": BinaryWeight, "odd": OddWeight, "absmax": AbsMaxWeight,
    "rescaled": RescaledWeight,
})
"""Each is created with ``bits`` and the options of its layer's recipe."""


class _TableLookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value: Tensor, quantizer: "PotentialQuantizer") -> Tensor:
        ctx.save_for_backward(value)
        ctx.quantizer = quantizer
        return quantizer.levels_of(value)

    @staticmethod
    def backward(ctx, *gradients: Tensor):
        (gradient,) = gradients
        (value,) = ctx.saved_tensors
        return gradient * ctx.quantizer.slope(value), None


class PotentialQuantizer(nn.Module):
    """Stored potentials through the core's quantizer table (Q-SNN's u_q with a = 1).

    Returns ``code / n``, n = 2**(bits - 1) - 1, with the gradient of tanh or of a clip to -1..1.
    The table looks at the TABLE_INDEX_WIDTH high bits of a potential, exactly as the core does; the
    gradient of tanh is taken in the middle of what an entry covers.
    """

    table: Tensor
    slopes: Tensor

    def __init__(self, bits: int, levels: Levels):
        super().__init__()
        self.levels = levels
        table = torch.from_numpy(quantizer_table(bits, levels)).to(torch.float32)
        self.register_buffer("table", table / code_limit(bits), persistent=False)
        slopes = torch.from_numpy(1 - np.tanh(table_centers()) ** 2).to(torch.float32)
        self.register_buffer("slopes", slopes, persistent=False)

    def forward(self, value: Tensor) -> Tensor:
        return _TableLookup.apply(value, self)

    def levels_of(self, value: Tensor) -> Tensor:
        """Return the quantized potentials, without a gradient."""
        return self._look_up(self.table, value)

    def slope(self, value: Tensor) -> Tensor:
        """Return the gradient of a quantized potential."""
        if self.levels is Levels.TANH:
            return self._look_up(self.slopes, value)
        return (value.abs() <= 1).to(value.dtype)

    def _look_up(self, table: Tensor, value: Tensor) -> Tensor:
        half = 1 << (TABLE_INDEX_WIDTH - 1)
        index = (value * 2.0 ** (FRACTION_BITS - TABLE_INDEX_SHIFT)).floor_().add_(half)
        # A NaN has no index; the training notices it in the weights.
        index = index.clamp_(0, 2 * half - 1).nan_to_num_(0).to(torch.int32)
        return table.index_select(0, index.flatten()).view_as(value)
