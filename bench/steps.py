"""What sharing weight rows between two time steps would save: how often a spike follows a spike, and how many cycles.

For each network of the zoo and each layer that reads spikes: firing rate of its input, probability of a spike where
there was one in the step before, and the cycles that banks save that read a row once for two steps. All other stages
are taken to save as much, so that no core could save more.
"""

import argparse
from pathlib import Path

import numpy as np
from accuracy import ZOO, data_root
from figures import Figure, save
from spikeplane.compiler.cycles import bank_cycles, predict_cycles
from spikeplane.compiler.place import place
from spikeplane.compiler.placed import PlacedLayer, PlacedTerm
from spikeplane.data.sets.datasets import load_dataset
from spikeplane.network import model
from spikeplane.network.input import INPUT
from spikeplane.network.lowered import TermKind
from spikeplane.network.merge import merge_pools
from spikeplane.training.net.export import export_network
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane_hw.config import CoreConfig

from zoo import MERGED, NETWORKS

SAMPLES = 20
"""Test inputs of each network."""
SHARING = 2
"""Time steps that share a row."""


def repeated(spikes: np.ndarray) -> float:
    """Return P(spike now | spike in the step before) of spikes (inputs, steps, channels, height, width)."""
    before, now = spikes[:, :-1], spikes[:, 1:]
    return float((before & now).sum() / max(1, before.sum()))


def shared(spikes: np.ndarray) -> np.ndarray:
    """Return spikes with the steps that share rows as one: where any of them has a spike."""
    parts = [spikes[:, first:first + SHARING].any(1, keepdims=True) for first in range(0, spikes.shape[1], SHARING)]
    return np.concatenate(parts, 1).astype(spikes.dtype)


def saved_cycles(term: PlacedTerm, layer: PlacedLayer, spikes: np.ndarray, config: CoreConfig) -> int:
    """Return by how many cycles the banks are done earlier if steps share the rows of a term."""
    return bank_cycles(term, layer, spikes, config) - bank_cycles(term, layer, shared(spikes), config)


def measure(name: str, config: CoreConfig, root: Path, count: int) -> list[Figure]:
    """Return the figures of a network of the zoo on its core."""
    checkpoint = load_checkpoint(ZOO / name / "checkpoint.safetensors")
    network = export_network(checkpoint.network)
    if name in MERGED:
        network = merge_pools(network)
    keep = name not in MERGED
    inputs = load_dataset(checkpoint.recipe.data, "test", root).inputs[:count]
    trace = model.run(network, inputs, counters=False, trace=True)
    cycles = predict_cycles(network, inputs, config, keep_maps=keep).sum(0)
    figures, saved = [], 0
    for placed, taken in zip(place(network, config, keep_maps=keep).layers, cycles, strict=True):
        label, saved_here = f"{name}, {placed.layer.name}", 0
        for term in placed.terms:
            # What shares weights with shortcuts adds no rows to several sums.
            if term.term.kind is not TermKind.WINDOW or term.shares or term.term.source == INPUT:
                continue
            spikes = trace.spikes[term.term.source].numpy().astype(np.uint8)
            saved_here += saved_cycles(term, placed, spikes, config)
            figures += [
                Figure(f"{label}: firing rate of its input", 100 * float(spikes.mean()), "%"),
                Figure(f"{label}: P(spike now, if there was one in the step before)", 100 * repeated(spikes), "%"),
                Figure(f"{label}: saved at most if two steps share rows", 100 * saved_here / taken, "% of its cycles"),
            ]
        saved += saved_here
    total = Figure(f"{name}: saved at most if two steps share rows", 100 * saved / cycles.sum(), "% of all cycles")
    return [*figures, total]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python bench/steps.py --samples 4")
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"of each network (default: {SAMPLES})")
    arguments = parser.parse_args()
    root = data_root()
    save("clusters", [
        figure for name, config in NETWORKS.items() for figure in measure(name, config, root, arguments.samples)
    ], kept=lambda name: not name.startswith(tuple(NETWORKS)))


if __name__ == "__main__":
    main()
