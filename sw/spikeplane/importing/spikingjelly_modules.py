"""SpikingJelly's modules (Fang et al., Science Advances 9, eadi1480): IF and LIF neurons, layers with step modes."""

from collections.abc import Iterable
from importlib import import_module
from typing import Any

import numpy as np
from spikeplane_hw.neuron import Reset

from ..network.checks import NetworkError
from .assembly import Assembly
from .chain import ImportedNeuron
from .module_values import Leaf, fires_above, library, numbers
from .operators import dense

__all__ = ["CONTAINERS", "NEURONS", "add", "check_step_modes"]

NEURONS = ("IFNode", "LIFNode", "ParametricLIFNode")
CONTAINERS = ("SeqToANNContainer", "MultiStepContainer", "StepModeContainer")
"""What calls its modules one after the other."""
NOTHING = ("Dropout", "Dropout2d")


def add(assembly: Assembly, name: str, module: Any) -> str | None:
    """Add a module of SpikingJelly; return what it becomes, None if it may be a layer of PyTorch's with step modes."""
    layer, neuron = (import_module(f"spikingjelly.activation_based.{name}") for name in ("layer", "neuron"))
    kind = type(module)
    if kind in [getattr(layer, each) for each in NOTHING]:
        return "nothing, in evaluation"
    if kind is layer.VotingLayer:
        size, channels = int(module.voting_size), assembly.shape[0]
        if assembly.shape[1:] != (1, 1) or channels % size:
            raise ValueError(f"it averages {size} neurons a class, the map before it is {assembly.shape}")
        votes = np.repeat(np.eye(channels // size), size, axis=1) / size
        return assembly.weights(name, dense(votes, np.zeros(len(votes)), assembly.shape))
    if kind not in [getattr(neuron, each) for each in NEURONS]:
        return None
    if getattr(module, "_neuron_precision", None) is not None:
        raise ValueError("it computes with a precision of its own, must be that of PyTorch")
    # Potentials begin at v_reset and leak towards it: what lies above it is a neuron that begins at 0.
    base = 0.0 if module.v_reset is None else float(module.v_reset)
    threshold = float(module.v_threshold) - base
    if threshold <= 0:
        raise ValueError(f"its v_threshold {module.v_threshold:g} must be above its v_reset, {base:g}")
    part = 0.0
    if kind is neuron.LIFNode:
        part = 1 / float(module.tau)
    elif kind is neuron.ParametricLIFNode:
        part = numbers(module.w.sigmoid()).item()
    decays = part > 0 and module.decay_input
    strict = fires_above("surrogate_function", module.surrogate_function)
    assembly.neurons(name, ImportedNeuron(
        leak=1 - part, threshold=np.full(assembly.shape[0], threshold), strict=strict,
        reset=Reset.SOFT if module.v_reset is None else Reset.HARD,
    ), gain=part if decays else 1.0)
    return ", ".join((
        f"leak {1 - part:.6g} a step" if part else "no leak",
        f"{part:.6g} of the input" if decays else "all of the input",
        f"v {'>' if strict else '>='} threshold",
        "reset by subtracting the threshold" if module.v_reset is None else f"reset to {base:g}",
    ))


def check_step_modes(leaves: Iterable[Leaf]) -> None:
    """Raise a NetworkError that names the modules that take time for samples, or samples for time."""
    modes: dict[str, str] = {}
    for name, module, container in leaves:
        if library(module) != "spikingjelly" and container is None:
            continue
        mode = getattr(module, "step_mode", "s")
        if container is not None:
            kind = type(container).__name__
            if mode != "s":
                raise NetworkError(f"module {name!r}: its step_mode is {mode!r}, within a {kind} it must be 's'")
            if type(module).__name__ in NEURONS and (
                kind == "SeqToANNContainer" or (kind == "StepModeContainer" and not container.stateful)
            ):
                raise NetworkError(f"module {name!r}: a neuron within a {kind} that takes time steps for samples")
            mode = getattr(container, "step_mode", "m")
        modes.setdefault(str(mode), name)
    if len(modes) > 1:
        first, second = modes.items()
        raise NetworkError(f"module {first[1]!r} has step_mode {first[0]!r}, module {second[1]!r} {second[0]!r}: one "
                           f"of them takes time steps for samples. Set it for all, by functional.set_step_mode")
