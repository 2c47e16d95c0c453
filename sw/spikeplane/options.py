"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer
from spikeplane_hw.config import CONFIGS, CoreConfig

from .zoo import find_checkpoint

__all__ = ["Checkpoint", "Config", "Data", "Overrides", "config_named"]

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


def config_named(name: str) -> CoreConfig:
    """Return a named configuration; a BadParameter error lists the names."""
    if name not in CONFIGS:
        raise typer.BadParameter(f"no configuration {name!r}; known are {', '.join(CONFIGS)}")
    return CONFIGS[name]
