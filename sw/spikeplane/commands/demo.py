"""The command `spikeplane demo`."""

from pathlib import Path
from typing import Annotated

import typer

from ..output import output
from .options import Config, Overrides, config_named
from .report import require_report
from .stoppable import stoppable

__all__ = ["EXAMPLE", "demo"]

EXAMPLE = "Example: spikeplane demo"


def demo(
    directory: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path("build/demo"),
    config: Config = "small",
    overrides: Overrides = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Only the first recordings.")] = None,
) -> None:
    """Train, export, compile and run the digits network on the simulated board."""
    core = config_named(config)
    require_report(", or run the steps by themselves")
    from ..demo import run_demo

    with stoppable():
        results = run_demo(
            directory, core, overrides=tuple(overrides or ()), samples=samples, progress=output.talks
        )
    output.show(**results)
    if results["mismatches"]:
        raise typer.Exit(1)
