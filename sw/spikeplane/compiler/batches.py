"""Batches: several samples for which weights that stream in are read once.

The first layers run for one sample after the other, since their maps are the largest; what they made of all samples is
collected, and every channel group of the layers behind them runs for all samples while its weights are there.
"""

from spikeplane_hw.config import CoreConfig

from ..network.graph import IntegerNetwork
from ..network.input import INPUT
from ..network.schedule import Schedule
from .limits import CompileError

__all__ = ["check_batch", "collected_maps", "cuts", "sample_ring"]


def check_batch(batch: int, config: CoreConfig, schedule: Schedule) -> None:
    """Raise a CompileError unless a core takes ``batch`` samples at once."""
    if not 1 <= batch <= config.most_samples:
        why = "" if config.external_depth else ": it has no memory outside the chip, from which weights stream in"
        raise CompileError(f"a batch of {batch} samples was asked for, limit of {config.name} 1..{config.most_samples}"
                           f"{why}")
    if batch > 1 and schedule.stores:
        raise CompileError(f"a batch of {batch} samples takes the schedule {Schedule.REGISTERS.value}, not "
                           f"{schedule.value}")


def sample_ring(batch: int) -> int:
    """Return the turns of a ring that has one for each sample, a power of two."""
    return 1 << (batch - 1).bit_length()


def collected_maps(network: IntegerNetwork, early: int) -> set[str]:
    """Return the maps that the first ``early`` layers make and others read."""
    first = set(network.names[:early])
    return {
        name for name, readers in network.readers().items()
        if name in first and any(node.name not in first for node in readers)
    }


def cuts(network: IntegerNetwork) -> list[int]:
    """Return how many layers may run for one sample after the other, fewest first.

    They alone read the input. A map that others read is read by them only, and is made of spikes: where a
    sample's part of it is, only its writer knows.
    """
    formats, readers = network.maps(), network.readers()
    found = []
    for early in range(1, len(network.nodes)):
        first = set(network.names[:early])
        inner = {name for name in first if name in formats and any(node.name in first for node in readers[name])}
        crossing = collected_maps(network, early)
        reads_input = any(node.name not in first for node in readers[INPUT])
        heads = any(name not in formats for name in first)
        if not (reads_input or heads or crossing & inner or any(formats[name].signed for name in crossing)):
            found.append(early)
    return found
