"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer
from spikeplane_hw.config import CONFIGS, CoreConfig

from ..zoo import find_checkpoint

__all__ = [
    "Checkpoint", "ChoiceSeed", "Config", "Confusion", "Data", "Offset", "Overrides", "Predictions", "TestRecipe",
    "board_named", "config_named", "files_of_recipe",
]

Data = Annotated[Path | None, typer.Option(
    envvar="SPIKEPLANE_DATA", help="Root folder of data sets that Spikeplane does not ship."
)]
Checkpoint = Annotated[Path, typer.Argument(
    callback=find_checkpoint, help="What `spikeplane train` wrote, or a network of the zoo by its name, as digits."
)]
Config = Annotated[str, typer.Option(help=f"Core configuration: {', '.join(CONFIGS)}.")]
Overrides = Annotated[list[str] | None, typer.Option(
    "--set", help="Replace a value of the recipe, as training.epochs=5; may be repeated."
)]
TestRecipe = Annotated[str | None, typer.Option(
    help="Recipe whose test data to use, in place of the one that the image carries."
)]
Offset = Annotated[int, typer.Option(min=0, help="Leave out the first so many test samples.")]
ChoiceSeed = Annotated[int | None, typer.Option(
    "--random", min=0, help="Take test samples in a random order, of this seed."
)]
Confusion = Annotated[bool, typer.Option("--confusion", help="Show which classes are taken for which.")]
Predictions = Annotated[Path | None, typer.Option(help="Write a CSV file of classes and predicted classes.")]


def config_named(name: str) -> CoreConfig:
    """Return a named configuration; a BadParameter error lists the names."""
    if name not in CONFIGS:
        raise typer.BadParameter(f"no configuration {name!r}; known are {', '.join(CONFIGS)}")
    return CONFIGS[name]


def files_of_recipe(name: str | None) -> list[Path]:
    """Return the files that a recipe is read from, if it is one of files; a recipe that comes along is none."""
    if name is None or not name.endswith(".toml"):
        return []
    from ..training.recipe.recipes import recipe_files

    return recipe_files(name)


def board_named(name: str):
    """Return a board; a BadParameter error lists the names."""
    from ..boards import BOARDS

    if name not in BOARDS:
        raise typer.BadParameter(f"no board {name!r}; known are {', '.join(BOARDS)}")
    return BOARDS[name]
