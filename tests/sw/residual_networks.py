"""Random networks whose layers sum several terms: shortcuts of both kinds, windows on two maps, ragged sizes."""

from dataclasses import replace

import numpy as np
from ragged_networks import affine, neuron, pick, weights
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.place import place
from spikeplane.network.endings import Fire, Logits
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.shortcut import Shortcut
from spikeplane.network.term import Term
from spikeplane.network.weights import WeightKind
from spikeplane.network.window import Window
from spikeplane_hw.neuron import SHIFTS, Reset

__all__ = ["TRIALS", "fitting", "network"]

TRIALS = 1000
"""Networks that are drawn at most until one fits a core."""


def network(seed: int, *, direct: bool = False, most_terms: int = 4) -> IntegerNetwork:
    """Return one to three residual blocks on a convolution, and a classifier that may read two maps."""
    random = np.random.default_rng(seed)
    form = InputFormat(
        channels=int(random.integers(1, 6)), height=int(random.integers(3, 8)), width=int(random.integers(3, 8)),
        steps=int(random.integers(1, 5)), bits=int(random.integers(1, 4)) if direct else 1, direct=direct,
    )
    nodes: list[Layer] = []
    shapes = {INPUT: form.shape[-3:]}

    def window(source: str, out: int, kernel, *, taps=(0,), scaled=True, **more) -> Window:
        bits, kind = pick(random, (1, 1, 2, 4)), pick(random, list(WeightKind))
        inputs = shapes[source][0]
        spread = max(kind.limits(bits)[1], 1) * np.sqrt(inputs * kernel[0] * kernel[1])
        scale = affine(random, out, max(spread, 1), pick(random, SHIFTS)) if scaled else {}
        return Window(source=source, taps=taps, **weights(random, out, inputs, kernel, bits, kind), **scale, **more)

    def fire(name: str, *terms: Term) -> str:
        cells = neuron(random)
        if any(len(term.taps) > 1 for term in terms):
            cells = replace(cells, state_bits=0, reset=Reset.NONE)
        made = Layer(name=name, terms=terms, ending=Fire(neuron=cells))
        nodes.append(made)
        maps = IntegerNetwork(input=form, nodes=nodes, logit_offset=np.zeros(1, np.int64)).maps()
        shapes[name] = (maps[name].channels, maps[name].height, maps[name].width)
        return name

    first = window(INPUT, int(random.integers(1, 12)), (3, 3), padding=1)
    terms = [first]
    if random.random() < 0.3 and most_terms > 1:
        terms.append(window(INPUT, len(first.weight), (1, 1)))
    source = fire("first", *terms)
    for block in range(int(random.integers(1, 4))):
        channels, _, _ = shapes[source]
        stride = pick(random, (1, 2))
        silent = pick(random, (0, int(random.integers(0, 8))))
        out = channels + silent
        inner = fire(f"inner{block}", window(source, int(random.integers(1, 12)), (3, 3), stride=stride, padding=1))
        taps = pick(random, ((0,), (0,), (0, 1, 3)))
        terms = [window(inner, out, pick(random, ((1, 1), (3, 3))), taps=taps)]
        terms[0] = replace(terms[0], padding=terms[0].weight.shape[2] // 2)
        for _ in range(int(random.integers(1, 4))):
            if random.random() < 0.6:
                terms.append(Shortcut(source=source, stride=stride, silent=silent, taps=taps))
            else:
                terms.append(window(source, out, (1, 1), stride=stride, taps=taps))
        if not direct and shapes[INPUT][1:] == shapes[inner][1:] and random.random() < 0.5:
            terms.append(window(INPUT, out, (1, 1), taps=taps))
        terms = terms[:most_terms]
        random.shuffle(terms)
        source = fire(f"block{block}", *terms)
    heads = [window(source, 5, shapes[source][1:], scaled=False)]
    if most_terms > 1 and random.random() < 0.5:
        heads.append(window("first", 5, shapes["first"][1:], scaled=False))
    nodes.append(Layer(name="classifier", terms=tuple(heads), ending=Logits()))
    made = IntegerNetwork(input=form, nodes=nodes, logit_offset=random.integers(-9, 9, 5), logit_scale=0.5)
    made.verify()
    return made


def fitting(seed: int, config, schedule, *, direct: bool = False) -> IntegerNetwork:
    """Return the first network from ``seed`` on that fits a core and has a layer of several terms."""
    for number in range(seed, seed + TRIALS):
        made = network(number, direct=direct, most_terms=config.term_count)
        if max(len(node.terms) for node in made.nodes) == 1 and config.term_count > 1:
            continue
        try:
            place(made, config, schedule, keep_states=True)
        except CompileError:
            continue
        return made
    raise AssertionError(f"none of {TRIALS} networks from seed {seed} on fits {config.name}")
