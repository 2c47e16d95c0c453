"""Spiking transformers of random weights: attention of heads, residual streams, their means, two heads."""

import numpy as np
from ragged_networks import affine, weights
from spikeplane.network.digits import weighted_stream
from spikeplane.network.endings import Ending, Fire, Logits, Store
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.maps import STREAM_BITS as WORD_BITS
from spikeplane.network.product import Product
from spikeplane.network.stored import Stored
from spikeplane.network.term import Term
from spikeplane.network.window import Window
from spikeplane_hw.neuron import FRACTION_BITS, Neuron, Reset

__all__ = ["attention", "transformer"]

STREAM_BITS = 9
"""Fraction bits of the streams."""
NEURON = Neuron(fire_above=1500, reset=Reset.HARD, state_bits=16, leak=0.5)
MAP_NEURON = Neuron(fire_above=3000, reset=Reset.SOFT, state_bits=16, leak=0.5)
"""Of the attention map."""


class _Builder:
    """Adds the layers of blocks; each method returns the name of what it made."""

    def __init__(self, seed: int, form: InputFormat, width: int, heads: int):
        self.random, self.form, self.width, self.heads = np.random.default_rng(seed), form, width, heads
        self.nodes: list[Layer] = []

    def add(self, name: str, terms: list[Term], ending: Ending) -> str:
        self.nodes.append(Layer(name=name, terms=tuple(terms), ending=ending))
        return name

    def window(self, source: str, out: int, inputs: int, side: int = 1, **more) -> Window:
        fields = weights(self.random, out, inputs, (side, side))
        return Window(source=source, **fields, **affine(self.random, out, np.sqrt(inputs) * side / 2, 5), **more)

    def tokens(self, channels: int) -> str:
        """Add the layers that make a stream of the input."""
        first = self.add("tokens", [self.window(INPUT, self.width // 2, channels, 3, padding=1)], Fire(neuron=NEURON))
        # A stream is in other units than a current: smaller by a shift.
        return self.add("embedding", [self.small(self.window(first, self.width, self.width // 2, 3, padding=1))],
                        Store(fraction_bits=STREAM_BITS))

    def small(self, term: Window) -> Window:
        scale = 1 << FRACTION_BITS - STREAM_BITS
        return Window(**vars(term) | {"multiplier": term.multiplier // scale, "offset": term.offset // scale})

    def spikes(self, name: str, stream: str) -> str:
        """Add neurons that read a stream."""
        return self.add(name, [Stored(streams=(stream,), exponent=FRACTION_BITS - STREAM_BITS)], Fire(neuron=NEURON))

    def attend(self, name: str, source: str, form: InputFormat) -> str:
        """Add queries, keys, values, the attention map, and the values that it picks."""
        width, heads, pixels = self.width, self.heads, form.height * form.width
        query, key, value = (
            self.add(f"{name} {each}", [self.window(source, width, width)], Fire(neuron=NEURON))
            for each in ("query", "key", "value")
        )

        def scaled(channels: int, typical: float) -> dict:
            factor = min(round(2 ** (FRACTION_BITS + 5) / typical), (1 << 15) - 1)
            return {"multiplier": np.full(channels, factor, np.int64), "offset": np.full(channels, 16, np.int64),
                    "shift": 5}

        size = width // heads
        scores = Product(source=query, operand=key, groups=heads, **scaled(heads * pixels, max(3, size // 8)))
        picture = self.add(f"{name} map", [scores], Fire(neuron=MAP_NEURON))
        picked = Product(source=picture, operand=value, groups=heads, transposed=True,
                         **scaled(width, max(3, pixels // 8)))
        return self.add(f"{name} picked", [picked], Fire(neuron=NEURON))

    def block(self, name: str, streams: tuple[str, ...]) -> tuple[str, str]:
        """Add a reversible block (arXiv 2501.05904) on the last of ``streams``; return its two streams."""
        width, store = self.width, Store(fraction_bits=STREAM_BITS)
        source = self.spikes(f"{name} spikes", streams[-1])
        picked = self.attend(name, source, self.form)
        attended = self.add(
            f"{name} attended", [Stored(streams=streams), self.small(self.window(picked, width, width))], store)
        inner = self.spikes(f"{name} inner", attended)
        hidden = self.add(f"{name} hidden", [self.window(inner, 2 * width, width)], Fire(neuron=NEURON))
        mixed = self.add(
            f"{name} mixed",
            [Stored(streams=(streams[-1], attended)), self.small(self.window(hidden, width, 2 * width))], store)
        return attended, mixed


def transformer(
    seed: int, *, width: int, heads: int, side: int, steps: int, blocks: int, channels: int = 2, classes: int = 4
) -> IntegerNetwork:
    """Return a spiking transformer on ``side`` x ``side`` events, each pixel a token, with ``width`` channels."""
    form = InputFormat(channels=channels, height=side, width=side, steps=steps)
    made = _Builder(seed, form, width, heads)
    streams: tuple[str, ...] = (made.tokens(channels),)
    for block in range(blocks):
        streams = made.block(f"block {block}", streams)
    last = made.spikes("last", streams[0])
    made.add("head", [Window(source=last, **weights(made.random, classes, width, (1, 1), 4))], Logits())
    # What the sign and the bit below it say of the other stream.
    made.nodes += weighted_stream("head on a stream", streams[-1], fraction_bits=STREAM_BITS, lowest=WORD_BITS - 2,
                                  **weights(made.random, classes, width, (1, 1), 4))
    return _network(made, classes)


def attention(seed: int, *, width: int, heads: int, height: int, columns: int, steps: int) -> IntegerNetwork:
    """Return one attention on events of ``height`` x ``columns`` pixels, and a classifier."""
    form = InputFormat(channels=2, height=height, width=columns, steps=steps)
    made = _Builder(seed, form, width, heads)
    first = made.add("tokens", [made.window(INPUT, width, 2)], Fire(neuron=NEURON))
    picked = made.attend("attention", first, form)
    made.add("head", [Window(source=picked, **weights(made.random, 3, width, (1, 1), 2))], Logits())
    return _network(made, 3)


def _network(made: _Builder, classes: int) -> IntegerNetwork:
    network = IntegerNetwork(input=made.form, nodes=made.nodes, logit_offset=np.zeros(classes, np.int64))
    network.verify()
    return network
