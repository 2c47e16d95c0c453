"""What a sweep varies of a recipe: bits, widths, time steps and pruning ratios, and the recipe of some choices."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..network.checks import NetworkError
from ..training.net.layer_recipe import TRANSFORMER_OPTIONS
from ..training.net.networks import LayerRecipe
from ..training.recipe.recipes import Recipe

__all__ = ["EVERY", "Space", "SweepError", "parse_choices", "requantized"]

EVERY = "*"
"""In place of a layer's name: every layer that may be varied so."""
RATIO_LIMIT = 1.0

Choices = Mapping[str, tuple]
Parameters = dict[str, tuple]


class SweepError(ValueError):
    """A sweep cannot be made so; the message names the recipe, the option, the value and the remedy."""


def parse_choices(texts: Iterable[str] | None, kind: type, option: str) -> dict[str, tuple]:
    """Return choices by layer of ``1,2,4`` or ``LAYER=1,2,4``; a SweepError begins with ``option``."""
    found: dict[str, tuple] = {}
    for text in texts or ():
        name, separator, values = text.rpartition("=")
        name = name if separator else EVERY
        try:
            choices = tuple(kind(value) for value in values.split(","))
        except ValueError:
            raise SweepError(f"{option} {text!r}: expected values, as 1,2,4, or a layer and values, as conv2=1,2,4"
                             ) from None
        if name in found:
            raise SweepError(f"{option} {text!r}: {'every layer' if name == EVERY else name} has choices already")
        found[name] = choices
    return found


@dataclass(frozen=True, kw_only=True)
class Space:
    """Choices by layer; those of :data:`EVERY` hold for every layer that is not named and may be varied so."""

    bits: Choices = field(default_factory=dict)
    """Of weights. EVERY: all layers with weights but the first and the last one, which stay as the recipe says."""
    state_bits: Choices = field(default_factory=dict)
    """Of potentials."""
    widths: Choices = field(default_factory=dict)
    """Factors of channels. Networks with residual blocks have one for all layers."""
    steps: tuple[int, ...] = ()
    """Time steps of a sample, ``data.steps``."""
    ratios: Choices = field(default_factory=dict)
    """Parts of channels that are pruned after the training, which then goes on for half of its epochs; by the name of
    the group of channels (:func:`.find_groups`)."""

    def parameters(self, recipe: Recipe, groups: Mapping[str, int]) -> Parameters:
        """Return the choices of each parameter, as ``bits.conv2``; ``groups`` are prunable channels by group.

        A SweepError names what the recipe does not allow. Each choice is tried by itself.
        """
        weighted = [layer.name for layer in recipe.layers if layer.kind != "pool"]
        neurons = [
            layer.name for layer in recipe.layers
            if layer.has_neurons and "state_bits" in layer.neurons(recipe.neuron).options
        ]
        found: Parameters = {}
        found |= _by_layer("bits", self.bits, weighted, weighted[1:-1])
        found |= _by_layer("state_bits", self.state_bits, neurons, neurons)
        found |= self._widths(recipe)
        found |= {"steps": _distinct(self.steps, "steps")} if self.steps else {}
        found |= _by_layer("ratio", self.ratios, list(groups), list(groups))
        for name, choices in found.items():
            for choice in choices:
                self._try(recipe, groups, name, choice)
        if math.prod(map(len, found.values())) < 2:
            raise SweepError(f"recipe {recipe.name}: there is nothing to vary: name at least two choices of one of "
                             f"--bits, --state-bits, --widths, --steps and --ratios")
        return found

    def _widths(self, recipe: Recipe) -> Parameters:
        for layer in recipe.layers:
            if self.widths and layer.kind in TRANSFORMER_OPTIONS:
                raise SweepError(f"--widths: layer {layer.name!r}: the layers of a transformer share the channels of "
                                 f"one stream; sweep recipes of other network.width by themselves")
        wide = [layer.name for layer in recipe.layers if layer.channels]
        if not any(layer.kind == "block" for layer in recipe.layers):
            return _by_layer("width", self.widths, wide, wide)
        if set(self.widths) - {EVERY}:
            raise SweepError(f"--widths {next(iter(set(self.widths) - {EVERY}))}: residual blocks add up channels, so "
                             f"that all layers have one factor: give --widths without a layer")
        return {"width": _distinct(self.widths[EVERY], "widths")} if self.widths else {}

    @staticmethod
    def _try(recipe: Recipe, groups: Mapping[str, int], name: str, choice: Any) -> None:
        kind, _, layer = name.partition(".")
        if kind == "ratio":
            if not 0 <= choice < RATIO_LIMIT or int(groups[layer] * (1 - choice) + 1e-9) < 1:
                raise SweepError(f"--ratios: {choice} of the {groups[layer]} channels of {layer!r}: must be a part, "
                                 f"0 or more, that leaves a channel")
            return
        try:
            chosen(recipe, {name: choice})
        except SweepError:
            raise
        except (ValueError, NetworkError) as error:
            raise SweepError(f"{name} = {choice}: {error}") from error


