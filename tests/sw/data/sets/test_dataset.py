"""Arrays that a network takes."""

import numpy as np
import pytest
from spikeplane.data.sets.dataset import DataRecipe, from_images
from spikeplane.data.sets.shapes import input_format
from spikeplane.training.recipe.recipes import load_recipe

IMAGES = np.arange(2 * 3 * 7 * 8, dtype=np.uint8).reshape(2, 3, 7, 8)


def dataset(**settings):
    recipe = DataRecipe(name="few", steps=2, bits=8, **settings)
    return from_images(recipe, "test", lambda: (IMAGES, np.array([0, 1])), 2)


@pytest.mark.parametrize(("crop", "rows", "columns"), [
    (4, slice(1, 5), slice(2, 6)), (5, slice(1, 6), slice(1, 6)), (7, slice(0, 7), slice(0, 7)),
])
def test_a_crop_is_the_middle(crop, rows, columns):
    found = dataset(crop=crop)
    np.testing.assert_array_equal(found.inputs, IMAGES[:, :, rows, columns])
    assert (found.input.height, found.input.width) == (crop, crop)


def test_without_a_crop_images_are_whole():
    np.testing.assert_array_equal(dataset().inputs, IMAGES)


def test_a_crop_is_smaller_than_the_images():
    with pytest.raises(ValueError, match=r"^data\.crop is 8, but images of few are 8x7, limit 7$"):
        dataset(crop=8)
    with pytest.raises(ValueError, match=r"^data\.crop must be 1 pixel or more, not 0$"):
        dataset(crop=0)


def test_shapes_and_recipes_know_the_crop():
    recipe = load_recipe("cifar10_compact", ["data.crop=28"])
    form = input_format(recipe.data)[0]
    assert (form.channels, form.height, form.width, form.bits) == (3, 28, 28, recipe.data.bits)
    assert recipe.to_dict()["data"]["crop"] == 28
    assert "crop" not in load_recipe("cifar10_compact").to_dict()["data"]
