"""Windows of integer networks, from convolutions with their normalization."""

import numpy as np
import torch
from spikeplane_hw.neuron import FRACTION_BITS

from ...network.checks import NetworkError
from ...network.window import Window
from .fixed_point import Currents, fixed_point
from .layers import Classifier, NormConv
from .streams import Heads

__all__ = ["weights_of", "window_of"]


def weights_of(name: str, module: NormConv | Classifier | Heads) -> tuple[dict, np.ndarray]:
    """Return the weight arguments of a window, and the scale of each channel."""
    if not module.quantizer.has_integers:
        raise NetworkError(
            f"layer {name!r}: {type(module.quantizer).__name__} weights have no integer form"
        )
    integers, scale = module.quantizer.integers(module.weight.detach())
    return {
        "weight": integers.numpy(),
        "weight_bits": module.quantizer.bits,
        "weight_kind": module.quantizer.kind,
    }, scale.numpy()


def window_of(
    name: str, module: NormConv, taps: tuple[int, ...], source: str, input_scale: float,
    fraction_bits: int = FRACTION_BITS,
) -> Window:
    """Return a convolution and its normalization, whose sums neurons with these ``taps`` mix.

    What it adds has ``fraction_bits``: those of a current, or of a stream.
    """
    weights, scale = weights_of(name, module)
    norm = module.norm
    gamma, beta, mean, variance = (
        value.detach().to(torch.float64).numpy()
        for value in (
            norm.weight, norm.bias,
            norm.get_buffer("running_mean"), norm.get_buffer("running_var"),
        )
    )
    slope = gamma / np.sqrt(variance + norm.eps)
    # What one unit of the integer sum is worth ahead of the normalization; 0 of a channel without weights.
    unit = scale.astype(np.float64) * input_scale * 2.0 ** -taps[-1]
    each = np.divide(1, unit, out=np.zeros_like(unit), where=unit != 0)
    shift, multiplier, offset = fixed_point(name, Currents(
        gain=slope * unit, bias=beta - mean * slope, mean=mean * each, deviation=np.sqrt(variance) * each,
    ), fraction_bits)
    return Window(
        **weights, source=source, stride=module.stride, padding=module.padding, taps=taps,
        multiplier=multiplier, offset=offset, shift=shift,
    )
