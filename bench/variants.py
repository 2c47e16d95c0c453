"""The variants of a recipe that are compared with each other, and where their trainings lie."""

import dataclasses
from pathlib import Path

from spikeplane.data.sets.datasets import IMAGES
from spikeplane.training.recipe.recipes import Recipe, load_recipe

__all__ = ["SEEDS", "VARIANTS", "checkpoint_folder", "variant"]

SEEDS = (1, 2, 3)
STATE_BITS = (8, 4, 2)
WITHOUT = " without regulation"
"""Neither weights nor spikes are regulated."""
VARIANTS = (
    "float32", *(f"1-{bits}{end}" for bits in STATE_BITS for end in ("", WITHOUT)), "memory-free",
)
"""Bits of inner weights, then of potentials."""


def variant(name: str, kind: str, seed: int, overrides: tuple[str, ...] = ()) -> Recipe:
    """Return recipe ``name`` as one of VARIANTS."""
    recipe = load_recipe(name, [f"seed={seed}", *overrides])
    if kind == "float32":
        return recipe.float32()
    if kind == "memory-free":
        return _memory_free(recipe)
    bits = int(kind.removesuffix(WITHOUT).removeprefix("1-"))
    regulated = not kind.endswith(WITHOUT)
    layers = [
        dataclasses.replace(
            layer, neuron={},
            options=layer.options if regulated or layer.weights != "binary" else {"regulate": False},
        )
        for layer in recipe.layers
    ]
    training = recipe.training if regulated else dataclasses.replace(recipe.training, regularizers={})
    neuron = recipe.neuron.over(state_bits=bits)
    return dataclasses.replace(recipe, layers=layers, neuron=neuron, training=training)


def _memory_free(recipe: Recipe) -> Recipe:
    """Return the recipe with memory-free neurons; those that replay an image leak without a reset."""
    taps = min(recipe.data.steps, 4)
    layers = [dataclasses.replace(layer, neuron={}) for layer in recipe.layers]
    if recipe.data.name in IMAGES:
        replayed = recipe.neuron.over(dynamics="leaky", reset="none", state_bits=16)
        layers[0] = dataclasses.replace(layers[0], neuron=replayed.to_dict())
    neuron = recipe.neuron.over(dynamics="memory_free", taps=taps)
    return dataclasses.replace(recipe, layers=layers, neuron=neuron)


def checkpoint_folder(name: str, kind: str, seed: int) -> Path:
    """Return the folder of a variant's checkpoint."""
    return Path("build") / "bench" / "evidence" / name / f"{kind.replace(' ', '_')}-{seed}"
