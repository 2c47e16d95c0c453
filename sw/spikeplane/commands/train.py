"""The command `spikeplane train`."""

from pathlib import Path
from typing import Annotated

import typer

from ..output import output
from ..writing import check_folder
from .options import Data, Overrides
from .report import require_report, write_report
from .stoppable import stoppable

__all__ = ["EXAMPLE", "train"]

EXAMPLE = "Example: spikeplane train digits --out build/digits --set training.epochs=10"


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or a TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder of the checkpoint; a stopped training resumes.")],
    overrides: Overrides = None,
    data: Data = None,
    float32: Annotated[bool, typer.Option(help="Train the twin without quantization.")] = False,
    device: Annotated[str, typer.Option(help="auto (a GPU if there is one), cpu, cuda or cuda:N.")] = "auto",
    amp: Annotated[str | None, typer.Option(
        help="Compute products in bfloat16 or float16, all else in float32."
    )] = None,
    compiled: Annotated[bool, typer.Option(
        "--compile", help="Fuse forward and backward passes with torch.compile: it takes a minute once."
    )] = False,
    graphs: Annotated[bool, typer.Option(
        "--graphs", help="Record a batch's operations once and have the GPU replay them: one process, AdamW."
    )] = False,
    invert: Annotated[bool, typer.Option(
        "--invert", help="Compute the activations of reversible transformer blocks back instead of keeping them."
    )] = False,
    save_every: Annotated[float, typer.Option(
        help="Minutes after which a checkpoint is written within an epoch."
    )] = 10.0,
    validate_every: Annotated[int, typer.Option(
        help="Epochs after which the recipe's validation part is measured; 0: only after the last one."
    )] = 0,
    tensorboard: Annotated[bool, typer.Option(help="Write curves to OUT/tensorboard.")] = False,
    make_report: Annotated[bool, typer.Option(
        "--report/--no-report", help="End in a report of the whole test data, as `spikeplane report`."
    )] = True,
) -> None:
    """Train a network by a recipe; start it with torchrun for several processes."""
    from ..fit_report import opening_lines
    from ..training.recipe.recipes import load_recipe
    from ..training.run.options import RunOptions
    from ..training.run.processes import is_first
    from ..training.run.train import train as run_training

    chosen = load_recipe(recipe, overrides or ())
    check_folder(out)
    if make_report:
        require_report(", or train with --no-report")
    options = RunOptions(
        device=device, amp=amp, compile=compiled, graphs=graphs, invert=invert, save_every=save_every,
        validate_every=validate_every, tensorboard=tensorboard,
    )
    chosen = chosen.float32() if float32 else chosen
    if is_first():
        for line in opening_lines(chosen, data):
            output.show(line)
    with stoppable(is_first()):
        path = run_training(chosen, out, data, options=options)
    if is_first():
        output.show(f"checkpoint: {path}", checkpoint=str(path))
        if make_report:
            write_report(path, device, data_root=data)
