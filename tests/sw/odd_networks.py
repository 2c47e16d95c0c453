"""Odd random networks: tiny maps, windows as large as these, extreme numbers, inputs and streams read in all ways."""

from dataclasses import replace

import numpy as np
from ragged_networks import affine, pick, weights
from residual_networks import TRIALS
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.place import place
from spikeplane.network.checks import NetworkError
from spikeplane.network.digits import weighted_stream
from spikeplane.network.endings import Digit, Ending, Fire, Logits, Store
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, INPUT_BITS_LIMIT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.maps import STREAM_BITS
from spikeplane.network.node import Node
from spikeplane.network.pool import OrPool, Pooling
from spikeplane.network.product import Product
from spikeplane.network.shortcut import Shortcut
from spikeplane.network.stored import Stored
from spikeplane.network.term import Term
from spikeplane.network.weights import WeightKind
from spikeplane.network.window import KERNEL_LIMIT, TAP_LIMIT, Window
from spikeplane_hw.neuron import FRACTION_BITS, SHIFTS, Levels, Neuron, Reset, leak_limit

__all__ = ["LARGE_OFFSET", "THRESHOLDS", "fitting", "network"]

MOST_VALUES = 2000
"""Of all maps in all steps: a simulated board runs so many quickly."""
MOST_CLASSES = 12
CHANNELS = (1, 1, 2, 3, 5, 8, 9, 16, 17, 33)
LOWEST, HIGHEST = -1 << 15, (1 << 15) - 1
"""Of thresholds, multipliers and potentials."""
THRESHOLDS = (LOWEST, -5000, -1, 0, 100, 4095, 4096, 12000, HIGHEST)
LARGE_OFFSET = 1 << 28
"""Greater than any that :func:`ragged_networks.affine` gives."""


def _neuron(random: np.random.Generator, terms: list[Term]) -> Neuron:
    """Return neurons of any threshold and leak that may sum up ``terms``."""
    threshold = pick(random, THRESHOLDS)
    if any(len(getattr(term, "taps", (0,))) > 1 for term in terms):
        return Neuron(fire_above=threshold, reset=Reset.NONE, state_bits=0)
    reset, bits = pick(random, list(Reset)), pick(random, (0, 2, 3, 4, 5, 8, 16, 16))
    if reset is Reset.SOFT:
        threshold = max(threshold, LOWEST + (1 << FRACTION_BITS) - 1)
    return Neuron(fire_above=threshold, reset=reset, state_bits=bits, levels=pick(random, list(Levels)),
                  leak=min(pick(random, (0.0, 0.03, 0.5, 0.97, 1.0)), leak_limit(bits)))


