"""What an image says of the data that its network was made on."""

from typing import Any

from .compiler.image import Image
from .data.sets.dataset import DataRecipe
from .training.tables import build

__all__ = ["image_data"]


def image_data(image: Image) -> DataRecipe | None:
    """Return the data that the network of an image was trained or fitted on; None: it says nothing of them.

    A ValueError names a setting that is wrong.
    """
    recipe = image.metadata.get("recipe")
    values: Any = recipe.get("data") if isinstance(recipe, dict) else image.metadata.get("data")
    return None if values is None else build(DataRecipe, values, "data")
