"""A larger CIFAR-10 network whose weights lie in SDRAM: the trained one for large, widened such that it says the same.

Channels are copied. A layer that reads M copies of each channel has sums M times as large, which its normalization
takes back. So the network has the accuracy of the trained one, before a training makes use of its weights.
"""

import dataclasses
from collections.abc import Mapping

from spikeplane.training.run.checkpoint import Checkpoint
from torch import Tensor

__all__ = ["COPIES", "widen"]

COPIES = {"conv1": 1, "conv2": 2, "conv3": 2, "conv4": 3, "conv5": 3, "conv6": 4}
"""Of each channel of a layer."""



def widen(checkpoint: Checkpoint, copies: Mapping[str, int] = COPIES) -> Checkpoint:
    """Return a trained network with ``copies`` of each layer's channels."""
    recipe = checkpoint.recipe
    layers = [
        dataclasses.replace(layer, channels=layer.channels * copies[layer.name])
        if layer.channels is not None and layer.name in copies else layer
        for layer in recipe.layers
    ]
    made = Checkpoint.start(
        dataclasses.replace(recipe, layers=layers), checkpoint.network.form, checkpoint.classes
    )
    read = {}
    before = 1
    for layer in layers:
        if layer.kind != "pool":
            read[layer.name] = before
            before = copies.get(layer.name, 1)
    own = made.network.state_dict()
    for name, value in checkpoint.network.state_dict().items():
        _, layer, *rest = name.split(".")
        own[name] = _copied(value, rest, copies.get(layer, 1), read[layer])
    made.network.load_state_dict(own)
    made.network.eval()
    return made


def _copied(value: Tensor, part: list[str], outputs: int, inputs: int) -> Tensor:
    """Return a tensor of a layer with so many copies of its outputs, each of which reads so many copies."""
    if value.ndim > 1:
        return value.repeat(outputs, inputs, 1, 1)
    if part == ["bias"]:  # The classifier's: logits become so many times as large.
        return value * inputs
    if value.ndim == 0:
        return value
    return value.repeat(outputs) * {"running_mean": inputs, "running_var": inputs**2}.get(part[-1], 1)
