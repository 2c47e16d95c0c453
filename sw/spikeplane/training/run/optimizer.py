"""Optimizers: which there are, what they do with which parameters, and their state in checkpoints."""

from pathlib import Path

import torch
from torch import Tensor, nn

from ..net.networks import SpikingNetwork
from ..recipe.recipes import Recipe
from .checkpoint import CheckpointError

__all__ = ["create_optimizer", "optimizer_state", "restore_optimizer", "set_learning_rate"]


def create_optimizer(recipe: Recipe, network: SpikingNetwork, graphs: bool = False) -> torch.optim.Optimizer:
    """Return the optimizer that a recipe names, of the parameters of ``network``; only weights decay.

    With ``graphs`` its steps may be recorded: the rate, too, is on the GPU of the parameters.
    """
    training = recipe.training
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    if training.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=training.learning_rate, momentum=0.9)
    if graphs:
        rate = torch.tensor(training.learning_rate, device=parameters[0].device)
        return torch.optim.AdamW(groups, lr=rate, fused=True, capturable=True)
    return torch.optim.AdamW(groups, lr=training.learning_rate)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all parameters a learning rate."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def optimizer_state(optimizer: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """Return the state of each parameter: "parameter name/key"."""
    return {
        f"{name}/{key}": value.clone()
        for name, parameter in network.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, network: nn.Module, state: dict[str, Tensor], path: Path
) -> None:
    """Give ``optimizer`` a state, that of the checkpoint at ``path``; a CheckpointError says if it does not fit."""
    parameters = dict(network.named_parameters())
    for name, value in state.items():
        parameter_name, _, key = name.rpartition("/")
        if parameter_name not in parameters:
            raise CheckpointError(f"{path}: optimizer state {name} belongs to no parameter")
        parameter = parameters[parameter_name]
        if value.ndim and value.shape != parameter.shape:
            raise CheckpointError(
                f"{path}: optimizer state {name} has shape {tuple(value.shape)}, its parameter "
                f"{tuple(parameter.shape)}"
            )
        # The count of steps, a scalar, stays on the CPU, where the optimizers keep it unless they are recorded.
        moved = value.ndim or optimizer.defaults.get("capturable")
        optimizer.state[parameter][key] = value.to(parameter.device) if moved else value
