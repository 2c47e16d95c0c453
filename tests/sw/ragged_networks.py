"""Random networks that reach every rule of the layout, and cores small enough to be ragged."""

import dataclasses
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from spikeplane.network.endings import Fire, Logits
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.node import Node
from spikeplane.network.pool import OrPool, Pooling
from spikeplane.network.weights import WeightKind
from spikeplane.network.window import TAP_LIMIT, Window
from spikeplane_hw.config import SMALLEST, CoreConfig
from spikeplane_hw.neuron import SHIFTS, Levels, Neuron, Reset, leak_limit

__all__ = ["CORES", "affine", "chain", "changed", "layer", "network", "neuron", "or_pool", "pick", "samples", "weights"]

DEPTHS = {
    "weight_depth": 16384, "spike_depth": 4096, "parameter_depth": 256, "state_depth": 8192,
    "table_count": 4, "pass_count": 128, "accumulator_width": 20, "term_count": 4, "pool_depth": 256,
    "image_planes": 8,
}
CORES = [
    CoreConfig(name="narrow", lanes=4, banks=2, updates=1, word_slots=4, **SMALLEST, **DEPTHS),
    CoreConfig(name="chunky", lanes=8, banks=2, updates=8, word_slots=8, **DEPTHS),
    CoreConfig(name="wide", lanes=32, banks=8, updates=4, word_slots=2, most_packed=8, **DEPTHS),
    CoreConfig(name="single", lanes=1, banks=1, updates=1, word_slots=1, **DEPTHS,
               **(SMALLEST | {"row_queue_depth": 8, "segment_queue_depth": 4})),
]


def pick(random: np.random.Generator, values):
    return values[int(random.integers(len(values)))]


def weights(random, out, channels, kernel, bits=1, kind=WeightKind.ODD) -> dict:
    """Return the weight fields of a window; ``channels`` are those of a group."""
    low, high = kind.limits(bits)
    weight = random.integers(low, high + 1, (out, channels, *kernel))
    if kind is WeightKind.ODD:
        weight -= 1 - weight % 2
    return {"weight": weight, "weight_bits": bits, "weight_kind": kind}


def affine(random, out: int, spread: float, shift: int) -> dict:
    """Return M, B and shift of sums whose typical size is ``spread``: currents that fire often, some saturate."""
    return {
        "multiplier": np.clip(
            random.normal(0, (1 << (11 + shift)) / spread, out).round(), -32768, 32767).astype(np.int64),
        "offset": random.integers(-1, 4, out) << (10 + shift),
        "shift": shift,
    }


def layer(random, name, out, channels, kernel, *, source=INPUT, bits=1, kind=WeightKind.ODD, neuron=None, shift=5,
          **more) -> Layer:
    """Return a layer of random weights and parameters; ``kernel`` is (height, width)."""
    fields = weights(random, out, channels, kernel, bits, kind)
    ending = Logits()
    if neuron is not None:
        spread = max(kind.limits(bits)[1], 1) * np.sqrt(channels * kernel[0] * kernel[1])
        fields |= affine(random, out, spread, shift)
        ending = Fire(neuron=neuron)
    return Layer(name=name, terms=(Window(source=source, **fields, **more),), ending=ending)


def or_pool(name: str, side: int, source: str = INPUT) -> OrPool:
    """Return a pool of square windows."""
    return OrPool(name=name, source=source, pooling=Pooling(kernel=(side, side), stride=side))


def chain(*nodes: Layer | OrPool) -> list[Node]:
    """Return nodes each of which reads the one before it."""
    sources = [INPUT, *(node.name for node in nodes[:-1])]
    return [
        replace(node, source=source) if isinstance(node, OrPool) else changed(node, source=source)
        for node, source in zip(nodes, sources, strict=True)
    ]


def changed(node: Layer, **changes) -> Layer:
    """Return a layer with other fields of itself, of its first term, or of its ending."""
    term, ending = node.terms[0], node.ending
    for name, value in changes.items():
        if name in {item.name for item in dataclasses.fields(node)}:
            node = replace(node, **{name: value})
        elif name in {item.name for item in dataclasses.fields(term)}:
            term = replace(term, **{name: value})
        else:
            ending = replace(ending, **{name: value})
    return replace(node, **{"terms": (term, *node.terms[1:]), "ending": ending} | {
        name: value for name, value in changes.items() if name in ("terms", "ending")
    })


def neuron(random) -> Neuron:
    fire_above, reset, state_bits = (
        pick(random, choices)
        for choices in ((4095, 4096, 0), list(Reset), (0, 2, 3, 4, 8, 16))
    )
    return Neuron(
        fire_above=fire_above, reset=reset, state_bits=state_bits, levels=pick(random, list(Levels)),
        leak=min(pick(random, (0.5, 1.0, 0.3)), leak_limit(state_bits)),
    )


def network(seed: int, *, direct: bool = False, taps: bool = False) -> IntegerNetwork:
    """Return a chain of random shape: ragged channels, kernels 1 to 7, strides, pools.

    With ``taps`` most of its neurons are memory-free.
    """
    random = np.random.default_rng(seed)
    channels = int(random.integers(1, 6))
    form = InputFormat(
        channels=channels, height=int(random.integers(5, 10)), width=int(random.integers(5, 10)),
        steps=int(random.integers(1, 5)), bits=int(random.integers(1, 5)) if direct else 1,
        direct=direct,
    )
    nodes: Sequence[Node] = []
    source, height, width = INPUT, form.height, form.width
    for index in range(int(random.integers(1, 4))):
        if index and min(height, width) > 3 and random.random() < 0.4:
            nodes = [*nodes, or_pool(f"pool{index}", 2, source)]
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
            nodes = [*nodes, layer(
                random, f"layer{index}", out, channels, kernel, source=source, bits=bits, kind=kind,
                neuron=cells, shift=pick(random, SHIFTS), **more)]
        source = nodes[-1].name
        made = IntegerNetwork(input=form, nodes=nodes, logit_offset=np.zeros(1, np.int64)).maps()[source]
        channels, height, width = made.shape
    kernel = pick(random, ((1, 1), (height, width)))
    classes = int(random.integers(2, 11))
    nodes = [*nodes, layer(random, "classifier", classes, channels, kernel, source=source, bits=8,
                           kind=WeightKind.TWOS)]
    return IntegerNetwork(
        input=form, nodes=nodes, logit_offset=random.integers(-50, 50, classes),
        logit_scale=0.25, metadata={"seed": seed},
    )


def samples(network: IntegerNetwork, count: int, seed: int = 0, density: float = 0.3) -> np.ndarray:
    """Return random inputs, uint8 (count, *InputFormat.shape), with some silent rows."""
    random = np.random.default_rng(seed)
    shape = (count, *network.input.shape)
    values = random.integers(1, 1 << network.input.bits, shape)
    rows = random.random((*shape[:-3], 1, shape[-2], 1)) < 0.6
    return (values * (random.random(shape) < density) * rows).astype(np.uint8)
