"""Training: from a recipe to a checkpoint, epoch by epoch, resumable after each."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..data.datasets import Dataset, load_dataset
from .augmentations import create_augmentations
from .checkpoint import Checkpoint, CheckpointError, load_checkpoint, save_checkpoint
from .networks import SpikingNetwork
from .recipes import Recipe
from .regularizers import LOSSES, REGULARIZERS

__all__ = ["CHECKPOINT", "train"]

CHECKPOINT = "checkpoint.safetensors"


def train(
    recipe: Recipe, out: Path, data_root: Path | None = None, progress: bool = True
) -> Path:
    """Train a network and return its checkpoint, a file in the folder ``out``.

    The checkpoint is written after every epoch. If one of the same recipe is there already, the
    training goes on from it, and ends as if it had never been interrupted; a finished one is left
    alone. One of another recipe or other data is an error.
    """
    path = Path(out) / CHECKPOINT
    dataset = load_dataset(recipe.data, "train", data_root)
    checkpoint = _resume(path, recipe, dataset)
    network = checkpoint.network
    if checkpoint.finished:
        return path
    optimizer = _optimizer(recipe, network)
    _restore(optimizer, network, checkpoint.optimizer, path)
    batches = -(-len(dataset.labels) // recipe.training.batch_size)
    with tqdm(
        total=recipe.training.epochs * batches, initial=checkpoint.epoch * batches,
        disable=not progress, desc=recipe.name, unit="batch",
    ) as bar:
        while not checkpoint.finished:
            entry = _epoch(recipe, network, optimizer, dataset, checkpoint.epoch, bar)
            checkpoint.history.append(entry)
            checkpoint.epoch += 1
            checkpoint.optimizer = {} if checkpoint.finished else _state(optimizer, network)
            save_checkpoint(checkpoint, path)
    return path


def _resume(path: Path, recipe: Recipe, dataset: Dataset) -> Checkpoint:
    checksums = {"train": dataset.checksum}
    if not path.exists():
        checkpoint = Checkpoint.start(recipe, dataset.input, dataset.classes)
        checkpoint.checksums = checksums
        return checkpoint
    checkpoint = load_checkpoint(path)
    if checkpoint.recipe != recipe:
        raise CheckpointError(f"{path}: the checkpoint is of another recipe; remove it to restart")
    if checkpoint.checksums != checksums:
        raise CheckpointError(
            f"{path}: trained on other data: checksums {checkpoint.checksums}, found {checksums}"
        )
    return checkpoint


def _optimizer(recipe: Recipe, network: SpikingNetwork) -> torch.optim.Optimizer:
    training = recipe.training
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    if training.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=training.learning_rate, momentum=0.9)
    return torch.optim.AdamW(groups, lr=training.learning_rate)


def _epoch(
    recipe: Recipe,
    network: SpikingNetwork,
    optimizer: torch.optim.Optimizer,
    dataset: Dataset,
    epoch: int,
    bar: tqdm,
) -> dict[str, float]:
    """Train one epoch. All it draws comes from the seed and the epoch's number."""
    training = recipe.training
    draw = np.random.RandomState([recipe.seed, epoch])
    order = draw.permutation(len(dataset.labels))
    parts = np.array_split(order, -(-len(order) // training.batch_size))
    loss_function = LOSSES[training.loss]
    regularizers = [REGULARIZERS[n](**options) for n, options in training.regularizers.items()]
    augmentations = create_augmentations(training.augmentations)
    network.train()
    network.set_progress(epoch / training.epochs)
    total, right, seen = 0.0, 0, 0
    for index, part in enumerate(parts):
        done = (epoch + index / len(parts)) / training.epochs
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
        samples = dataset.inputs[part]
        for augment in augmentations:
            samples = augment(samples, draw)
        inputs = torch.from_numpy(samples)
        labels = torch.from_numpy(dataset.labels[part])
        logits, spikes = network(inputs)
        loss = loss_function(logits, labels)
        for regularizer in regularizers:
            loss = loss + regularizer([spikes[name] for name in network.neuron_shapes])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if not all(parameter.isfinite().all() for parameter in network.parameters()):
            raise ValueError(
                f"recipe {recipe.name}: weights are infinite or NaN in epoch {epoch + 1}; "
                f"training.learning_rate {training.learning_rate} may be too high"
            )
        total += loss.item() * len(part)
        right += int((logits.detach().mean(0).argmax(1) == labels).sum())
        seen += len(part)
        bar.update()
        bar.set_postfix(epoch=epoch + 1, loss=f"{total / seen:.3f}", accuracy=f"{right / seen:.1%}")
    return {"loss": total / seen, "accuracy": right / seen}


def _state(optimizer: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor]:
    return {
        f"{name}/{key}": value.clone()
        for name, parameter in network.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def _restore(
    optimizer: torch.optim.Optimizer, network: nn.Module, state: dict[str, Tensor], path: Path
) -> None:
    parameters = dict(network.named_parameters())
    for name, value in state.items():
        parameter_name, _, key = name.rpartition("/")
        if parameter_name not in parameters:
            raise CheckpointError(f"{path}: optimizer state {name} belongs to no parameter")
        optimizer.state[parameters[parameter_name]][key] = value