class _Builder:
    """Adds random nodes, each of which reads any maps that it can."""

    def __init__(self, random: np.random.Generator):
        self.random = random
        direct = random.random() < 0.35
        self.unit = pick(random, (1, 2, 4, 8))
        """Of the channels of a group."""
        self.form = InputFormat(
            channels=pick(random, (1, 1, 2, 2, 2, 3, 4)) * pick(random, (1, 1, 1, self.unit)), direct=direct,
            height=pick(random, (1, 1, 2, 3, 5, 8, 9)), width=pick(random, (1, 1, 2, 3, 4, 7, 10)),
            steps=pick(random, (1, 1, 2, 3, 5, 9)),
            bits=pick(random, (1, 2, 3, 5, 7, INPUT_BITS_LIMIT, INPUT_BITS_LIMIT)) if direct else 1,
        )
        self.classes = int(random.integers(1, MOST_CLASSES))
        self.nodes: list[Node] = []
        self.maps = self.network.maps()
        self.fraction_bits = int(random.integers(3, FRACTION_BITS + 1))

    @property
    def network(self) -> IntegerNetwork:
        return IntegerNetwork(input=self.form, nodes=self.nodes, logit_offset=np.arange(self.classes))

    @property
    def windowed(self) -> list[str]:
        """Maps that windows read on cores, too."""
        return [name for name, form in self.maps.items() if not form.signed]

    @property
    def spikes(self) -> list[str]:
        return [name for name, form in self.maps.items() if form.spikes]

    @property
    def streams(self) -> list[str]:
        return [name for name, form in self.maps.items() if form.signed]

    def add(self, terms: list[Term], ending: Ending) -> str:
        self.nodes.append(Layer(name=f"node{len(self.nodes)}", terms=tuple(terms), ending=ending))
        self.maps = self.network.maps()
        return self.nodes[-1].name

    def fire(self, terms: list[Term]) -> Fire:
        """Return neurons that sum up ``terms``, some with a pool on the way out."""
        pooling = self.pooling(terms[0].shape("", self.maps)) if self.random.random() < 0.35 else None
        return Fire(neuron=_neuron(self.random, terms), pooling=pooling)

    def pooling(self, shape: tuple[int, int, int]) -> Pooling | None:
        """Return a pool of windows side by side where what was drawn is one."""
        height, width = (int(self.random.integers(1, min(KERNEL_LIMIT, side) + 1)) for side in shape[1:])
        kernel = pick(self.random, ((height, width), (min(height, width),) * 2))
        pooling = Pooling(kernel=kernel, stride=pick(self.random, (*kernel, KERNEL_LIMIT)))
        return pooling if pooling.side_by_side(shape) else None

    def scale(self, channels: int, spread: float) -> dict:
        """Return M, B and shift of sums whose typical size is ``spread``, some of them extreme."""
        random, drawn = self.random, self.random.random()
        fields = affine(random, channels, max(spread, 1), pick(random, SHIFTS))
        if drawn < 0.1:
            fields["multiplier"] = random.integers(LOWEST, HIGHEST + 1, channels)
        elif drawn < 0.15:
            fields["multiplier"] = np.full(channels, pick(random, (LOWEST, HIGHEST, 0)))
        elif drawn < 0.3:
            fields["offset"] = random.integers(-1 << 31, 1 << 31, channels) >> int(random.integers(12))
        return fields

    def taps(self, source: str) -> tuple[int, ...]:
        if not self.maps[source].spikes or self.random.random() < 0.4:
            return (0,)
        count = int(self.random.integers(1, TAP_LIMIT))
        later = self.random.choice(np.arange(1, TAP_LIMIT + 1), count, replace=False)
        return (0, *sorted(later.tolist()))

    def frame(self, source: str, strides: tuple[int, ...]) -> dict:
        """Return kernel, padding and stride of windows on ``source``: some are as large as it."""
        random, form = self.random, self.maps[source]
        if random.random() < 0.2:
            return {"kernel": (form.height, form.width), "padding": 0, "stride": pick(random, (1, 2, 5, 9))}
        padding = pick(random, (0, 0, 0, 1, 2, 3))
        kernel = tuple(
            int(random.integers(padding + 1, min(KERNEL_LIMIT, side + 2 * padding) + 1)) for side in form.shape[1:])
        return {"kernel": kernel, "padding": padding, "stride": pick(random, strides)}

    def window(self, source: str, out: int, *, kernel=(1, 1), groups=1, scaled=True, **more) -> Window:
        form, random = self.maps[source], self.random
        bits, kind = pick(random, (1, 1, 2, 4, 8)), pick(random, list(WeightKind))
        inputs = form.channels // groups
        fields = weights(random, out, inputs, kernel, bits, kind)
        if random.random() < 0.1:
            fields["weight"][:] = pick(random, kind.limits(bits))
        if scaled:
            greatest = max(kind.limits(bits)[1], 1) * (form.greatest if form.replayed else 1)
            fields |= self.scale(out, greatest * np.sqrt(inputs * kernel[0] * kernel[1]))
        return Window(source=source, groups=groups, **fields, **more)

    def framed(self, source: str, out: int) -> Window:
        """Return a window of any size and taps."""
        return self.window(source, out, taps=self.taps(source), **self.frame(source, (1, 1, 2)))

    def beside(self, shape: tuple[int, int, int]) -> list[Term]:
        """Return other terms of this shape, up to three."""
        found: list[Term] = []
        for source in self.windowed:
            tried: list[Term] = [self.framed(source, shape[0]) for _ in range(3)]
            form, taps = self.maps[source], self.taps(source)
            if form.spikes and form.channels <= shape[0]:
                silent = shape[0] - form.channels
                tried += [Shortcut(source=source, stride=stride, silent=silent, taps=taps) for stride in (1, 2)]
            found += [term for term in tried if term.shape("", self.maps) == shape]
        self.random.shuffle(found)
        return found[:int(self.random.integers(4))]

    def wide(self, channels: int) -> str:
        """Add neurons of so many channels at each pixel of some map."""
        terms: list[Term] = [self.window(pick(self.random, self.windowed), channels)]
        return self.add(terms, Fire(neuron=_neuron(self.random, terms)))

    def convolution(self) -> None:
        terms: list[Term] = [self.framed(pick(self.random, self.windowed), pick(self.random, CHANNELS))]
        if self.random.random() < 0.5:
            terms += self.beside(terms[0].shape("", self.maps))
        self.random.shuffle(terms)
        self.add(terms, self.fire(terms))

    def columns(self) -> None:
        """Add a window of one column and several groups."""
        random = self.random
        choices = [(name, count) for name in self.windowed for count in (2, 3, 4)
                   if self.maps[name].channels % (count * self.unit) == 0]
        source, groups = pick(random, choices) if choices else (self.wide(2 * self.unit), 2)
        out = groups * pick(random, (self.unit, 2 * self.unit, 8))
        kernel = (int(random.integers(1, min(KERNEL_LIMIT, self.maps[source].height) + 1)), 1)
        terms: list[Term] = [self.window(
            source, out, kernel=kernel, groups=groups, stride=pick(random, (1, 2)), taps=self.taps(source))]
        self.add(terms, self.fire(terms))

    def pool(self) -> None:
        source = pick(self.random, self.spikes)
        pooling = Pooling(**self.frame(source, (1, 2, 3, KERNEL_LIMIT)))
        self.nodes.append(OrPool(name=f"node{len(self.nodes)}", source=source, pooling=pooling))
        self.maps = self.network.maps()

    def product(self) -> None:
        """Add a product into neurons, a stream or, as the first classifier, logits."""
        random, transposed = self.random, self.random.random() < 0.5
        operand = pick(random, [name for name in self.spikes if name != INPUT])
        form = self.maps[operand]
        pixels = form.height * form.width
        groups = pick(random, [count for count in (1, 1, 1, 2, 3, 4) if form.channels % count == 0])
        need = groups * pixels if transposed else form.channels
        sources = [name for name in self.spikes if self.maps[name].channels == need]
        source = pick(random, sources) if sources else self.wide(need)
        plain = Product(source=source, operand=operand, transposed=transposed, groups=groups)
        channels = plain.walk(self.maps).channels
        if groups == 1 and channels < MOST_CLASSES and not self.network.heads and random.random() < 0.3:
            self.classes = channels
            self.add([plain], Logits(exponent=pick(random, (0, 2))))
            return
        scale = self.scale(channels, np.sqrt(self.maps[plain.source].channels // groups))
        terms: list[Term] = [replace(plain, **scale)]
        if groups == 1 and random.random() < 0.4:
            terms += self.beside(terms[0].shape("", self.maps))
        stores = groups == 1 and random.random() < 0.5
        self.add(terms, Store(fraction_bits=self.fraction_bits) if stores else self.fire(terms))

    def stream(self) -> None:
        """Add a stream of a window, or of streams and what has their shape; some become spikes at once."""
        random, fraction = self.random, self.fraction_bits
        if self.streams and random.random() < 0.7:
            first = pick(random, self.streams)
            form = self.maps[first]
            same = [name for name in self.streams if self.maps[name] == form]
            exponent = pick(random, (0, 0, 1, -1, 2, -3, 5))
            fraction = min(max(form.fraction_bits + exponent, 0), STREAM_BITS - 1)
            exponent = fraction - form.fraction_bits
            streams = pick(random, ((first,), (first, first), (first, pick(random, same))))
            terms: list[Term] = [Stored(streams=streams, exponent=exponent)]
            if random.random() < 0.3:
                terms.append(Stored(streams=(first,), exponent=exponent))
            if random.random() < 0.6:
                terms += self.beside(form.shape)
        else:
            terms = [self.framed(pick(random, self.windowed), pick(self.random, CHANNELS))]
        store = Store(fraction_bits=fraction)
        digit = Digit(digit=int(random.integers(STREAM_BITS)), fraction_bits=fraction)
        spikes = self.fire(terms) if fraction == FRACTION_BITS else digit
        self.add(terms, pick(random, (store, store, digit, spikes)))

    def neurons(self) -> None:
        """Add neurons of which a stream is the current."""
        stream = pick(self.random, self.streams)
        terms: list[Term] = [Stored(streams=(stream,), exponent=FRACTION_BITS - self.maps[stream].fraction_bits)]
        self.add(terms, self.fire(terms))

    def part(self) -> None:
        parts = [self.stream] * (3 if self.form.direct and not self.nodes else 1)
        parts += [self.convolution, self.convolution, self.columns]
        parts += [self.pool] if self.spikes else []
        parts += [self.product] if set(self.spikes) - {INPUT} else []
        parts += [self.neurons, self.stream] if self.streams else []
        pick(self.random, parts)()

    def heads(self) -> None:
        """Add a classifier of each map that nothing reads, and sometimes one of the input."""
        read = {source for node in self.nodes for source in node.sources}
        unread = [name for name in self.maps if name not in read and name != INPUT]
        if not self.form.direct and self.random.random() < 0.3:
            unread.append(INPUT)
        for name in unread:
            form, random = self.maps[name], self.random
            if form.signed:
                self.nodes += weighted_stream(
                    f"head of {name}", name, fraction_bits=form.fraction_bits, lowest=int(random.integers(13, 16)),
                    **weights(random, self.classes, form.channels, (1, 1), pick(random, (1, 2))),
                )
                continue
            frame, count = self.frame(name, (1, 2)), pick(random, (1, 1, 1, 2))
            terms: list[Term] = [self.window(name, self.classes, scaled=False, **frame) for _ in range(count)]
            self.add(terms, Logits(exponent=pick(random, (0, 0, 0, 3, 7))))


def network(seed: int) -> IntegerNetwork:
    """Return a network of ``seed`` or, where it makes none that is sound and small, of one of the next."""
    for number in range(seed, seed + TRIALS):
        builder = _Builder(np.random.default_rng(number))
        for _ in range(int(builder.random.integers(2, 8))):
            builder.part()
        builder.heads()
        made = replace(builder.network, metadata={"seed": number})
        try:
            made.verify()
        except NetworkError:
            continue
        values = sum(form.channels * form.height * form.width for form in made.maps().values())
        if values * made.input.steps <= MOST_VALUES:
            return made
    raise AssertionError(f"none of {TRIALS} networks from seed {seed} on is sound and small")


def fitting(seed: int, config, schedule) -> IntegerNetwork:
    """Return the first network from ``seed`` on that a core runs."""
    for number in range(seed, seed + TRIALS):
        made = network(number)
        try:
            place(made, config, schedule, keep_states=True)
        except CompileError:
            continue
        return made
    raise AssertionError(f"none of {TRIALS} networks from seed {seed} on fits {config.name}")
