"""What a network takes of a core: image, words of each memory, cycles of a sample."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from spikeplane_hw.config import CONFIGS, CoreConfig
from spikeplane_hw.memory_map import Space, memory_map

from ..network.checks import NetworkError
from ..network.graph import IntegerNetwork
from ..network.schedule import Schedule
from .compile import compile_network
from .cycles import predict_cycles
from .image import save_image
from .limits import CompileError
from .place import place
from .placement import Placement

__all__ = ["Footprint", "footprint", "footprints", "layer_cycles", "memory_words"]

FILLED_SPACES = (Space.EXTERNAL, Space.WEIGHTS, Space.PARAMETERS, Space.STATES, Space.SPIKES, Space.PROGRAM,
                 Space.PASSES, Space.TABLES, Space.LOGITS)
"""Memories that a network fills, those that it fills most first."""


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """What a network takes of one configuration, measured from its image and its placement."""

    config: str
    schedule: Schedule
    image_bytes: int
    """Of the image's file, without self-test."""
    words: dict[Space, int]
    """Words of each memory; a word's padding to whole lanes, banks and chunks is counted."""
    bits: dict[Space, int]
    """The same times the width of the memory."""
    cycles: dict[str, float]
    """Of each layer for one sample, by the cycle model; empty without inputs."""

    @property
    def total_bits(self) -> int:
        """Bits of all memories."""
        return sum(self.bits.values())

    @property
    def total_cycles(self) -> float:
        """Predicted cycles of a sample."""
        return sum(self.cycles.values())


def footprint(
    network: IntegerNetwork,
    config: CoreConfig,
    schedule: Schedule = Schedule.REGISTERS,
    inputs: np.ndarray | None = None,
) -> Footprint:
    """Return what ``network`` takes of a core; a CompileError says why it does not fit.

    Maps that are no longer needed are overwritten, which takes the least memory. ``inputs`` are
    samples, whose mean cycles are predicted.
    """
    placement = place(network, config, schedule, keep_maps=False)
    nothing = np.zeros((0, *network.input.shape), np.uint8)
    image = compile_network(network, config, schedule, keep_maps=False, samples=nothing)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.spk"
        save_image(image, path)
        image_bytes = path.stat().st_size
    words, memories = memory_words(placement), memory_map(config)
    return Footprint(
        config=config.name, schedule=schedule, image_bytes=image_bytes, words=words,
        bits={space: count * memories[space].width for space, count in words.items()},
        cycles={} if inputs is None or not len(inputs) else layer_cycles(placement, inputs),
    )


def memory_words(placement: Placement) -> dict[Space, int]:
    """Return the words of each memory that a placed network fills, or would fill where it does not fit."""
    taken = placement.occupied_words()
    return {space: taken[space] for space in FILLED_SPACES if space in taken}


def layer_cycles(placement: Placement, inputs: np.ndarray) -> dict[str, float]:
    """Return the predicted cycles of each layer of a network that fits, the mean of ``inputs``."""
    predicted = predict_cycles(
        placement.network, inputs, placement.config, placement.schedule, keep_maps=placement.keeps_maps
    ).mean(0)
    return dict(zip(placement.network.names, predicted.tolist(), strict=True))


def footprints(
    network: IntegerNetwork, inputs: np.ndarray | None = None
) -> tuple[list[Footprint], dict[tuple[str, Schedule], str]]:
    """Return what ``network`` takes of each named configuration, and why it does not fit others."""
    fitting, reasons = [], {}
    for name, config in CONFIGS.items():
        for schedule in Schedule:
            try:
                fitting.append(footprint(network, config, schedule, inputs))
            except (CompileError, NetworkError) as error:
                reasons[name, schedule] = str(error)
    return fitting, reasons
