"""Export: a trained network in integers, batch normalization and scales folded.

A neuron layer's current is ``gain * sum + bias`` of the integer sum. In the core's fixed point
that is ``(sum * M + B) >> shift`` with ``M = gain * 2**(FRACTION_BITS + shift)``, likewise B, which
includes the half that makes ``>>`` round to nearest.
"""

import dataclasses

import numpy as np
import torch
from spikeplane_hw.neuron import FRACTION_BITS, MULTIPLIER_WIDTH, OFFSET_WIDTH, SHIFTS
from torch import nn

from ...network.graph import IntegerNetwork, Layer, NetworkError, or_pool
from .layers import Classifier, OrPool, ResidualBlock, SpikingConv
from .networks import SpikingNetwork

__all__ = ["export_network", "fixed_point"]


def export_network(network: SpikingNetwork, metadata: dict | None = None) -> IntegerNetwork:
    """Return ``network`` in integers; a NetworkError names the layer that cannot be exported."""
    layers = []
    # The integers of the first layer's input are input_levels times the numbers it stands for.
    input_scale = 1 / network.input_levels
    result = None
    for name, module in network.layers.items():
        _check_finite(name, module)
        if isinstance(module, SpikingConv):
            layers.append(_convolution(name, module, input_scale))
        elif isinstance(module, OrPool):
            channels = layers[-1].weight.shape[0] if layers else network.form.channels
            layers.append(or_pool(name, channels, module.kernel, module.stride))
        elif isinstance(module, Classifier):
            layer, logit_offset, logit_scale = _classifier(name, module, network.form.steps)
            result = IntegerNetwork(
                input=network.form, layers=[*layers, layer], logit_offset=logit_offset,
                logit_scale=logit_scale, metadata=metadata or {},
            )
        elif isinstance(module, ResidualBlock):
            raise NetworkError(
                f"layer {name!r}: residual blocks have no integer form yet: neither the integer model "
                f"nor the core adds a shortcut"
            )
        else:
            raise NetworkError(f"layer {name!r}: {type(module).__name__} has no integer form")
        input_scale = 1.0
    if result is None:
        raise NetworkError("the network has no classifier")
    result.verify()
    return result


def _check_finite(name: str, module: nn.Module) -> None:
    for key, value in module.state_dict().items():
        wrong = (~torch.isfinite(value)).nonzero()
        if len(wrong):
            place = wrong[0].tolist()
            raise NetworkError(
                f"layer {name!r}: {key} {place} is {value[tuple(place)].item()}, must be finite"
            )


def _weights(name: str, module: SpikingConv | Classifier) -> tuple[dict, np.ndarray]:
    """Return the weight arguments of the integer layer, and the scale of each channel."""
    if not hasattr(module.quantizer, "kind"):
        raise NetworkError(
            f"layer {name!r}: {type(module.quantizer).__name__} weights have no integer form"
        )
    integers, scale = module.quantizer.integers(module.weight.detach())
    return {
        "name": name,
        "weight": integers.numpy(),
        "weight_bits": module.quantizer.bits,
        "weight_kind": module.quantizer.kind,
    }, scale.numpy()


def _convolution(name: str, module: SpikingConv, input_scale: float) -> Layer:
    weights, scale = _weights(name, module)
    norm = module.norm
    gamma, beta, mean, variance = (
        value.detach().to(torch.float64).numpy()
        for value in (
            norm.weight, norm.bias,
            norm.get_buffer("running_mean"), norm.get_buffer("running_var"),
        )
    )
    slope = gamma / np.sqrt(variance + norm.eps)
    neuron, taps = module.neurons.integers()
    gain = slope * scale * input_scale * 2.0 ** -taps[-1]
    shift, multiplier, offset = fixed_point(name, gain, beta - mean * slope)
    return Layer(
        **weights, stride=module.stride, padding=module.padding, multiplier=multiplier,
        offset=offset, neuron=dataclasses.replace(neuron, shift=shift), taps=taps,
    )


def fixed_point(
    name: str, gain: np.ndarray, bias: np.ndarray
) -> tuple[int, np.ndarray, np.ndarray]:
    """Return (shift, M, B) of a layer: the greatest shift at which M and B of all channels fit."""
    limits = []
    for shift in sorted(SHIFTS, reverse=True):
        unit = 2.0 ** (FRACTION_BITS + shift)
        multiplier = np.rint(gain * unit)
        offset = np.rint(bias * unit) + (1 << (shift - 1))
        limits = [
            ("M", multiplier, 1 << (MULTIPLIER_WIDTH - 1)), ("B", offset, 1 << (OFFSET_WIDTH - 1)),
        ]
        if all((values >= -limit).all() and (values < limit).all() for _, values, limit in limits):
            return shift, multiplier.astype(np.int64), offset.astype(np.int64)
    for what, values, limit in limits:
        if np.abs(values).max() >= limit:
            channel = int(np.abs(values).argmax())
            raise NetworkError(
                f"layer {name!r}: {what} of channel {channel} is {values[channel]:.0f} at the "
                f"least shift {min(SHIFTS)}, limit {limit - 1}"
            )
    raise NetworkError(f"layer {name!r}: M and B fit at no shift of {SHIFTS}")


def _classifier(name: str, module: Classifier, steps: int) -> tuple[Layer, np.ndarray, float]:
    """Return the layer, the logits' offset and their scale: sums run over pixels and steps."""
    weights, scale = _weights(name, module)
    if (scale != scale[0]).any():
        raise NetworkError(f"layer {name!r}: the weights of all classes must have one scale")
    logit_scale = float(scale[0]) / (module.pixels * steps)
    bias = module.bias.detach().to(torch.float64).numpy()
    return Layer(**weights), np.rint(bias / logit_scale).astype(np.int64), logit_scale
