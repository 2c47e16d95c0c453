"""The integer model against plain loops, value by value."""

import numpy as np
from plain_model import run_plain
from ragged_networks import samples
from spikeplane.network import model
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.schedule import Schedule
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.memory_map import Counter

__all__ = ["differences"]


def differences(
    network: IntegerNetwork, config: CoreConfig, schedule: Schedule, seed: int, count: int = 2
) -> list[str]:
    """Return what differs, by kind and node: spikes, streams, states, sums, counters, operations."""
    inputs = samples(network, count, seed)
    result = model.run(network, inputs, schedule=schedule, config=config, trace=True)
    found = []
    for index, sample in enumerate(inputs):
        plain = run_plain(network, sample, config, schedule)
        pairs = {"sums": (result.sums[index].numpy(), plain.sums)}
        for kind, own, maps in (
            ("map", {**result.spikes, **result.streams}, plain.maps), ("state", result.states, plain.states),
        ):
            if own.keys() != maps.keys():
                found.append(f"{kind}s of {sorted(own.keys() ^ maps.keys())}")
            pairs |= {f"{kind} {name}": (own[name][index].numpy(), maps[name]) for name in own.keys() & maps.keys()}
        for name, counts in plain.counters.items():
            for key, value in counts.items():
                pairs[f"{key} {name}"] = (result.counters[name][Counter[key]][index].numpy(), np.array(value))
            pairs[f"operations {name}"] = (
                result.synaptic_operations[name][index].numpy(), np.array(plain.operations[name]))
        found += [f"input {index}: {what}" for what, (one, other) in pairs.items() if not np.array_equal(one, other)]
    return found
