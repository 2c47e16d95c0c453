"""Evaluation: accuracy of a network in floats and in integers, and where they differ."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from spikeplane_hw.memory_map import Counter as CoreCounter

from ...data.sets.datasets import Dataset, load_dataset
from ...data.sets.samples import SampleArray
from ...findings import Finding, accuracy_lost, clipped_multipliers, without_repeats
from ...network import model
from ...network.graph import IntegerNetwork
from ..net.export import export_network
from ..net.networks import SpikingNetwork
from .activity import Activity, ActivityCounter
from .checkpoint import Checkpoint, load_checkpoint
from .health import activity_findings, checkpoint_findings, guessing_findings, unfinished_findings

__all__ = [
    "Agreement", "Evaluation", "batches", "compare", "evaluate", "float_activity", "load_test", "predict",
    "predict_integer",
]

BATCH = 250
SPIKES = 1 << 27
"""Spikes of a batch, all layers and steps: a forward pass returns them as 4-byte floats."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How a trained network and its export compare on the same inputs."""

    spikes: dict[str, float]
    """For each layer with neurons or a pool, the share of (step, pixel, channel) that agree."""
    predictions: float
    """The share of inputs with the same prediction."""
    activity: Activity
    """Of the export; its samples are those of all figures here."""

    @property
    def rates(self) -> dict[str, float]:
        """The share that spike, in integers."""
        return self.activity.rates


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Accuracies, 0 to 1, on one part of a data set."""

    dataset: str
    samples: int
    trained: float
    """Of the network as trained: quantized weights and potentials, float arithmetic."""
    integer: float | None
    """Of the integer model, which boards match bit for bit; None for a float32 twin, which has no
    integers."""
    agreement: Agreement | None
    activity: Activity
    """Of the integer model, else of the network; on the first samples, like the agreement."""
    findings: list[Finding]
    """What is wrong with the network or its training."""
    predictions: np.ndarray
    """int64 (samples,), of the integer model, else of the network."""
    wrong: list[int]
    """Samples that the integer model (else the network) gets wrong."""


def batches(
    network: SpikingNetwork, inputs: SampleArray, most: int = BATCH
) -> Iterator[np.ndarray]:
    """Yield ``inputs`` in parts of ``most`` samples, fewer where the network has many neurons."""
    each = network.form.steps * max(1, network.neuron_count)
    size = max(1, min(most, SPIKES // each))
    for start in range(0, len(inputs), size):
        yield np.ascontiguousarray(inputs[start : start + size])


def predict(network: SpikingNetwork, inputs: SampleArray) -> np.ndarray:
    """Return the classes, int64 (count,), that a network predicts in evaluation mode."""
    if not len(inputs):  # Of several processes one may have no share.
        return np.zeros(0, np.int64)
    network.eval()
    device = next(network.parameters()).device
    with torch.no_grad():
        return torch.cat([
            network(torch.from_numpy(part).to(device))[0].mean(0).argmax(1)
            for part in batches(network, inputs)
        ]).cpu().numpy()


def predict_integer(
    network: IntegerNetwork, inputs: SampleArray, batch: int = BATCH
) -> np.ndarray:
    """Return the classes, int64 (count,), that the integer model predicts."""
    return np.concatenate([
        model.run(network, inputs[start : start + batch], counters=False).predictions.numpy()
        for start in range(0, len(inputs), batch)
    ])


def compare(
    network: SpikingNetwork, integers: IntegerNetwork, inputs: np.ndarray
) -> Agreement:
    """Return how the spikes and predictions of a network and its export agree on ``inputs``."""
    network.eval()
    counted: Counter[str] = Counter()
    agree: Counter[str] = Counter()
    activity = ActivityCounter()
    same = 0
    for part in batches(network, inputs):
        with torch.no_grad():
            logits, spikes = network(torch.from_numpy(part))
        result = model.run(integers, part, trace=True)
        activity.add(result.spikes, {
            name: counts[CoreCounter.SATURATIONS] for name, counts in result.counters.items()
            if name in network.neuron_shapes
        })
        for name, maps in spikes.items():
            counted[name] += maps.numel()
            agree[name] += int((maps.transpose(0, 1) == result.spikes[name]).sum())
        same += int((logits.mean(0).argmax(1) == result.predictions).sum())
    return Agreement(
        spikes={name: agree[name] / count for name, count in counted.items()},
        predictions=same / len(inputs), activity=activity.result(),
    )


def float_activity(network: SpikingNetwork, inputs: np.ndarray) -> Activity:
    """Return the activity of a network as trained on ``inputs``."""
    network.eval()
    activity = ActivityCounter()
    for part in batches(network, inputs):
        with torch.no_grad():
            _, spikes = network(torch.from_numpy(part))
        activity.add({name: maps.transpose(0, 1) for name, maps in spikes.items()}, {})
    return activity.result()


def load_test(checkpoint: Checkpoint, data_root: Path | None = None, path: Path | None = None) -> Dataset:
    """Return the test part of a checkpoint's data; a DataError names ``path`` where it has other classes."""
    test = load_dataset(checkpoint.recipe.data, "test", data_root)
    name = f"recipe {checkpoint.recipe.name}" if path is None else str(path)
    test.check_classes(name, checkpoint.classes, checkpoint.class_names)
    return test


def evaluate(
    checkpoint: Checkpoint | Path,
    dataset: Dataset | None = None,
    *,
    data_root: Path | None = None,
    agreement_samples: int = BATCH,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """Return accuracies of a checkpoint, on the test part of its own data set unless given.

    The network as trained predicts on ``device``; all else, the integer model too, is computed on
    the CPU.
    """
    path = None
    if not isinstance(checkpoint, Checkpoint):
        path, checkpoint = checkpoint, load_checkpoint(checkpoint)
    if dataset is None:
        dataset = load_test(checkpoint, data_root, path)
    network = checkpoint.network
    predictions = predict(network.to(device), dataset.inputs)
    network.to("cpu")
    right = predictions == dataset.labels
    trained, integer, agreement = float(right.mean()), None, None
    some = dataset.inputs[:agreement_samples]
    found: list[Finding] = []
    if all(layer.has_integers for layer in checkpoint.recipe.layers):
        integers = export_network(network)
        predictions = predict_integer(integers, dataset.inputs)
        still = predictions == dataset.labels
        integer = float(still.mean())
        agreement = compare(network, integers, some)
        found += clipped_multipliers(integers.clipped)
        found += accuracy_lost(int((right & ~still).sum()), int((~right & still).sum()), len(right))
    activity = float_activity(network, some) if agreement is None else agreement.activity
    return Evaluation(
        dataset=dataset.name, samples=len(predictions), trained=trained, integer=integer,
        agreement=agreement, activity=activity, predictions=predictions,
        findings=without_repeats([
            *unfinished_findings(checkpoint), *activity_findings(activity, network.neuron_shapes), *found,
            *guessing_findings(trained, dataset.labels, f"as trained on {len(right):,} samples"),
            *checkpoint_findings(checkpoint),
        ]),
        wrong=np.flatnonzero(predictions != dataset.labels).tolist(),
    )
