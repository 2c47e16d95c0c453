"""What an image says of the data that its network was made on."""

from typing import Any

from .compiler.image import Image
from .data.sets.dataset import DataRecipe
from .training.tables import build

__all__ = ["class_names", "image_data"]


def class_names(metadata: dict[str, Any], classes: int) -> list[str]:
    """Return what classes are called: as the metadata of a network or image say, else by their labels."""
    names = metadata.get("class_names")
    if isinstance(names, list) and len(names) == classes and all(isinstance(name, str) for name in names):
        return names
    return [str(label) for label in range(classes)]


def image_data(image: Image) -> DataRecipe | None:
    """Return the data that the network of an image was trained or fitted on; None: it says nothing of them.

    A ValueError names a setting that is wrong.
    """
    recipe = image.metadata.get("recipe")
    values: Any = recipe.get("data") if isinstance(recipe, dict) else image.metadata.get("data")
    return None if values is None else build(DataRecipe, values, "data")
