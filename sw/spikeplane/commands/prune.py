"""The command `spikeplane prune`."""

from pathlib import Path
from typing import Annotated

import typer

from ..output import output
from .options import Config, Data, config_named

__all__ = ["EXAMPLE", "prune"]

EXAMPLE = "Example: spikeplane prune build/digits/checkpoint.safetensors --budget size=50%"
CRITERIA = ("svs", "l1", "rate", "random")
"""As in :data:`spikeplane.pruning.criteria.CRITERIA`, which takes the training library to import."""


def prune(
    checkpoint: Annotated[Path, typer.Argument(help="What `spikeplane train` wrote.")],
    out: Annotated[Path | None, typer.Option(
        help="Folder of the pruned checkpoint, its recipe and report; default: pruned, beside the checkpoint."
    )] = None,
    budget: Annotated[str | None, typer.Option(
        help="Search for ratios within size=120kB, operations=50% or cycles=20000; else those of the recipe."
    )] = None,
    ratio: Annotated[list[str] | None, typer.Option(
        "--ratio", help="Part of a layer's channels to remove, as conv2=0.5, in place of the recipe's; may be repeated."
    )] = None,
    criterion: Annotated[str | None, typer.Option(
        help=f"What decides which channels: {', '.join(CRITERIA)}. Default: the recipe's, else svs."
    )] = None,
    tolerance: Annotated[float | None, typer.Option(
        help="Singular values above it count, as 1e-6; default: relative to the greatest one."
    )] = None,
    config: Config = "small",
    data: Data = None,
    device: Annotated[str, typer.Option(help="Where networks are looked at, as of train.")] = "auto",
) -> None:
    """Remove channels of a trained network: a smaller one, to be trained on, and what went where."""
    core, folder = config_named(config), out or checkpoint.parent / "pruned"
    ratios = _ratios(ratio)
    if budget is not None and ratios is not None:
        raise typer.BadParameter("name one of --budget, for a search, and --ratio")
    from ..pruning.costs import parse_budget
    from ..pruning.prune import prune as prune_checkpoint
    from ..pruning.prune import settings_of
    from ..pruning.written import FILES, figures, result_tables, write_pruned
    from ..training.run.devices import choose_device
    from ..writing import check_distinct, check_folder

    for name in FILES:
        check_distinct(folder / name, checkpoint)
    limit = None if budget is None else parse_budget(budget)
    settings = settings_of(checkpoint, criterion, tolerance)
    check_folder(folder)
    pruned = prune_checkpoint(
        checkpoint, ratios=ratios, budget=limit, settings=settings, config=core, data_root=data,
        device=choose_device(device),
    )
    for table in result_tables(pruned):
        output.show(table)
    written = write_pruned(pruned, folder)
    for what, path in written.items():
        output.show(f"{what}: {path}")
    output.show(**figures(pruned), folder=str(folder), files={what: str(path) for what, path in written.items()})


def _ratios(given: list[str] | None) -> dict[str, float] | None:
    """Return ratios by layer of ``LAYER=RATIO``, or None."""
    found = {}
    for text in given or ():
        name, separator, value = text.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            separator = ""
        if not separator:
            raise typer.BadParameter(f"--ratio {text!r}: expected a layer and a part, as conv2=0.5")
    return found or None