def own_choices(recipe: Recipe, parameters: Parameters) -> dict[str, Any] | None:
    """Return the choices that are the recipe as it is; None if it is not among them."""
    layers = {layer.name: layer for layer in recipe.layers}
    own = {}
    for name, choices in parameters.items():
        kind, _, layer = name.partition(".")
        if kind == "bits":
            value = layers[layer].weight_bits
        elif kind == "state_bits":
            value = layers[layer].neurons(recipe.neuron).options["state_bits"]
        else:
            value = {"width": 1.0, "ratio": 0.0, "steps": recipe.data.steps}[kind]
        if value not in choices:
            return None
        own[name] = value
    return own


def chosen(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """Return the recipe with some choices, before any pruning; a ValueError says what is wrong with them."""
    layers = {layer.name: layer for layer in recipe.layers}
    data = recipe.data
    for name, value in values.items():
        kind, _, layer = name.partition(".")
        if kind == "steps":
            if value < 1:
                raise SweepError(f"--steps {value}: must be 1 or more")
            data = dataclasses.replace(data, steps=value)
        elif kind == "bits":
            layers[layer] = requantized(layers[layer], value)
        elif kind == "state_bits":
            neuron = {**layers[layer].neuron, "state_bits": value}
            layers[layer] = dataclasses.replace(layers[layer], neuron=neuron)
        elif kind == "width":
            for each in [layer] if layer else list(layers):
                layers[each] = _wider(layers[each], value)
    return dataclasses.replace(recipe, layers=list(layers.values()), data=data)


def ratios_of(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the parts that are pruned, by group; nothing of those that stay whole."""
    return {name.partition(".")[2]: value for name, value in values.items() if name.startswith("ratio.") and value}


def requantized(layer: LayerRecipe, bits: int) -> LayerRecipe:
    """Return a layer with weights of so many bits.

    Its quantizer stays where that has as many; else 1 bit is ``binary`` and others are ``rescaled``, at their defaults.
    """
    if bits == layer.weight_bits:
        return layer
    for change in ({}, {"weights": "binary" if bits == 1 else "rescaled", "options": {}}):
        other = dataclasses.replace(layer, weight_bits=bits, **change)
        try:
            other.create_quantizer()
        except ValueError:
            continue
        return other
    raise SweepError(f"--bits: layer {layer.name!r}: weights have 1, 2, 4 or 8 bits, not {bits}")


def _wider(layer: LayerRecipe, factor: float) -> LayerRecipe:
    if not 0 < factor < math.inf:
        raise SweepError(f"--widths {factor}: must be above 0")
    return dataclasses.replace(layer, **{
        key: max(1, round(getattr(layer, key) * factor))
        for key in ("channels", "inner_channels") if getattr(layer, key)
    })


def _by_layer(kind: str, choices: Choices, known: list[str], every: list[str]) -> Parameters:
    option = "--ratios" if kind == "ratio" else "--widths" if kind == "width" else f"--{kind.replace('_', '-')}"
    for name in set(choices) - {EVERY}:
        if name not in known:
            raise SweepError(f"{option} {name}: no layer of this name can be varied so; there are "
                             f"{', '.join(known) or 'none'}")
    found = dict.fromkeys(every, choices[EVERY]) if EVERY in choices else {}
    found |= {name: choices[name] for name in known if name in choices}
    return {f"{kind}.{name}": _distinct(values, option) for name, values in found.items()}


def _distinct(values: tuple, option: str) -> tuple:
    if not values or len(set(values)) != len(values):
        raise SweepError(f"{option} {','.join(map(str, values))}: expected choices that differ")
    return values
