"""What a network costs: bytes of weights, synaptic operations, cycles of a core; and budgets of these."""

import math
import re
from dataclasses import dataclass

import numpy as np
from spikeplane_hw.config import CoreConfig

from ..compiler.footprint import layer_cycles
from ..compiler.limits import needs
from ..compiler.place import place
from ..network.graph import IntegerNetwork
from ..network.schedule import Schedule
from ..reports.energy import cost
from ..training.net.export import export_network
from ..training.net.networks import SpikingNetwork
from .removal import PruningError

__all__ = ["BUDGETS", "Budget", "Meter", "core_cycles", "parse_budget", "weight_bytes"]

BUDGETS = ("size", "operations", "cycles")
PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
UNITS = {"size": "B", "operations": "", "cycles": ""}


@dataclass(frozen=True)
class Budget:
    """The most that a pruned network may cost."""

    kind: str
    """One of BUDGETS."""
    value: float
    """Bytes, operations or cycles of a sample; a share of the unpruned network's if ``relative``."""
    relative: bool = False

    def limit(self, whole: float) -> float:
        """Return the budget in its unit, for a network that costs ``whole`` unpruned."""
        if self.relative and not math.isfinite(whole):
            raise PruningError(
                f"budget {self.kind}={self.value:.0%}: the network as it is does not fit the core, so there is "
                f"nothing that this is a part of: give {self.kind} as a number"
            )
        return self.value * whole if self.relative else self.value

    def text(self, value: float) -> str:
        """Return a cost as one would write a budget of it."""
        return f"{self.kind}={value:.0f}{UNITS[self.kind]}"


def parse_budget(text: str) -> Budget:
    """Return the budget that ``size=120kB``, ``operations=50%`` or ``cycles=20000`` says, or raise a ValueError."""
    kind, _, value = text.partition("=")
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(%|[kMG]?)(B?)", value.strip())
    if kind not in BUDGETS or found is None or (found[3] and (kind != "size" or found[2] == "%")):
        raise ValueError(
            f"budget {text!r}: expected size, operations or cycles, =, and a number or a part of the unpruned "
            f"network's, as size=120kB, operations=50% or cycles=20000"
        )
    number = float(found[1])
    budget = Budget(kind, number / 100, True) if found[2] == "%" else Budget(kind, number * PREFIXES[found[2]])
    if not budget.value > 0 or (budget.relative and budget.value > 1):
        raise ValueError(f"budget {text!r}: must be above 0" + (", and at most 100%" if budget.relative else ""))
    return budget


def weight_bytes(network: SpikingNetwork) -> dict[str, float]:
    """Return the bytes that the weights of each module take at their bits, 4 a weight where they are floats."""
    found = {}
    for path, module in network.named_modules():
        quantizer = getattr(module, "quantizer", None)
        weight = getattr(module, "weight", None)
        if quantizer is not None and weight is not None and weight.ndim > 1:
            found[path] = weight.numel() * (quantizer.bits if quantizer.has_integers else 32) / 8
    return found


def core_cycles(network: IntegerNetwork, config: CoreConfig, inputs: np.ndarray) -> dict[str, float]:
    """Return the predicted cycles of each layer on a core, the mean of ``inputs``; nothing if it does not fit."""
    for keep in (True, False):
        placement = place(network, config, Schedule.REGISTERS, keep_maps=keep, check=False)
        if not any(need.exceeded for need in needs(placement)):
            return layer_cycles(placement, inputs)
    return {}


@dataclass(frozen=True, kw_only=True)
class Meter:
    """Measures networks, all on the same samples."""

    inputs: np.ndarray
    """For operations, uint8 (count, *InputFormat.shape)."""
    config: CoreConfig
    cycle_samples: int = 2
    """Of these, those whose cycles are predicted."""

    def measure(self, kind: str, network: SpikingNetwork) -> float:
        """Return bytes, operations or cycles of a sample; cycles are infinite on a core that it does not fit."""
        if kind == "size":
            return sum(weight_bytes(network).values())
        if kind == "operations":
            found = cost(network, self.inputs)
            return found.accumulates + found.multiply_accumulates
        cycles = core_cycles(export_network(network), self.config, self.inputs[: self.cycle_samples])
        return sum(cycles.values()) or math.inf
