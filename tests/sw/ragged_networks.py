"""Random networks that reach every rule of the layout, and cores small enough to be ragged."""

from dataclasses import replace

import numpy as np
from spikeplane.network.graph import InputFormat, IntegerNetwork, Layer, WeightKind, or_pool
from spikeplane.network.layer import TAP_LIMIT
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.neuron import SHIFTS, Levels, Neuron, Reset, leak_limit

__all__ = ["CORES", "layer", "network", "samples"]

DEPTHS = {
    "weight_depth": 16384, "spike_depth": 4096, "parameter_depth": 256, "state_depth": 8192,
    "table_count": 4, "pass_count": 128, "accumulator_width": 20,
}
CORES = [
    CoreConfig(name="narrow", lanes=4, banks=2, updates=1, word_slots=4, **DEPTHS),
    CoreConfig(name="chunky", lanes=8, banks=2, updates=8, word_slots=8, **DEPTHS),
    CoreConfig(name="wide", lanes=32, banks=8, updates=4, word_slots=2, **DEPTHS),
    CoreConfig(name="single", lanes=1, banks=1, updates=1, word_slots=1, **DEPTHS),
]


def pick(random: np.random.Generator, values):
    return values[int(random.integers(len(values)))]


def layer(random, name, out, channels, kernel, *, bits=1, kind=WeightKind.ODD, neuron=None, **more):
    """Return a layer of random weights and parameters; ``kernel`` is (height, width)."""
    low, high = kind.limits(bits)
    weight = random.integers(low, high + 1, (out, channels, *kernel))
    if kind is WeightKind.ODD:
        weight -= 1 - weight % 2
    if neuron is not None:
        # Currents that fire often and saturate now and then.
        scale = (1 << (11 + neuron.shift)) / (max(high, 1) * np.sqrt(channels * kernel[0] * kernel[1]))
        more["multiplier"] = np.clip(
            random.normal(0, scale, out).round(), -32768, 32767).astype(np.int64)
        more["offset"] = random.integers(-1, 4, out) << (10 + neuron.shift)
    return Layer(name=name, weight=weight, weight_bits=bits, weight_kind=kind, neuron=neuron, **more)


def neuron(random) -> Neuron:
    shift, fire_above, reset, state_bits = (
        pick(random, choices)
        for choices in (SHIFTS, (4095, 4096, 0), list(Reset), (0, 2, 3, 4, 8, 16))
    )
    return Neuron(
        shift=shift, fire_above=fire_above, reset=reset, state_bits=state_bits,
        levels=pick(random, list(Levels)),
        leak=min(pick(random, (0.5, 1.0, 0.3)), leak_limit(state_bits)),
    )


def network(seed: int, *, direct: bool = False, taps: bool = False) -> IntegerNetwork:
    """Return a network of random shape: ragged channels, kernels 1 to 7, strides, pools.

    With ``taps`` most of its neurons are memory-free.
    """
    random = np.random.default_rng(seed)
    channels = int(random.integers(1, 6))
    form = InputFormat(
        channels=channels, height=int(random.integers(5, 10)), width=int(random.integers(5, 10)),
        steps=int(random.integers(1, 5)), bits=int(random.integers(1, 5)) if direct else 1,
        direct=direct,
    )
    height, width = form.height, form.width
    layers = []
    for index in range(int(random.integers(1, 4))):
        if index and min(height, width) > 3 and random.random() < 0.4:
            layers.append(or_pool(f"pool{index}", channels, 2))
        else:
            out = int(random.integers(1, 12))
            if index and random.random() < 0.3:
                kernel, more = (height, width), {}
            else:
                side = min(7, height, width)
                kernel = (int(random.integers(1, side + 1)), int(random.integers(1, side + 1)))
                more = {"stride": pick(random, (1, 2)),
                        "padding": int(random.integers(0, min(kernel)))}
            bits, kind = pick(random, (1, 2, 4)), pick(random, list(WeightKind))
            cells = neuron(random)
            if taps and (index or not direct) and random.random() < 0.8:
                cells = replace(cells, state_bits=0, reset=Reset.NONE)
                count = int(random.integers(2, 5))
                rises = random.choice(np.arange(1, TAP_LIMIT + 1), count - 1, replace=False)
                more["taps"] = (0, *(int(exponent) for exponent in sorted(rises)))
            layers.append(layer(
                random, f"layer{index}", out, channels, kernel, bits=bits, kind=kind, neuron=cells,
                **more))
            channels = out
        last = layers[-1]
        height = (height + 2 * last.padding - last.weight.shape[2]) // last.stride + 1
        width = (width + 2 * last.padding - last.weight.shape[3]) // last.stride + 1
    kernel = pick(random, ((1, 1), (height, width)))
    classes = int(random.integers(2, 11))
    layers.append(layer(random, "classifier", classes, channels, kernel, bits=8,
                        kind=WeightKind.TWOS))
    return IntegerNetwork(
        input=form, layers=layers, logit_offset=random.integers(-50, 50, classes),
        logit_scale=0.25, metadata={"seed": seed},
    )


def samples(network: IntegerNetwork, count: int, seed: int = 0, density: float = 0.3) -> np.ndarray:
    """Return random inputs, uint8 (count, *InputFormat.shape), with some silent rows."""
    random = np.random.default_rng(seed)
    shape = (count, *network.input.shape)
    values = random.integers(1, 1 << network.input.bits, shape)
    rows = random.random((*shape[:-3], 1, shape[-2], 1)) < 0.6
    return (values * (random.random(shape) < density) * rows).astype(np.uint8)
