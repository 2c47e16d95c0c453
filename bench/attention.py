"""What attention takes on the large core: cycles and lanes' utilization of its two products, by rate, and why."""

import numpy as np
from figures import Figure
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.compiler.loads import load_fields
from spikeplane.compiler.place import place
from spikeplane.network import model
from spikeplane.network.endings import Fire, Logits
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.product import Product
from spikeplane.network.weights import WeightKind
from spikeplane.network.window import Window
from spikeplane_hw.config import LARGE
from spikeplane_hw.neuron import FRACTION_BITS, Neuron, Reset
from spikeplane_hw.operand import load_cycles

__all__ = ["attention_figures"]

HEADS, SIZE, SIDE, STEPS = 8, 48, 8, 4
"""Of 4-384 on CIFAR-10: 64 tokens."""
RATES = (0.05, 0.1, 0.2, 0.3, 0.4)
"""Of queries, keys and values."""
CHOSEN = 0.2
"""The rate of the target."""
INPUTS = 2
TITLES = {"map": "attention at the target's rate, Q K^T", "picked": "attention at the target's rate, A V"}
"""Of figures of the two products."""
DENSE = -(1 << FRACTION_BITS + 3) + (1 << FRACTION_BITS)
"""A threshold that all potentials are above."""


def attention(rate: float, dense: bool = False) -> IntegerNetwork:
    """Return the two products of all heads, on spikes that are queries, keys and values at once.

    The gain of the map is such that about as many of its neurons fire; all of them, if it is ``dense``.
    """
    channels, tokens = HEADS * SIZE, SIDE * SIDE
    form = InputFormat(channels=channels, height=SIDE, width=SIDE, steps=STEPS)

    def scaled(outputs: int, typical: float) -> dict:
        factor = np.full(outputs, round(2 ** (FRACTION_BITS + 1) / typical), np.int64)
        return {"multiplier": factor, "offset": np.ones(outputs, np.int64), "shift": 1}

    typical = SIZE * rate**2
    fires = Fire(neuron=Neuron(
        fire_above=DENSE if dense else 1 << FRACTION_BITS, reset=Reset.NONE if dense else Reset.SOFT, leak=0.0,
    ))
    network = IntegerNetwork(
        input=form,
        nodes=[
            Layer(name="map", ending=fires, terms=(Product(
                source=INPUT, operand=INPUT, groups=HEADS, **scaled(HEADS * tokens, typical + np.sqrt(typical))
            ),)),
            Layer(name="picked", ending=Fire(neuron=Neuron(state_bits=16)), terms=(Product(
                source="map", operand=INPUT, groups=HEADS, transposed=True, **scaled(channels, 0.2 * rate * tokens)
            ),)),
            Layer(name="head", ending=Logits(), terms=(Window(
                source="picked", weight=np.ones((2, channels, 1, 1), np.int64), weight_bits=1,
                weight_kind=WeightKind.ODD,
            ),)),
        ],
        logit_offset=np.zeros(2, np.int64),
    )
    network.verify()
    return network


def inputs(rate: float) -> np.ndarray:
    """Return random spikes."""
    shape = (INPUTS, STEPS, HEADS * SIZE, SIDE, SIDE)
    return (np.random.default_rng(1).random(shape) < rate).astype(np.uint8)


def busiest_bank(source: np.ndarray) -> float:
    """Return the mean over pixels, heads and steps of the spikes that the bank with most of them has to read.

    ``source`` are spikes (inputs, steps, channels, height, width); channel c of a head is in bank c modulo the banks.
    """
    count, steps, channels = source.shape[:3]
    slots = source.reshape(count, steps, HEADS, channels // HEADS // LARGE.banks, LARGE.banks, -1)
    return float(slots.sum(3, dtype=np.int64).max(3).mean())


def causes(network: IntegerNetwork, samples: np.ndarray, found: model.Result, cycles: dict[str, float]) -> list[Figure]:
    """Return where the cycles of the two products go, and what bounds them; ``cycles`` are those of an input."""
    figures, segments = [], HEADS * STEPS * SIDE * SIDE
    for placed in place(network, LARGE, keep_maps=False).layers:
        for term in placed.products:
            name, title = placed.layer.name, TITLES[placed.layer.name]
            loaded = load_cycles(LARGE, load_fields(term, placed, STEPS, LARGE))
            source = samples if term.term.source == INPUT else found.spikes[term.term.source].numpy()
            made = float(found.synaptic_operations[name].double().mean())
            updates = segments * placed.group_lanes
            figures += [
                Figure(f"{title}: cycles that load the operand", 100 * loaded / cycles[name], "%"),
                Figure(f"{title}: other cycles for each pixel, head and step", (cycles[name] - loaded) / segments,
                       "cycles"),
                Figure(f"{title}: of these, those in which the busiest bank reads", busiest_bank(source), "cycles"),
                Figure(f"{title}: lanes of {LARGE.lanes} that a head has", placed.group_lanes, "lanes"),
                Figure(f"{title}: utilization if all {LARGE.updates} neuron units always worked",
                       100 * made / updates * LARGE.updates / (LARGE.lanes * LARGE.banks), "% of the peak"),
            ]
    return figures


def attention_figures() -> list[Figure]:
    """Return utilization by firing rate, and what the second product's sparsity saves."""
    figures, peak = [], LARGE.lanes * LARGE.banks
    for rate in RATES:
        shape = f"{SIDE * SIDE} tokens, {HEADS} heads of {SIZE} channels, {STEPS} steps"
        network, samples = attention(rate), inputs(rate)
        found = model.run(network, samples, config=LARGE, trace=True)
        predicted = predict_cycles(network, samples, LARGE, keep_maps=False)
        cycles = dict(zip(network.names, predicted.T, strict=True))
        fired = 100 * float(found.spikes["map"].double().mean())
        made = {name: float(found.synaptic_operations[name].sum()) for name in ("map", "picked")}
        used = {name: 100 * count / (float(cycles[name].sum()) * peak) for name, count in made.items()}
        both = 100 * sum(made.values()) / (float(sum(cycles[name].sum() for name in made)) * peak)
        title = f"attention of {shape}, {rate:.0%} firing, map {fired:.0f} %"
        figures += [
            Figure(f"{title}: lanes' utilization in Q K^T", used["map"], "% of the peak"),
            Figure(f"{title}: lanes' utilization in A V", used["picked"], "% of the peak"),
        ]
        if rate == CHOSEN:
            all_fire = predict_cycles(attention(rate, dense=True), samples, LARGE, keep_maps=False)
            picked = network.names.index("picked")
            saved = 1 - float(cycles["picked"].sum()) / float(all_fire[:, picked].sum())
            figures += [
                Figure.at_least(f"{title}: lanes' utilization in both products", both, "% of the peak", 40),
                Figure(f"{title}: cycles of both products", float(np.mean(sum(cycles[n] for n in made))), "cycles"),
                Figure(f"{title}: cycles of A V that the map's sparsity saves", 100 * saved, "%"),
                *causes(network, samples, found, {name: float(cycles[name].mean()) for name in made}),
            ]
    return figures
