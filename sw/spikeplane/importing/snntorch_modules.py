"""snnTorch's neurons (Eshraghian et al., arXiv 2109.12894): Leaky, with its resets."""

from importlib import import_module
from typing import Any

import numpy as np
from spikeplane_hw.neuron import Reset

from .assembly import Assembly
from .chain import ImportedNeuron
from .module_values import fires_above, numbers
from .operators import channel_values

__all__ = ["NEURONS", "add"]

NEURONS = ("Leaky",)
RESETS = {
    "zero": ("_base_zero", Reset.HARD, "to 0"),
    "subtract": ("_base_sub", Reset.SOFT, "by subtracting the threshold behind the next leak"),
    "none": ("_base_int", Reset.NONE, "none"),
}
"""What snnTorch computes, what that is here, and in words."""


def add(assembly: Assembly, name: str, module: Any) -> str | None:
    """Add a module of snnTorch; return what it becomes, None if it is no neuron that is known."""
    if type(module) is not import_module("snntorch").Leaky:
        return None
    for setting, wanted in (("state_quant", False), ("inhibition", False)):
        if getattr(module, setting) is not wanted:
            raise ValueError(f"its {setting} is {getattr(module, setting)!r}, must be {wanted}")
    if (factor := numbers(module.graded_spikes_factor)).size != 1 or factor.item() != 1:
        raise ValueError(f"its graded_spikes_factor is {factor.tolist()}, must be 1: a spike is one bit")
    shape = assembly.shape
    leaks = channel_values("beta", numbers(module.beta.clamp(0, 1)), shape)
    if (leaks != leaks[0]).any():
        raise ValueError(f"its neurons keep differently, beta {leaks.min():g} to {leaks.max():g}: all neurons of a "
                         f"layer have one leak")
    threshold = channel_values("threshold", numbers(module.threshold), shape)
    if (threshold <= 0).any():
        raise ValueError(f"its threshold is {threshold.min():g} of a channel, must be above 0")
    function, reset, text = RESETS[module.reset_mechanism]
    if module.state_function.__name__ != function:
        raise ValueError(f"it was made with another reset than {module.reset_mechanism!r}, and resets as it was made")
    if reset is Reset.SOFT and not module.reset_delay:
        raise ValueError(
            "with reset_delay=False and 'subtract', snnTorch subtracts nothing of a potential that was above the "
            "threshold twice in a row, and boards do: take reset_delay=True, or reset_mechanism='zero'"
        )
    strict = fires_above("spike_grad", module.spike_grad)
    assembly.neurons(name, ImportedNeuron(
        leak=float(leaks[0]), threshold=threshold, strict=strict, reset=reset, delayed=reset is Reset.SOFT,
    ))
    return f"leak {np.float64(leaks[0]):.6g} a step, v {'>' if strict else '>='} threshold, reset {text}"
