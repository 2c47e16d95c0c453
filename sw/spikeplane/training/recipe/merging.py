"""One recipe over another: what a file says over what it extends, a family's layers with their settings, overrides."""

import dataclasses
import tomllib
from typing import Any

from ..net.families import NetworkRecipe
from ..net.neurons import merge_neurons
from ..tables import build

__all__ = ["RecipeError", "expand", "layer_name", "merge", "parse_override", "with_losses", "without_false"]


OTHER_SOURCES = {"checkpoint": ("classifier", "weights"), "classifier": ("checkpoint",)}
"""What of a file that a training learns from gives way to another kind."""


class RecipeError(ValueError):
    """A recipe is wrong; the message names the file or override, the key and the value."""


def merge(base: dict[str, Any], own: dict[str, Any], source: str) -> dict[str, Any]:
    """Return a recipe's values, ``own`` over ``base``; ``source`` names ``own`` in errors."""
    base = dict(base)
    # Layers are either listed or those of a family; another family has other defaults.
    if isinstance(own.get("layers"), list):
        base.pop("network", None)
    network = own.get("network")
    if isinstance(network, dict) and "family" in network:
        if isinstance(base.get("layers"), list):
            base.pop("layers")
        former = base.get("network")
        if not isinstance(former, dict) or network["family"] != former.get("family"):
            base.pop("network", None)
    base = _without_other_sources(base, own)
    layers = own.get("layers")
    if isinstance(layers, dict) and isinstance(base.get("layers"), list):
        own = {**own, "layers": _set_layers(base["layers"], layers, source)}
    return _merge_tables(base, own, source)


def _without_other_sources(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` without the file that a training learns from, where ``own`` names one of the other kind."""
    before, now = (values.get("training") for values in (base, own))
    if not isinstance(before, dict) or not isinstance(now, dict):
        return base
    training = dict(before)
    for key in ("start", "teacher"):
        if isinstance(training.get(key), dict) and isinstance(now.get(key), dict):
            others = {name for named in now[key] for name in OTHER_SOURCES.get(named, ())}
            training[key] = {name: value for name, value in training[key].items() if name not in others}
    return base | {"training": training}


def _merge_tables(base: dict[str, Any], own: dict[str, Any], source: str) -> dict[str, Any]:
    result = dict(base)
    for key, value in own.items():
        if isinstance(value, _Whole):
            value = dict(value)
        elif key == "neuron" and isinstance(value, dict) and isinstance(base.get(key, {}), dict):
            try:
                value = merge_neurons(base.get(key, {}), value)
            except ValueError as error:  # A plugin that cannot be imported.
                raise RecipeError(f"{source}: {error}") from error
        elif isinstance(value, dict):
            if not isinstance(base.get(key, {}), dict):
                raise RecipeError(f"{source}: {key!r} is a value, not a table")
            value = _merge_tables(base.get(key, {}), value, source)
        result[key] = value
    return result


def _set_layers(layers: list[dict], settings: dict[str, Any], source: str) -> list[dict]:
    """Return ``layers`` with the ``settings`` of some of them, by their names."""
    names = [layer_name(layer, index) for index, layer in enumerate(layers)]
    for name, values in settings.items():
        if name not in names:
            raise RecipeError(f"{source}: no layer is named {name!r}; there are {', '.join(names)}")
        if not isinstance(values, dict):
            raise RecipeError(f"{source}: name the layer and the key, as layers.NAME.KEY")
    return [
        _merge_tables(layer, settings[name], source) if name in settings else layer
        for name, layer in zip(names, layers, strict=True)
    ]


def expand(values: dict[str, Any], source: str) -> dict[str, Any]:
    """Return ``values`` with the layers of their family, if they name one, in place of its name."""
    if "network" not in values:
        return values
    values = dict(values)
    try:
        network = build(NetworkRecipe, values.pop("network"), "network")
    except ValueError as error:
        raise RecipeError(f"{source}: {error}") from error
    settings = values.get("layers", {})
    if not isinstance(settings, dict):
        raise RecipeError(f"{source}: [[layers]] and [network] exclude each other")
    try:
        layers = [dataclasses.asdict(layer) for layer in network.layers()]
    except ValueError as error:
        raise RecipeError(f"{source}: network: {error}") from error
    return {**values, "layers": _set_layers(layers, settings, source)}


def without_false(values: dict[str, Any]) -> dict[str, Any]:
    """Return ``values`` without the augmentations, losses and regularizers that are ``false``."""
    training = values.get("training")
    if not isinstance(training, dict):
        return values
    chosen = {
        key: {name: options for name, options in table.items() if options is not False}
        for key in ("augmentations", "losses", "regularizers") if isinstance(table := training.get(key), dict)
    }
    return {**values, "training": {**training, **chosen}}


class _Whole(dict):
    """A table that replaces another one instead of being merged into it."""


def with_losses(values: dict[str, Any], source: str) -> dict[str, Any]:
    """Return ``values`` with a table of losses in place of the name of the only one."""
    training = values.get("training") if isinstance(values, dict) else None
    if not isinstance(training, dict) or "loss" not in training:
        return values
    if "losses" in training:
        raise RecipeError(f"{source}: training.loss and training.losses exclude each other")
    rest = {key: value for key, value in training.items() if key != "loss"}
    name = training["loss"]
    if not isinstance(name, str):
        raise RecipeError(f"{source}: training.loss must be str, not {name!r}")
    return {**values, "training": {**rest, "losses": _Whole({name: {}})}}


def parse_override(override: str) -> dict[str, Any]:
    """Return the tables that ``key=value`` stands for."""
    key, separator, text = override.partition("=")
    if not separator:
        raise RecipeError(f"override {override!r}: expected key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if isinstance(value, dict):
        value = _Whole(value)
    *parents, last = key.strip().split(".")
    values: dict[str, Any] = {last: value}
    for parent in reversed(parents):
        values = {parent: values}
    return values


def layer_name(layer: Any, index: int) -> str:
    """Return what errors call a layer: by its name, if it has one."""
    return str(layer.get("name", index)) if isinstance(layer, dict) else str(index)
