"""What a device answers to a sample, and how it is compared with what an image says that it must be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from spikeplane_hw.memory_map import EXACT_COUNTERS, Counter

from ..compiler.image import Image, Vector
from .session import DeviceError

__all__ = ["Answer", "compare_counters", "compare_sums"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What the device answered for one sample, or of a batch for each of its samples."""

    sums: np.ndarray
    """int64 (classes,): the integer sums in the device's memory LOGITS, without scale and offset."""
    logits: np.ndarray
    """float64 (classes,): ``logit_scale * (sums + logit_offset)``, as the trained network has them."""
    counters: np.ndarray
    """int64 (layers, len(Counter)), or (0, len(Counter)) of a core without statistics; of the whole batch."""

    @property
    def prediction(self) -> int:
        """The class with the greatest logit, the first one of equals."""
        return int(np.argmax(self.logits))

    @property
    def cycles(self) -> int:
        """Clock cycles of all layers, for the whole batch; a DeviceError if the core counts none."""
        if not len(self.counters):
            raise DeviceError("the core counts no cycles: it was built without statistics")
        return int(self.counters[:, Counter.CYCLES.value].sum())


def compare_sums(what: str, vector: Vector, result: Answer) -> None:
    """Raise a DeviceError naming the first sum that is not that of ``vector``."""
    wrong = np.flatnonzero(result.sums != vector.sums)
    if len(wrong):
        raise DeviceError(f"{what}: sum {wrong[0]} is {result.sums[wrong[0]]}, "
                          f"expected {vector.sums[wrong[0]]}")


def compare_counters(what: str, image: Image, batch: Sequence[Vector], result: Answer) -> None:
    """Raise a DeviceError naming the first counter that is not the sum of those of ``batch``."""
    counters = np.sum([vector.counters for vector in batch], axis=0)
    for layer, expected, found in zip(image.layers, counters, result.counters, strict=True):
        for counter in EXACT_COUNTERS:
            if expected[counter.value] != found[counter.value]:
                raise DeviceError(
                    f"{what}: layer {layer.name!r} counted {found[counter.value]} "
                    f"{counter.name}, expected {expected[counter.value]}"
                )
