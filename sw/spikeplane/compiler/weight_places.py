"""Where weights, parameters and passes of a network lie: one behind the other, operands behind all weights.

Where weights stream in, operands have the upper half of the weight slots, and the ring is the lower one.
"""

import math
from dataclasses import replace

from spikeplane_hw.config import CoreConfig

from ..network.lowered import CoreLayer, CoreTerm, TermKind
from .placed import PlacedLayer, PlacedTerm
from .spike_map import SpikeMap

__all__ = ["WeightPlaces", "has_product", "identity_slots", "mixes", "with_operands"]


class WeightPlaces:
    """What of weights, parameters and passes is taken."""

    def __init__(self, config: CoreConfig, steps: int, *, shortcuts: bool, streaming: bool):
        self.config, self.steps, self.streaming = config, steps, streaming
        # Weight slot 0 of every bank is the zero row, unless all of them are a ring.
        self.identity = 0 if streaming else 1
        self.parameter = self.passes = 0
        self.restart(shortcuts=shortcuts)

    def restart(self, *, shortcuts: bool) -> None:
        """Begin with the weights of shortcuts; streamed ones are counted from each layer's first one on."""
        self.weight = self.identity + (identity_slots(self.config) if shortcuts else 0)

    def place(
        self, term: CoreTerm, source: SpikeMap, groups: int, *, scaled: bool, shares: bool, samples: int, **places
    ) -> PlacedTerm:
        """Return a term behind all before it; ``scaled`` says whether it has parameters.

        It runs for ``samples`` at once.
        """
        config, window, step = self.config, term.kind is TermKind.WINDOW and not shares, 0
        placed = PlacedTerm(
            term=term, source=source, groups=groups, first_pass=self.passes, shares=shares,
            weight_base=self.weight if window else self.identity, weight_size=0, weight_group=0,
            parameter_base=self.parameter if scaled else 0, **places,
        )
        group = term.weight_bits * math.prod(term.kernel) * placed.group_slots(config) if window else 0
        if term.kind is TermKind.PRODUCT:
            step = -(-(source.channels // term.groups) // config.banks)
            group = self.steps * samples * step
        placed = replace(placed, weight_size=group, weight_group=group, weight_step=step)
        # Of streamed weights a group has those of all terms side by side.
        self.weight += placed.weight_size if self.streaming and placed.weight_slots else placed.weight_slots
        self.passes += placed.pass_count
        self.parameter += placed.parameter_groups * self.config.chunks if scaled else 0
        return placed


def has_product(layer: CoreLayer) -> bool:
    """Return whether a layer has the operand of a product for weights."""
    return any(term.operand is not None for term in layer.terms)


def mixes(layer: CoreLayer, config: CoreConfig) -> bool:
    """Return whether a layer has a product beside terms with weights, which cannot stream in."""
    return has_product(layer) and any(
        term.kind is TermKind.WINDOW or term.shares_weights(config) for term in layer.terms
    )


def with_operands(placed: PlacedLayer, first: int) -> PlacedLayer:
    """Return a layer whose operands lie from weight slot ``first`` on."""
    terms = []
    for term in placed.terms:
        if term.operand is not None:
            term = replace(term, weight_base=first)
            first += placed.groups * term.weight_group
        terms.append(term)
    return replace(placed, terms=terms, operand_end=first if placed.products else placed.weight_end)


def identity_slots(config: CoreConfig) -> int:
    """Return the slots of the weights that all shortcuts share: lane l adds what channel l of a group has."""
    return config.lanes // config.banks
