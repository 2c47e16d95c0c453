"""What a device is compared with: an image, its network and test samples, which must belong together."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .compiler.image import Image, ImageError, check_network, load_image
from .network.file import load_network
from .network.graph import IntegerNetwork

__all__ = ["Comparable"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparable:
    """An image, the network it was compiled from, and samples that fit both."""

    image: Image
    network: IntegerNetwork | None
    """None: nothing is compared."""
    inputs: np.ndarray
    """uint8 (count, *input.shape)."""
    labels: np.ndarray
    """int64 (count,)."""
    indices: np.ndarray
    """int64 (count,): places in the test part."""
    names: list[str]
    """Of the classes."""

    @classmethod
    def load(
        cls, image_path: Path, network_path: Path | None, recipe: str | None, samples: int, data_root: Path | None,
        *, offset: int = 0, seed: int | None = None,
    ) -> "Comparable":
        """Return what the files hold, and test samples of a recipe, by default the image's own.

        They are the first ones behind ``offset``, in the order of the test part, or with a ``seed`` in one that is
        drawn from it. A ValueError says that a file cannot be used, that they do not belong together, that the image
        carries no recipe, that the recipe's samples or classes are not its network's, or that there is no sample behind
        ``offset``.
        """
        image = load_image(image_path)
        network = None if network_path is None else load_network(network_path)
        try:
            if network is not None:
                check_network(image, network)
        except ImageError as error:
            raise ImageError(f"{image_path}: {error}") from error
        name, data = cls._data(image, image_path, recipe)
        from .data.sets.datasets import load_dataset  # Its parts take a while to import.
        from .data.sets.samples import select
        from .image_data import class_names

        test = load_dataset(data, "test", data_root)
        if test.input != image.input:
            raise ImageError(f"{image_path}: its input is {image.input}, the samples of {name} are {test.input}: name "
                             f"the recipe of its network by --recipe")
        names = class_names(image.metadata, len(image.logit_offset))
        test.check_classes(str(image_path), len(names), names if "class_names" in image.metadata else ())
        if offset >= len(test.labels):
            raise ValueError(f"offset {offset}: {test.name} has {len(test.labels):,} samples")
        order = np.arange(len(test.labels)) if seed is None else np.random.RandomState(seed).permutation(
            len(test.labels))
        chosen = order[offset : offset + samples]
        return cls(
            image=image, network=network, inputs=np.ascontiguousarray(select(test.inputs, chosen)[:]),
            labels=test.labels[chosen], indices=chosen, names=names,
        )

    @staticmethod
    def _data(image: Image, path: Path, name: str | None):
        """Return what errors call the data, and the data of a recipe or of the image itself."""
        from .image_data import image_data

        if name is not None:
            from .training.recipe.recipes import load_data_recipe  # Of the extra `train`.

            return f"recipe {name}", load_data_recipe(name)
        try:
            data = image_data(image)
        except ValueError as error:
            raise ImageError(f"{path}: recipe: {error}") from error
        if data is None:
            raise ImageError(f"{path}: it carries no recipe whose test data to use: name one by --recipe")
        return f"data set {data.name}", data
