"""Random networks that fit the narrow core, and what they are run on."""

import numpy as np
import ragged_networks
from narrow_core import CONFIG
from spikeplane.compiler.compile import compile_network
from spikeplane.network.schedule import Schedule

__all__ = ["event_array", "image_of", "networks", "taps_of"]


def networks(direct=False, few_channels=False, taps=False):
    """Yield networks that fit CONFIG."""
    for seed in range(100):
        network = ragged_networks.network(seed, direct=direct, taps=taps)
        if not few_channels or network.input.channels <= 2:
            yield network


def taps_of(node):
    return node.terms[0].taps if node.kind == "layer" else (0,)


def image_of(schedule=Schedule.REGISTERS, direct=False):
    network = next(n for n in networks(direct, few_channels=not direct) if n.input.steps > 1)
    return network, compile_network(network, CONFIG, schedule, keep_states=True)


def event_array(step, y, x, polarity):
    names = ("step", "y", "x", "polarity")
    events = np.zeros(len(step), [(name, np.int32) for name in names])
    for name, values in zip(names, (step, y, x, polarity), strict=True):
        events[name] = values
    return events
