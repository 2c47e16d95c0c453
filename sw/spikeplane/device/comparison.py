"""Test samples on a device, against the integer model: every spike, stored potential, logit and exact counter."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from spikeplane_hw.memory_map import EXACT_COUNTERS, Counter

from ..compiler.image import Image
from ..network import model
from ..network.graph import IntegerNetwork
from .answer import Answer
from .driver import Driver

__all__ = ["Comparison", "compare_with_model", "run_samples"]

BATCH = 50


KINDS = ("spikes", "states", "logits", "counters")
"""What every network has; streams are counted where there are some."""


@dataclass(kw_only=True)
class Comparison:
    """What was compared, and how many values differ; of the logits, the integer sums are compared."""

    counted: bool = True
    """Whether the core has statistics; without, no counters are compared."""
    kinds: tuple[str, ...] = KINDS
    """What is compared; nothing, where there is no network to compare with."""
    samples: int = 0
    mismatches: dict[str, int] = field(init=False)
    compared: dict[str, int] = field(init=False)
    predictions: list[int] = field(default_factory=list)
    cycles: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    """(samples, layers), as counted by the device, of a batch in equal parts; (samples, 0) if it counts nothing."""
    operations: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    """int64 (samples, layers): synaptic operations."""

    def __post_init__(self):
        kinds = [kind for kind in self.kinds if kind != "counters" or self.counted]
        self.mismatches, self.compared = dict.fromkeys(kinds, 0), dict.fromkeys(kinds, 0)

    @property
    def total(self) -> int:
        """All mismatches."""
        return sum(self.mismatches.values())

    def count(self, kind: str, found: np.ndarray, expected: np.ndarray) -> None:
        """Count the values of ``found`` that are not as ``expected``."""
        self.compared[kind] = self.compared.get(kind, 0) + found.size
        self.mismatches[kind] = self.mismatches.get(kind, 0) + int((found != expected).sum())


def compare_with_model(
    driver: Driver,
    network: IntegerNetwork,
    samples: np.ndarray,
    *,
    spikes: bool = True,
    states: bool = True,
    progress: Callable[[int], object] = lambda done: None,
) -> Comparison:
    """Run ``samples`` on ``driver``, whose image is ``network``, and on the integer model.

    ``spikes`` and ``states`` compare what the image keeps of them: no states of layers with 0-bit
    potentials. Those are 0 in the model, while the core leaves the last potential in its memory and
    reads it as 0. ``progress`` is called with the number of samples done. If the image takes batches, the last
    sample fills up the last one; its copies are compared, not counted.
    """
    image = _image(driver)
    result = Comparison(counted=image.config.statistics)
    cycles, operations = [], []
    count, size = len(samples), image.batch
    samples = _filled(samples, size)
    piece = max(BATCH // size, 1) * size
    for start in range(0, len(samples), piece):
        batch = samples[start : start + piece]
        expected = model.run(
            network, batch, schedule=image.schedule, config=image.config, trace=spikes or states
        )
        for first in range(0, len(batch), size):
            together = range(first, first + size)
            answers = driver.run_batch(list(batch[first:first + size]))
            counters = answers[0].counters
            for index, answer in zip(together, answers, strict=True):
                result.count("logits", answer.sums, expected.sums[index].numpy())
                if start + index < count:
                    result.predictions.append(answer.prediction)
                    cycles.append(_cycles(answer, size))
                    operations.append([int(counts[index]) for counts in expected.synaptic_operations.values()])
            for layer, counts in enumerate(expected.counters.values() if result.counted else ()):
                for counter in EXACT_COUNTERS:
                    expected_count = counts[counter][first:first + size].sum().numpy()
                    result.count("counters", counters[layer, counter.value], expected_count)
            for layer, info in enumerate(image.layers):
                if spikes and info.spikes is not None:
                    reference = _kept(expected.spikes[info.name], together, info.spikes.steps, image)
                    result.count("spikes", driver.read_spikes(layer), reference)
                if states and info.stream_steps and info.state_base is not None:
                    reference = _kept(expected.streams[info.name], together, info.stream_steps, image)
                    result.count("streams", driver.read_stream(layer), reference)
                elif states and info.state_base is not None:
                    result.count("states", driver.read_states(layer), expected.states[info.name][together[-1]].numpy())
            result.samples = min(start + first + size, count)
            progress(result.samples)
    result.cycles = np.array(cycles)
    result.operations = np.array(operations, np.int64)
    return result


def run_samples(
    driver: Driver, samples: np.ndarray, *, progress: Callable[[int], object] = lambda done: None
) -> Comparison:
    """Run ``samples`` on ``driver`` and compare nothing: neither the network nor the training library is needed."""
    image = _image(driver)
    result = Comparison(counted=image.config.statistics, kinds=())
    cycles = []
    count, size = len(samples), image.batch
    samples = _filled(samples, size)
    for start in range(0, len(samples), size):
        for answer in driver.run_batch(list(samples[start : start + size]))[: count - start]:
            result.predictions.append(answer.prediction)
            cycles.append(_cycles(answer, size))
        result.samples = min(start + size, count)
        progress(result.samples)
    result.cycles = np.array(cycles)
    return result


def _image(driver: Driver) -> Image:
    if driver.image is None:
        raise ValueError("no image is loaded on the board")
    return driver.image


def _filled(samples: np.ndarray, size: int) -> np.ndarray:
    """Return samples whose last batch of ``size`` is filled up with the last one."""
    return np.concatenate([samples, *[samples[-1:]] * (-len(samples) % size)])


def _cycles(answer: Answer, size: int) -> np.ndarray:
    """Return the cycles of each layer for a sample of a batch of ``size``."""
    return answer.counters[:, Counter.CYCLES.value] / size


def _kept(traced, together: range, steps: int, image: Image) -> np.ndarray:
    """Return what of a batch is still there after a run, in ``steps`` steps: of the last sample, or of all."""
    kept = together
    if image.batch > 1 and steps == image.input.steps:
        kept = together[-1:]
    every = [traced[index].numpy() for index in kept]
    return np.concatenate([each[list(image.schedule.kept_steps(len(each)))] for each in every])
