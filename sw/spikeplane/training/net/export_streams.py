"""Export of layers that make or read residual streams: embedding, transformer blocks, heads."""

import numpy as np
from spikeplane_hw.neuron import FRACTION_BITS

from ...network.checks import NetworkError
from ...network.digits import weighted_stream
from ...network.endings import Fire, Store
from ...network.layer import Layer
from ...network.maps import STREAM_BITS
from ...network.product import Product
from ...network.stored import Stored
from .fixed_point import Currents, fixed_point
from .layers import SpikingConv
from .names import head_name, part_name
from .neuron import SpikingNeurons
from .streams import Embedding, Heads
from .transformer import LEAST_SCALE, AttentionScale, TransformerBlock
from .windows import weights_of, window_of

__all__ = ["export_embedding", "export_heads", "export_transformer", "output_streams"]


def export_embedding(name: str, module: Embedding, source: str) -> Layer:
    """Return the layer that makes the first stream."""
    bits = module.grid.fraction_bits
    return Layer(name=name, terms=(window_of(name, module, (0,), source, 1.0, bits),), ending=Store(fraction_bits=bits))


def export_transformer(name: str, module: TransformerBlock, streams: tuple[str, ...]) -> list[Layer]:
    """Return the ten layers of a block that reads ``streams``; see :func:`output_streams` for what it makes."""
    bits, last = module.grid.fraction_bits, streams[-1]
    names = {part: part_name(name, part) for part in (
        "spikes", "query", "key", "value", "map", "picked", "attended", "inner", "hidden", "mixed",
    )}

    def fire(part: str, term: Stored | Product, neurons: SpikingNeurons) -> Layer:
        return Layer(name=names[part], terms=(term,), ending=Fire(neuron=neurons.integers()[0]))

    def read(stream: str) -> Stored:
        return Stored(streams=(stream,), exponent=FRACTION_BITS - bits)

    def convolution(part: str, source: str) -> Layer:
        layer: SpikingConv = getattr(module, part)
        neuron, taps = layer.neurons.integers()
        return Layer(
            name=names[part], terms=(window_of(names[part], layer, taps, source, 1.0),), ending=Fire(neuron=neuron)
        )

    def add(part: str, source: str, to: tuple[str, ...]) -> Layer:
        window = window_of(names[part], getattr(module, part), (0,), source, 1.0, bits)
        return Layer(name=names[part], terms=(Stored(streams=to), window), ending=Store(fraction_bits=bits))

    coupled = module.options.reversible
    heads, tokens, size = module.heads, module.tokens, module.shape[0] // module.heads
    scores = Product(source=names["query"], operand=names["key"], groups=heads,
                     **_scaled(names["map"], np.full(heads * tokens, module.options.map_gain)))
    picked = Product(source=names["map"], operand=names["value"], groups=heads, transposed=True,
                     **_scaled(names["picked"], np.repeat(_factors(names["picked"], module.scale), size)))
    return [
        fire("spikes", read(last), module.spikes),
        *(convolution(part, names["spikes"]) for part in ("query", "key", "value")),
        fire("map", scores, module.map),
        fire("picked", picked, module.picked),
        add("attended", names["picked"], streams if coupled else (last,)),
        fire("inner", read(names["attended"]), module.inner),
        convolution("hidden", names["inner"]),
        add("mixed", names["hidden"], (last, names["attended"]) if coupled else (names["attended"],)),
    ]


def output_streams(name: str, module: TransformerBlock) -> tuple[str, ...]:
    """Return the names of the streams that a block hands on."""
    parts = ("attended", "mixed") if module.options.reversible else ("mixed",)
    return tuple(part_name(name, part) for part in parts)


def _factors(where: str, scale: AttentionScale) -> np.ndarray:
    """Return what counts of each head are multiplied by, float64 (heads,)."""
    learned = scale.scale.detach().view(scale.steps, scale.heads)
    wrong = (~(learned > 0)).nonzero()
    if len(wrong):
        step, head = wrong[0].tolist()
        raise NetworkError(
            f"layer {where!r}: the scale of head {head} at step {step} is {learned[step, head].item():.4g}, must be "
            f"above 0: it becomes part of a threshold. In training it is kept at {LEAST_SCALE} or more"
        )
    factors = scale.factors().detach().double().numpy()
    if (factors != factors[0]).any():
        head = int((factors != factors[0]).any(0).argmax())
        values = ", ".join(f"{each:.4g}" for each in factors[:, head] / scale.gain)
        raise NetworkError(
            f"layer {where!r}: the scales of head {head} are {values}, one "
            f"for each step; integer networks have one for all steps: train with transformer.scales = \"head\""
        )
    return factors[0]


def _scaled(where: str, gain: np.ndarray) -> dict:
    """Return multiplier, offset and shift of a product whose counts are multiplied by ``gain``, (channels,)."""
    shift, multiplier, offset = fixed_point(where, Currents(
        gain=gain, bias=np.zeros_like(gain), mean=np.zeros_like(gain), deviation=np.ones_like(gain),
    ))
    return {"multiplier": multiplier, "offset": offset, "shift": shift}


def export_heads(
    name: str, module: Heads, streams: tuple[str, ...], steps: int
) -> tuple[list[Layer], tuple[np.ndarray, float]]:
    """Return the layers of all heads, the logits' offset, and their scale: sums run over pixels and steps."""
    weights, scale = weights_of(name, module)
    if (scale != scale[0]).any():
        raise NetworkError(f"layer {name!r}: the weights of all heads must have one scale")
    # What is left of 16 bits: above, the clipped range, and the fraction bits that a head does not read.
    lowest = STREAM_BITS - module.bits
    exponent = lowest - (module.grid.fraction_bits - module.fraction_bits)
    layers: list[Layer] = []
    for head, weight in enumerate(np.split(weights.pop("weight"), module.count)):
        layers += weighted_stream(
            head_name(name, head), streams[module.source(head, len(streams))], fraction_bits=module.grid.fraction_bits,
            weight=weight, lowest=lowest, exponent=exponent, **weights,
        )
    unit = float(scale[0]) * 2.0**-module.fraction_bits / (module.pixels * steps * module.count)
    bias = module.bias.detach().double().numpy().reshape(module.count, -1).mean(0)
    return layers, (np.rint(bias / unit).astype(np.int64), unit)
