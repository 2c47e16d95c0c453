"""Data sets by name, and what their page says."""

from pathlib import Path

import pytest
from spikeplane.data.formats.files import DataError, import_extra
from spikeplane.data.formats.recordings import READERS
from spikeplane.data.sets.datasets import DATASETS, OWN, DataRecipe, load_dataset
from spikeplane.training.recipe.augmentations import AUGMENTATIONS

PAGE = (Path(__file__).parents[4] / "docs" / "data.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(set(DATASETS) - {"digits"} - set(OWN)))
@pytest.mark.parametrize("part", ["train", "test"])
def test_what_is_missing_is_named(tmp_path, name, part):
    recipe = DataRecipe(name=name, steps=2)
    with pytest.raises(DataError, match=f"is missing: expected .*{tmp_path}"):
        load_dataset(recipe, part, tmp_path)
    with pytest.raises(DataError, match="name the root folder of the data sets by --data or SPIKEPLANE_DATA"):
        load_dataset(recipe, part)


@pytest.mark.parametrize(("settings", "message"), [
    ({"name": "digits", "bits": 4}, "data.bits is 4, but digits is a data set of recordings"),
    ({"name": "digits", "crop": 4}, "data.crop is 4, but digits is a data set of recordings"),
    ({"name": "mnist", "frames": "count"}, "data.frames is 'count', but mnist is a data set of images"),
    ({"name": "mnist", "duration": 5}, "data.duration is 5, but mnist is a data set of images"),
])
def test_settings_of_no_use_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        load_dataset(DataRecipe(**({"steps": 2} | settings)), "test")


def test_a_duration_needs_bins_of_time():
    with pytest.raises(ValueError, match=r"^data\.duration needs data\.frames time, not count$"):
        DataRecipe(name="ncars", steps=2, frames="count", duration=5)


def test_a_loader_that_returns_something_else_is_named(monkeypatch):
    monkeypatch.setitem(DATASETS._parts, "own", lambda recipe, root, part: ([], []))
    with pytest.raises(DataError, match=r"^data set 'own': its loader returned tuple, must be Dataset$"):
        load_dataset(DataRecipe(name="own", steps=2), "test")


def test_absent_extras_are_named():
    with pytest.raises(DataError, match=r"absent_module is needed: install .* spikeplane\[data\]"):
        import_extra("absent_module")


def test_the_page_names_everything():
    for name in [*DATASETS, *READERS]:
        assert f"`{name}`" in PAGE, name
    for name in AUGMENTATIONS:
        assert f"`[training.augmentations.{name}]`" in PAGE, name
