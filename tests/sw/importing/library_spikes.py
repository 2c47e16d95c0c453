"""What the libraries themselves make of spikes: the reference of what is imported from them."""

import snntorch
import torch
from spikingjelly.activation_based import functional
from torch import Tensor, nn

__all__ = ["snntorch_spikes", "spikingjelly_spikes"]


@torch.no_grad()
def snntorch_spikes(network, values: Tensor) -> Tensor:
    """Return what snnTorch's own modules fire, called one after the other in each step."""
    potentials: dict[int, Tensor] = {}
    found = []
    for step in range(values.shape[1]):
        x = values[:, step].float()
        for index, module in enumerate(network):
            if isinstance(module, snntorch.Leaky):
                x, potentials[index] = module(x, potentials.get(index))
            else:
                x = module.eval()(x)
        found.append(x.flatten(1))
    return torch.stack(found, 1)


@torch.no_grad()
def spikingjelly_spikes(network: nn.Module, values: Tensor, mode: str) -> Tensor:
    """Return what SpikingJelly's own network fires."""
    network.eval()
    functional.reset_net(network)
    sequence = values.transpose(0, 1).float()
    found = network(sequence) if mode == "m" else torch.stack([network(step) for step in sequence])
    return found.transpose(0, 1)
