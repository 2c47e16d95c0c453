"""Recipes: everything that decides how a network is trained, as TOML files."""

import dataclasses
import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args

from ..data.datasets import DataRecipe
from .augmentations import create_augmentations
from .networks import LayerRecipe, NeuronRecipe
from .regularizers import LOSSES, REGULARIZERS

__all__ = ["Recipe", "RecipeError", "TrainingRecipe", "load_recipe", "recipe_names"]

OPTIMIZERS = ("adamw", "sgd")


class RecipeError(ValueError):
    """A recipe is wrong; the message names the file or override, the key and the value."""


@dataclass(frozen=True, kw_only=True)
class TrainingRecipe:
    """How the weights are found."""

    epochs: int
    batch_size: int = 64
    optimizer: str = "adamw"
    learning_rate: float = 0.003
    """At the start; falls to 0 along a cosine."""
    weight_decay: float = 1e-4
    """Of weights only, not of biases and normalization."""
    loss: str = "tet"
    regularizers: dict[str, dict] = field(default_factory=dict)
    """Options of each regularizer by its name."""
    augmentations: dict[str, dict] = field(default_factory=dict)
    """Options of each augmentation of training samples by its name, in the order of application."""

    def __post_init__(self):
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"training.{name} must be positive, not {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise ValueError(f"training.learning_rate must be above 0, not {self.learning_rate}")
        create_augmentations(self.augmentations)
        for name, value, choices in (
            ("optimizer", self.optimizer, OPTIMIZERS), ("loss", self.loss, tuple(LOSSES)),
            *(("regularizers", key, tuple(REGULARIZERS)) for key in self.regularizers),
        ):
            if value not in choices:
                raise ValueError(f"training.{name} must be one of {choices}, not {value!r}")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole recipe."""

    name: str
    seed: int
    data: DataRecipe
    neuron: NeuronRecipe
    layers: list[LayerRecipe]
    training: TrainingRecipe

    def __post_init__(self):
        for layer in self.layers:
            if layer.has_neurons:
                layer.create_neurons(self.neuron)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as in the TOML file."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any], source: str = "recipe") -> "Recipe":
        """Return the recipe with these values; ``source`` names them in errors."""
        return _build(cls, values, source, "")

    def float32(self) -> "Recipe":
        """Return the twin without any quantization, for comparison."""
        layers = [
            dataclasses.replace(
                layer, weights="float", weight_bits=32, state_bits=None, options={}
            )
            for layer in self.layers
        ]
        neuron = dataclasses.replace(self.neuron, state_bits=16)
        return dataclasses.replace(
            self, name=f"{self.name}-float32", layers=layers, neuron=neuron
        )


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with Spikeplane."""
    folder = resources.files("spikeplane") / "recipes"
    return sorted(Path(item.name).stem for item in folder.iterdir() if item.name.endswith(".toml"))


def load_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Return a recipe by its name or from a TOML file, with some of its values replaced.

    An override is ``key=value``, as ``training.epochs=5`` or ``layers.conv1.channels=32``; the
    value is TOML, or a string if it is no TOML.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        if str(name_or_path) not in recipe_names():
            raise RecipeError(
                f"recipe {str(name_or_path)!r}: expected a .toml file or one of "
                f"{', '.join(recipe_names())}"
            )
        path = Path(str(resources.files("spikeplane") / "recipes" / f"{name_or_path}.toml"))
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path}: {error}") from error
    values.setdefault("name", path.stem)
    for override in overrides:
        _override(values, override)
    return Recipe.from_dict(values, str(path))


def _override(values: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator:
        raise RecipeError(f"override {override!r}: expected key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.strip().split(".")
    place: Any = values
    for parent in parents:
        if isinstance(place, list):
            named = [item for item in place if item.get("name") == parent]
            if not named:
                raise RecipeError(f"override {override!r}: no layer is named {parent!r}")
            place = named[0]
        else:
            place = place.setdefault(parent, {})
        if not isinstance(place, dict | list):
            raise RecipeError(f"override {override!r}: {parent!r} is a value, not a table")
    if isinstance(place, list):
        raise RecipeError(f"override {override!r}: name the layer and the key, as layers.NAME.KEY")
    place[last] = value


NESTED = {
    "data": DataRecipe, "neuron": NeuronRecipe, "training": TrainingRecipe, "layers": LayerRecipe,
}


def _build(cls: type, values: Any, source: str, where: str) -> Any:
    """Return dataclass ``cls`` from a TOML table; unknown, missing and mistyped keys are errors."""
    if not isinstance(values, dict):
        raise RecipeError(f"{source}: {where or 'the file'} must be a table, not {values!r}")
    fields = {item.name: item for item in dataclasses.fields(cls)}
    prefix = f"{where}." if where else ""
    for key in values:
        if key not in fields:
            raise RecipeError(f"{source}: unknown key {prefix}{key}; known are {', '.join(fields)}")
    built = {}
    for key, item in fields.items():
        required = item.default is dataclasses.MISSING and (
            item.default_factory is dataclasses.MISSING
        )
        if key not in values:
            if required and key not in ("neuron",):
                raise RecipeError(f"{source}: {prefix}{key} is missing")
            if key == "neuron":
                built[key] = NeuronRecipe()
            continue
        value = values[key]
        if cls is Recipe and key == "layers":
            if not isinstance(value, list):
                raise RecipeError(f"{source}: layers must be an array of tables, not {value!r}")
            value = [
                _build(LayerRecipe, layer, source, f"layers[{index}]")
                for index, layer in enumerate(value)
            ]
        elif cls is Recipe and key in NESTED:
            value = _build(NESTED[key], value, source, key)
        else:
            value = _typed(value, item.type, f"{source}: {prefix}{key}")
        built[key] = value
    try:
        return cls(**built)
    except ValueError as error:
        raise RecipeError(f"{source}: {error}") from error


def _typed(value: Any, kind: Any, what: str) -> Any:
    """Return ``value`` if it is of ``kind``; an integer will do for a float."""
    if isinstance(kind, UnionType):
        if value is None:
            return None
        (kind,) = (choice for choice in get_args(kind) if choice is not NoneType)
    if kind is float and type(value) is int:
        return float(value)
    expected = kind if isinstance(kind, type) and kind in (int, float, str, bool) else dict
    if type(value) is not expected:
        text = json.dumps(value, default=str)
        raise RecipeError(f"{what} must be {expected.__name__}, not {text}")
    return value
