"""Kinds of neurons by the names that recipes use, and what recipes say of them."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from ...registry import Registry
from ..tables import build
from .graded import Graded
from .imported import ImportedLIF
from .integrating import Integrating
from .lif import LIF
from .memory_free import MemoryFree
from .neuron import SpikingNeurons

__all__ = ["NEURONS", "NeuronRecipe", "merge_neurons"]

NEURONS: Registry[type[SpikingNeurons]] = Registry("neuron", {
    "leaky": LIF, "memory_free": MemoryFree, "graded": Graded, "integrating": Integrating,
    "imported": ImportedLIF,
})
DEFAULT = "leaky"


@dataclass(frozen=True, init=False)
class NeuronRecipe:
    """A kind of neuron and its options, those that are not given at their defaults.

    ``NeuronRecipe(dynamics="leaky", state_bits=2)``. A ValueError names an unknown kind or option.
    """

    dynamics: str
    """A name in NEURONS."""
    options: dict[str, Any]
    """All options of this kind."""

    def __init__(self, dynamics: str = DEFAULT, **options: Any):
        kind = NEURONS.find(dynamics, "neuron.dynamics")
        built = build(kind.options, options, "neuron")
        object.__setattr__(self, "dynamics", dynamics)
        object.__setattr__(self, "options", dataclasses.asdict(built))

    def to_dict(self) -> dict[str, Any]:
        """Return the table of a recipe."""
        return {"dynamics": self.dynamics, **self.options}

    def over(self, **settings: Any) -> "NeuronRecipe":
        """Return the recipe with some settings changed.

        Another ``dynamics`` begins with its own defaults, but for the options that both kinds have.
        """
        return NeuronRecipe(**merge_neurons(self.to_dict(), settings))

    def less(self, base: "NeuronRecipe") -> dict[str, Any]:
        """Return the settings that make this recipe of ``base``."""
        if self.dynamics != base.dynamics:
            return self.to_dict()
        return {name: value for name, value in self.options.items() if value != base.options[name]}

    def float32(self) -> "NeuronRecipe":
        """Return the twin without quantization."""
        kind = NEURONS[self.dynamics]
        twin = kind.float32(kind.options(**self.options))
        return NeuronRecipe(self.dynamics, **dataclasses.asdict(twin))

    def create(self) -> SpikingNeurons:
        """Return the neurons; a ValueError says which option is wrong."""
        kind = NEURONS[self.dynamics]
        return kind.create(kind.options(**self.options))


def merge_neurons(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return the table ``own`` over ``base``, without what only the former kind of neuron knows."""
    former, chosen = base.get("dynamics", DEFAULT), own.get("dynamics", base.get("dynamics", DEFAULT))
    if chosen != former and former in NEURONS and chosen in NEURONS:
        lost = _options(former) - _options(chosen)
        base = {key: value for key, value in base.items() if key not in lost}
    return {**base, **own}


def _options(dynamics: str) -> set[str]:
    return {item.name for item in dataclasses.fields(NEURONS[dynamics].options)}
