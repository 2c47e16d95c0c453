"""Recipes in checkpoints of the first format, turned into what they say today.

There a layer repeated the settings of its neurons, of all kinds of neurons at once.
"""

from typing import Any

__all__ = ["migrate_recipe"]

OPTIONS = {"leaky": ("state_bits", "levels", "leak", "reset"), "memory_free": ("taps", "learned_taps")}
"""What each kind of neuron was set by, by its name in ``dynamics``."""


def migrate_recipe(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return the table of a recipe of the first format in today's form.

    A KeyError or TypeError says that it is of no format.
    """
    default = recipe["neuron"]
    return {
        **recipe,
        "neuron": _settings(default["dynamics"], default),
        "layers": [_layer(layer, default) for layer in recipe["layers"]],
    }


def _settings(dynamics: str, values: dict[str, Any]) -> dict[str, Any]:
    return {"dynamics": dynamics, **{name: values[name] for name in OPTIONS[dynamics]}}


def _layer(layer: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    names = {"dynamics", *(name for options in OPTIONS.values() for name in options)}
    own = {name: layer[name] for name in names if layer[name] is not None}
    dynamics = own.get("dynamics", default["dynamics"])
    if dynamics == default["dynamics"]:
        neuron = {name: own[name] for name in OPTIONS[dynamics] if name in own}
    else:
        neuron = _settings(dynamics, {**default, **own})
    return {**{key: value for key, value in layer.items() if key not in names}, "neuron": neuron}
