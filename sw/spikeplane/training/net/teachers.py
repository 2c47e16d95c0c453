"""Classifiers that do not spike, by the names that recipes use: teachers for distillation.

A classifier takes 8-bit images as they are; its weights come from a safetensors file.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ...registry import Registry
from .resnet import ImageClassifier, ResNet

__all__ = ["TEACHERS", "load_classifier"]

TEACHERS: Registry[Callable[[], ImageClassifier]] = Registry("teacher", {
    "resnet20_cifar10": lambda: ResNet(3, 10), "resnet56_cifar10": lambda: ResNet(9, 10),
})
"""Each returns a classifier with weights of no account."""


def load_classifier(name: str, weights: Path, key: str = "training.teacher") -> ImageClassifier:
    """Return the classifier of this name with the tensors of a safetensors file, in evaluation mode.

    A ValueError names the file and the tensor that is missing, left over, or of another shape, or the name if nothing
    has it, as ``key`` of a recipe.
    """
    try:
        with safe_open(weights, framework="pt") as file:
            tensors: dict[str, Tensor] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{weights}: not a readable safetensors file: {error}") from error
    with torch.random.fork_rng(devices=[]):
        network = TEACHERS.find(name, f"{key}.classifier")()
    # Counts of batches decide nothing in evaluation mode, and weights are passed on without them.
    expected = {
        key: value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")
    }
    for key in sorted(expected.keys() | tensors.keys()):
        if key not in tensors:
            raise ValueError(f"{weights}: tensor {key} of {name} is missing")
        if key.endswith("num_batches_tracked"):
            continue
        if key not in expected:
            raise ValueError(f"{weights}: {name} has no tensor {key}")
        if tensors[key].shape != expected[key].shape:
            raise ValueError(
                f"{weights}: tensor {key} has shape {tuple(tensors[key].shape)}, that of {name} "
                f"{tuple(expected[key].shape)}"
            )
    network.load_state_dict(tensors, strict=False)
    return network.eval().requires_grad_(False)
