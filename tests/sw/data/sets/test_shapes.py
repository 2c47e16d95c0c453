"""Shapes that are known without data are those of the data."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from spikeplane.data.formats.files import DataError
from spikeplane.data.sets.datasets import DATASETS, IMAGES, OWN, DataRecipe, load_dataset
from spikeplane.data.sets.shapes import SHAPES, input_format
from spikeplane.training.recipe.recipes import load_recipe, recipe_names

RECIPES = {
    **{load_recipe(name).data.name: load_recipe(name).data for name in recipe_names()},
    "digits, 7 a side": DataRecipe(name="digits", steps=2, side=7),
    "digits, 3 x 3 pixels a cell": DataRecipe(name="digits", steps=2, downsample=3),
}


def test_every_data_set_has_its_shape():
    assert set(SHAPES) == set(DATASETS) - set(OWN)
    assert {name for name, shape in SHAPES.items() if shape.colours} == set(IMAGES)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_formats_are_those_of_the_data(recipe):
    root = os.environ.get("SPIKEPLANE_DATA")
    try:
        data = load_dataset(recipe, "test", Path(root) if root else None)
    except DataError as error:
        pytest.skip(f"no data: {error}")
    assert input_format(recipe) == (data.input, data.classes)


def test_sizes_follow_bins():
    recipe = load_recipe("dvsgesture_vggsnn_1w2u").data
    form, classes = input_format(replace(recipe, side=None, downsample=4))
    assert (form.channels, form.height, form.width, form.bits, form.direct) == (2, 32, 32, 1, False)
    assert classes == 11
    assert input_format(DataRecipe(name="ncars", steps=3, side=60))[0].shape == (3, 2, 50, 60)


def test_other_data_sets_need_their_data():
    with pytest.raises(ValueError) as error:
        input_format(DataRecipe(name="mine", steps=2))
    assert str(error.value) == (
        "data set 'mine': the shape of its samples is known only from the data; known without are "
        + ", ".join(SHAPES)
    )
