"""Random graphs: residual blocks of both kinds, streams, attention, pools, heads, taps, ragged sizes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from ragged_networks import affine, neuron, pick, weights
from residual_networks import TRIALS
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.place import place
from spikeplane.network.digits import weighted_stream
from spikeplane.network.endings import Ending, Fire, Logits, Store
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.maps import STREAM_BITS, MapFormat
from spikeplane.network.node import Node
from spikeplane.network.pool import OrPool, Pooling
from spikeplane.network.product import Product
from spikeplane.network.shortcut import Shortcut
from spikeplane.network.stored import Stored
from spikeplane.network.term import Term
from spikeplane.network.weights import WeightKind
from spikeplane.network.window import Window
from spikeplane_hw.neuron import SHIFTS, Reset

__all__ = ["fitting", "graph", "pools_on_the_way_out", "pools_over_several_groups", "sums_an_image_and_spikes"]


HEAD_UNIT = 8
"""Each head has a multiple of so many channels and pixels, where there are several and a core is to run them."""


class _Builder:
    """Adds random nodes, each with sources of the right kind among those that are there."""

    def __init__(self, seed: int, *, on_core: bool):
        self.on_core = on_core
        self.random = np.random.default_rng(seed)
        random = self.random
        direct = random.random() < 0.4
        self.form = InputFormat(
            channels=int(random.integers(1, 5)), height=int(random.integers(2, 7)),
            width=int(random.integers(2, 7)), steps=int(random.integers(1, 4)),
            bits=int(random.integers(1, 5)) if direct else 1, direct=direct,
        )
        self.nodes: list[Node] = []
        self.fraction_bits = int(random.integers(7, 12))
        self.of_heads = np.random.default_rng([seed, 1])
        """Draws what heads on streams are, apart from what the rest of a graph is."""
        self.classes = int(self.of_heads.integers(2, 6))

    @property
    def maps(self) -> dict[str, MapFormat]:
        return IntegerNetwork(input=self.form, nodes=self.nodes, logit_offset=np.zeros(1, np.int64)).maps()

    def add(self, terms: list[Term], ending: Ending) -> str:
        name = f"node{len(self.nodes)}"
        self.nodes.append(Layer(name=name, terms=tuple(terms), ending=ending))
        return name

    def fire(self, *terms: Term) -> Fire:
        cells = neuron(self.random)
        if any(len(getattr(term, "taps", (0,))) > 1 for term in terms):
            cells = replace(cells, state_bits=0, reset=Reset.NONE)
        return Fire(neuron=cells)

    def scale(self, channels: int, spread: float, scaled: bool = True) -> dict:
        return affine(self.random, channels, max(spread, 1), pick(self.random, SHIFTS)) if scaled else {}

    def taps(self, source: str) -> tuple[int, ...]:
        if not self.maps[source].spikes or self.random.random() < 0.7:
            return (0,)
        return (0, 1, 3)[:int(self.random.integers(2, 4))]

    def window(self, source: str, out: int, kernel, *, taps=(0,), scaled=True, groups=1, **more) -> Window:
        form = self.maps[source]
        bits, kind = pick(self.random, (1, 2, 4, 8)), pick(self.random, list(WeightKind))
        inputs = form.channels // groups
        fields = weights(self.random, out, inputs, kernel, bits, kind)
        size = form.greatest if form.signed else 1
        spread = max(kind.limits(bits)[1], 1) * np.sqrt(inputs * kernel[0] * kernel[1]) * size
        return Window(source=source, taps=taps, groups=groups, **fields, **self.scale(out, spread, scaled), **more)

    def convolution(self, source: str, out: int | None = None, ending: Ending | None = None) -> str:
        form, random = self.maps[source], self.random
        side = min(3, form.height, form.width)
        kernel = (int(random.integers(1, side + 1)), int(random.integers(1, side + 1)))
        if random.random() < 0.15 and max(form.height, form.width) <= 7:
            kernel = (form.height, form.width)
        groups = pick(random, [g for g in (1, 1, 1, 2, 3) if form.channels % g == 0 and not (self.on_core and g > 1)])
        out = out or groups * int(random.integers(1, 11 if self.on_core else 5))
        if out % groups:
            groups = 1
        term = self.window(
            source, out, kernel, taps=self.taps(source) if ending is None else (0,), groups=groups,
            stride=pick(random, (1, 2)), padding=int(random.integers(0, min(kernel))),
        )
        terms: list[Term] = [term]
        if ending is None and source != INPUT and random.random() < 0.4:
            terms += self.beside(term)
        return self.add(terms, ending or self.fire(term))

    def beside(self, term: Window) -> list[Term]:
        """Return a window over the input where it gives as many pixels as ``term``."""
        source, form = self.maps[term.source], self.maps[INPUT]
        if (source.height, source.width) != (form.height, form.width) or (len(term.taps) > 1 and form.replayed):
            return []
        out, _, *kernel = term.weight.shape
        return [self.window(INPUT, out, kernel, taps=term.taps, stride=term.stride,
                            padding=term.padding)]

    def pool(self, source: str) -> str:
        form, random = self.maps[source], self.random
        side = min(3, form.height, form.width)
        kernel = (int(random.integers(1, side + 1)), int(random.integers(1, side + 1)))
        padding = int(random.integers(0, min(kernel)))
        pooling = Pooling(kernel=kernel, stride=pick(random, (1, 2, 3, 5)), padding=padding)
        on_the_way = random.random() < 0.5
        if random.random() < 0.5 or (on_the_way and self.on_core):
            # Windows side by side: what a core pools on the way out.
            side = int(random.integers(1, side + 1))
            pooling = Pooling(kernel=(side, side), stride=side)
        if not on_the_way:
            name = f"node{len(self.nodes)}"
            self.nodes.append(OrPool(name=name, source=source, pooling=pooling))
            return name
        term = self.window(source, int(random.integers(1, 11)), (1, 1))
        return self.add([term], replace(self.fire(), pooling=pooling))

    def block(self, source: str) -> str:
        """Add two layers and a shortcut of either kind."""
        form, random = self.maps[source], self.random
        stride = pick(random, (1, 2))
        out = form.channels + int(random.integers(0, 3))
        kernel = min(3, 2 * (min(form.height, form.width) // 2) + 1)
        first = self.window(source, out, (kernel, kernel), stride=stride, padding=kernel // 2)
        inner = self.add([first], self.fire())
        taps = (0,) if random.random() < 0.5 else (0, 1, 3)
        second = self.window(inner, out, (1, 1), taps=taps)
        shortcut: Term
        if random.random() < 0.5:
            shortcut = Shortcut(source=source, stride=stride, silent=out - form.channels, taps=taps)
        else:
            shortcut = self.window(source, out, (1, 1), stride=stride, taps=taps)
        terms = [second, shortcut] if random.random() < 0.7 else [shortcut, second]
        if random.random() < 0.6:
            terms += self.beside(second)
        return self.add(terms, self.fire(*terms))

    def attention(self, source: str) -> str:
        """Add queries, keys, values, the attention map and what it picks."""
        random, form = self.random, self.maps[source]
        heads, size = int(random.integers(1, 4)), int(random.integers(1, 4))
        if self.on_core and heads > 1:  # Cores read whole slots of a head.
            whole = form.height * form.width % HEAD_UNIT == 0
            heads, size = (2, HEAD_UNIT) if whole else (1, size)
        query, key, value = (
            self.add([self.window(source, heads * size, (1, 1))], self.fire()) for _ in range(3)
        )
        pixels = self.maps[key].height * self.maps[key].width
        scores = Product(source=query, operand=key, groups=heads, **self.scale(heads * pixels, np.sqrt(size)))
        attention = self.add([scores], self.fire())
        picked = Product(source=attention, operand=value, transposed=True, groups=heads,
                         **self.scale(heads * size, np.sqrt(pixels)))
        return self.add([picked], self.fire())

    def streams(self, source: str) -> str:
        """Add two streams, their mean with something, and neurons that read it."""
        channels, fraction = int(self.random.integers(1, 5)), self.fraction_bits
        store = Store(fraction_bits=fraction)
        one = self.add([self.window(source, channels, (1, 1))], store)
        spikes = self.add([Stored(streams=(one,), exponent=12 - fraction)], self.fire())
        other = self.add([self.window(spikes, channels, (1, 1)), Stored(streams=(one,))], store)
        both = self.add([Stored(streams=(one, other)), self.window(spikes, channels, (1, 1))], store)
        if self.random.random() < 0.5:
            both = self.add([Stored(streams=(both,), exponent=-1), Shortcut(source=spikes)],
                            Store(fraction_bits=fraction - 1))
            fraction -= 1
        if self.of_heads.random() < 0.3:
            self.head_on_stream(both, fraction)
        if not self.on_core and self.random.random() < 0.3:
            return self.convolution(both, channels)
        return self.add([Stored(streams=(both,), exponent=12 - fraction)], self.fire())

    def head_on_stream(self, stream: str, fraction: int) -> None:
        """Add a head that weights some digits of a stream."""
        lowest = int(self.of_heads.integers(STREAM_BITS - 2, STREAM_BITS))
        self.nodes += weighted_stream(
            f"head on {stream}", stream, fraction_bits=fraction, lowest=lowest,
            **weights(self.of_heads, self.classes, self.maps[stream].channels, (1, 1), bits=1, kind=WeightKind.ODD),
        )

    def heads(self, sources: list[str]) -> None:
        for source in sources:
            form = self.maps[source]
            kernel = pick(self.random, ((1, 1), (form.height, form.width)))
            if max(kernel) > 7:
                kernel = (1, 1)
            self.add([self.window(source, self.classes, kernel, scaled=False)], Logits())


def graph(seed: int, *, on_core: bool = False) -> IntegerNetwork:
    """Return a random graph with at least one part of each kind over some ten seeds.

    With ``on_core`` there are a stream, attention and no parts that no core runs yet.
    """
    made = _Builder(seed, on_core=on_core)
    random = made.random
    source = INPUT
    if made.form.direct and random.random() < 0.6:
        # As large as the image, which may be summed up beside what follows.
        term = made.window(INPUT, int(random.integers(1, 5)), (1, 1))
        source = made.add([term], made.fire(term))
    elif made.form.direct or random.random() < 0.7:
        source = made.convolution(INPUT)
    for _ in range(int(random.integers(1, 4))):
        parts = (made.convolution, made.pool, made.block, made.attention, made.streams)
        source = pick(random, parts)(source)
    if on_core:
        source = made.attention(made.streams(source))
    read = {name for node in made.nodes for name in node.sources}
    unread = [node.name for node in made.nodes if node.name in made.maps and node.name not in read]
    others = [name for name, form in made.maps.items() if not form.replayed]
    if others and random.random() < 0.3:
        unread.append(pick(random, others))
    made.heads(list(dict.fromkeys(unread)) or [source])
    network = IntegerNetwork(
        input=made.form, nodes=made.nodes, logit_offset=random.integers(-50, 50, made.classes),
        logit_scale=0.5, metadata={"seed": seed},
    )
    network.verify()
    return network


def pools_on_the_way_out(network: IntegerNetwork) -> bool:
    """Return whether spikes of a layer become fewer ones on the way out."""
    maps = network.maps()
    return any(
        node.ending.pooling is not None and maps[node.name].height * maps[node.name].width > 1
        for node in network.nodes if isinstance(node, Layer) and isinstance(node.ending, Fire)
    )


def sums_an_image_and_spikes(network: IntegerNetwork) -> bool:
    """Return whether a layer sums up a direct-coded image and something else."""
    return network.input.direct and any(
        INPUT in node.sources and len(node.sources) > 1 for node in network.nodes
    )


def pools_over_several_groups(network: IntegerNetwork) -> bool:
    """Return whether there is a pool of several pixels of so many channels that it shares weights on narrow cores."""
    maps = network.maps()
    return any(
        isinstance(node, OrPool) and not node.pooling.padding and maps[node.source].channels > 4
        and min(node.pooling.kernel) > 1
        for node in network.nodes
    )


def fitting(seed: int, config, schedule, has: Callable[[IntegerNetwork], bool] = lambda _: True) -> IntegerNetwork:
    """Return the first graph from ``seed`` on that a core runs, with a stream and what ``has`` asks for."""
    for number in range(seed, seed + TRIALS):
        made = graph(number, on_core=True)
        if not has(made):
            continue
        try:
            place(made, config, schedule, keep_states=True)
        except CompileError:
            continue
        return made
    raise AssertionError(f"none of {TRIALS} networks from seed {seed} on fits {config.name}")
