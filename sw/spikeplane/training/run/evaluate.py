"""Evaluation: accuracy of a network in floats and in integers, and where they differ."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...data.sets.datasets import Dataset, load_dataset
from ...network import model
from ...network.graph import IntegerNetwork
from ..net.export import export_network
from ..net.networks import SpikingNetwork
from .checkpoint import Checkpoint, load_checkpoint

__all__ = [
    "Agreement", "Evaluation", "batches", "compare", "evaluate", "predict", "predict_integer",
]

BATCH = 250
SPIKES = 1 << 27
"""Spikes of a batch, all layers and steps: a forward pass returns them as 4-byte floats."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How a trained network and its export compare on the same inputs."""

    spikes: dict[str, float]
    """For each layer with neurons or a pool, the share of (step, pixel, channel) that agree."""
    rates: dict[str, float]
    """The share that spike, in integers."""
    predictions: float
    """The share of inputs with the same prediction."""


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
    predictions: np.ndarray
    """int64 (samples,), of the integer model, else of the network."""
    wrong: list[int]
    """Samples that the integer model (else the network) gets wrong."""


def batches(
    network: SpikingNetwork, inputs: np.ndarray, most: int = BATCH
) -> Iterator[np.ndarray]:
    """Yield ``inputs`` in parts of ``most`` samples, fewer where the network has many neurons."""
    each = network.form.steps * max(1, network.neuron_count)
    size = max(1, min(most, SPIKES // each))
    for start in range(0, len(inputs), size):
        yield np.ascontiguousarray(inputs[start : start + size])


def predict(network: SpikingNetwork, inputs: np.ndarray) -> np.ndarray:
    """Return the classes, int64 (count,), that a network predicts in evaluation mode."""
    network.eval()
    device = next(network.parameters()).device
    with torch.no_grad():
        return torch.cat([
            network(torch.from_numpy(part).to(device))[0].mean(0).argmax(1)
            for part in batches(network, inputs)
        ]).cpu().numpy()


def predict_integer(
    network: IntegerNetwork, inputs: np.ndarray, batch: int = BATCH
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
    fired: Counter[str] = Counter()
    same = 0
    for part in batches(network, inputs):
        with torch.no_grad():
            logits, spikes = network(torch.from_numpy(part))
        result = model.run(integers, part, counters=False, trace=True)
        for name, maps in spikes.items():
            counted[name] += maps.numel()
            agree[name] += int((maps.transpose(0, 1) == result.spikes[name]).sum())
            fired[name] += int(result.spikes[name].sum(dtype=torch.int64))
        same += int((logits.mean(0).argmax(1) == result.predictions).sum())
    return Agreement(
        spikes={name: agree[name] / count for name, count in counted.items()},
        rates={name: fired[name] / count for name, count in counted.items()},
        predictions=same / len(inputs),
    )


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
    if not isinstance(checkpoint, Checkpoint):
        checkpoint = load_checkpoint(checkpoint)
    if dataset is None:
        dataset = load_dataset(checkpoint.recipe.data, "test", data_root)
    network = checkpoint.network
    predictions = predict(network.to(device), dataset.inputs)
    network.to("cpu")
    trained = float((predictions == dataset.labels).mean())
    integer, agreement = None, None
    if all(layer.has_integers for layer in checkpoint.recipe.layers):
        integers = export_network(network)
        predictions = predict_integer(integers, dataset.inputs)
        integer = float((predictions == dataset.labels).mean())
        agreement = compare(network, integers, dataset.inputs[:agreement_samples])
    return Evaluation(
        dataset=dataset.name, samples=len(predictions), trained=trained, integer=integer,
        agreement=agreement, predictions=predictions,
        wrong=np.flatnonzero(predictions != dataset.labels).tolist(),
    )
