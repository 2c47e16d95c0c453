"""The command `spikeplane info`."""

from typing import Annotated

import typer
from rich.table import Table
from spikeplane_hw.config import CONFIGS

from ..output import output
from .options import Data, Overrides, config_named

__all__ = ["EXAMPLE", "info"]

EXAMPLE = "Example: spikeplane info digits.spk"


def info(
    file: Annotated[str, typer.Argument(help="An image, network, checkpoint or recipe, `boards`, `recipes` or `zoo`.")],
    config: Annotated[str | None, typer.Option(
        help=f"Show whether it fits a core configuration: {', '.join(CONFIGS)}, or all."
    )] = None,
    jobs: Annotated[bool, typer.Option("--jobs", help="Show the jobs of an image's program, one a row.")] = False,
    overrides: Overrides = None,
    data: Data = None,
) -> None:
    """Show what a file or a recipe holds, which boards and recipes there are, or with --config whether it fits."""
    from ..information import describe

    if jobs:
        from ..compiler.image import load_image
        from ..compiler.job_text import job_rows

        if config is not None or overrides:
            raise typer.BadParameter("--jobs shows an image as it is, without --config and --set")
        table = Table("word", "job", "settings that are not 0")
        rows = list(job_rows(load_image(file)))
        for row in rows:
            table.add_row(*row)
        output.show(table, jobs=[list(row) for row in rows])
        return

    if config is not None:
        from ..fit_report import candidate, fit_tables
        from ..fit_values import fit_values

        configs = list(CONFIGS.values()) if config == "all" else [config_named(config)]
        chosen = candidate(file, overrides or (), data)
        if output.json:
            output.show(**fit_values(chosen, configs))
            return
        for part in fit_tables(chosen, configs):
            output.show(part)
        return
    if overrides:
        raise typer.BadParameter("--set needs --config")

    table = Table("what", "value")
    rows = describe(file)
    for name, value in rows:
        table.add_row(name, value)
    output.show(table, rows=[list(row) for row in rows])
